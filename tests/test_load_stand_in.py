"""A cache of `datasets` that cannot be written to: what it has serves, and a temporary folder has the rest."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

import datasets
import pytest
from tiny import TinyCorpus, write_tree
from wording import warned

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import DiskFullError
from toyadmos_datasets.loading import clip_cache

LOADS = """
    import sys, warnings
    from pathlib import Path
    from toyadmos_datasets import load_dataset
    from toyadmos_datasets.loading import clip_cache

    def refuse(_shards, path):
        if not str(path).startswith(sys.argv[2]):
            raise OutputError("refused") from PermissionError(13, "Permission denied")
        write(_shards, path)

    from toyadmos_datasets.errors import OutputError
    write, clip_cache.write_places = clip_cache.write_places, refuse
    warnings.simplefilter("ignore")
    print(load_dataset(sys.argv[1], split="test").num_rows)
"""


@pytest.fixture
def read_only(monkeypatch, tmp_path) -> Path:
    """The place of the cache, where nothing can be made; even root cannot, as on a mount that is to be read."""
    cache = tmp_path / "hf"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(cache))
    make = Path.mkdir

    def refuse(self: Path, *args: object, **named: object) -> None:
        """Make folders elsewhere only."""
        if self == cache or cache in self.parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        make(self, *args, **named)

    monkeypatch.setattr(Path, "mkdir", refuse)
    return cache


def test_a_dataset_opens_where_the_cache_cannot_be_written_to_and_a_warning_says_what_to_name(prepared, read_only):
    with warned(UserWarning) as caught:
        rows = load_dataset(prepared, split="test")

    assert rows[0]["audio"]["array"].any()
    assert all(word in str(caught[0].message) for word in ("cache_dir", "HF_DATASETS_CACHE", str(read_only)))
    assert not read_only.exists()


def test_a_toy_is_built_where_the_cache_cannot_be_written_to(tmp_path, read_only):
    source = write_tree(TinyCorpus(n_normal=5, n_noise=3).files(), tmp_path / "tree")
    with warned(UserWarning):
        rows = load_dataset("train", source=str(source), cache=str(tmp_path / "cache"), split="test")

    assert rows.num_rows
    assert not read_only.exists()


def test_a_cache_that_has_what_is_needed_serves_without_being_written_to(prepared, tmp_path, monkeypatch):
    load_dataset(prepared, split="test", cache_dir=tmp_path)
    monkeypatch.setattr("toyadmos_datasets.loading.clip_cache.write_places", lambda *_args: pytest.fail("it was there"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = load_dataset(prepared, split="test", cache_dir=tmp_path)

    assert rows.num_rows


def test_a_full_disk_is_an_error_and_nothing_stands_in(prepared, tmp_path, monkeypatch):
    def fill(*_args: object) -> None:
        """Find no room."""
        raise DiskFullError("The disk is full.") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("toyadmos_datasets.loading.clip_cache.write_places", fill)
    with pytest.raises(DiskFullError):
        load_dataset(prepared, split="test", cache_dir=tmp_path)


def test_the_temporary_folder_is_gone_when_its_process_has_ended(prepared, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(LOADS), str(prepared), str(tmp_path / "tmp")]
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "HF_HOME": str(tmp_path / "hf")}

    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_one_folder_stands_in_for_all_that_a_process_loads(tmp_path):
    with warned(UserWarning):
        folders = {clip_cache.stand_in_for(tmp_path / name) for name in ("one", "other")}

    assert len(folders) == 1
    assert Path(tempfile.gettempdir()) in folders.pop().parents


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_of_the_caches_have_the_mode_that_the_umask_gives(tmp_path, umask):
    code = """
        import os, sys
        from pathlib import Path
        from preparing import options
        from toyadmos_datasets import load_dataset
        from toyadmos_datasets.jobs.prepare import prepare
        os.umask(int(sys.argv[3]))
        out = prepare(options(Path(sys.argv[1]), Path(sys.argv[2]), protocols=("basic",))).out
        load_dataset(out, split="test", cache_dir=Path(sys.argv[2]) / "cache")
    """
    source = write_tree(TinyCorpus(n_normal=3, n_noise=1).files(), tmp_path / "tree")
    tests = str(Path(__file__).parent / "support")
    paths = os.pathsep.join([tests, str(Path(__file__).parents[1])])
    arguments = [str(source), str(tmp_path), str(umask)]

    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], check=True, env=os.environ | {"PYTHONPATH": paths}
    )

    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.name != ".toyadmos.lock"} == {0o666 & ~umask}
