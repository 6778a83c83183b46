"""The main job: the same bytes however it is run, nothing done twice, nothing mixed, and errors that help."""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
from datasets.data_files import EmptyDatasetError
from preparing import hashes, listing, options
from tiny import TinyCorpus, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import BusyError, DiskFullError, OutputConflictError
from toyadmos_datasets.files.atomic import temporary_path
from toyadmos_datasets.files.lock import HOLDER_NAME, LOCK_NAME, folder_lock
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recipe import read_recipe
from toyadmos_datasets.values.recording_store import read_catalogue

render_stage = importlib.import_module(
    "toyadmos_datasets.rendering.render_job"
)  # its name is the function's in the package
CORPUS = TinyCorpus(n_normal=5, n_noise=3)
BOTH = {"protocols": ("basic", "waspaa2019"), "snrs_db": (6.0,)}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return CORPUS.files()


@pytest.fixture(scope="module")
def tree(tmp_path_factory, files) -> Path:
    return write_tree(files, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory, files) -> Path:
    return write_volumes(files, tmp_path_factory.mktemp("volumes"))


@pytest.fixture(scope="module")
def done(tmp_path_factory, tree) -> Path:
    """A place with a finished run of `BOTH`; tests that change it take a copy."""
    place = tmp_path_factory.mktemp("done")
    prepare(options(tree, place, **BOTH))
    return place


def bytes_that_do_not_know_the_source(out: Path) -> dict[str, str]:
    """Hashes of the files, with the manifest in the place of its own without its source."""
    found = hashes(out)
    manifest = json.loads((out / "manifest.json").read_text())
    del found["manifest.json"], manifest["source"], manifest["request"]["source"]
    return found | {"manifest": json.dumps(manifest, sort_keys=True)}


def test_workers_and_packing_change_no_byte(tmp_path, done, volumes):
    prepare(options(volumes, tmp_path, workers=2, **BOTH))

    assert bytes_that_do_not_know_the_source(tmp_path / "out") == bytes_that_do_not_know_the_source(done / "out")


def test_two_runs_in_two_folders_are_the_same_in_every_byte(tmp_path, done, tree):
    prepare(options(tree, tmp_path, **BOTH))

    assert hashes(tmp_path / "out") == hashes(done / "out")


def test_the_order_of_hashes_and_of_the_file_system_change_no_byte(tmp_path, done, files):
    # Files are written in reverse, and the process has another seed for the hashes of text.
    write_tree(dict(reversed(files.items())), tmp_path / "source")
    code = """
        import sys
        from pathlib import Path
        from preparing import options
        from toyadmos_datasets.jobs.prepare import prepare
        prepare(options(Path(sys.argv[1]), Path(sys.argv[2]), protocols=("basic", "waspaa2019"), snrs_db=(6.0,)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "source"), str(tmp_path)]
    environment = os.environ | {
        "PYTHONHASHSEED": "4711",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "support"), str(Path(__file__).parent.parent)]),
    }
    subprocess.run(command, check=True, env=environment)

    assert bytes_that_do_not_know_the_source(tmp_path / "out") == bytes_that_do_not_know_the_source(done / "out")


def test_plain_datasets_opens_every_config(tmp_path, done):
    manifest = read_manifest(done / "out")
    rows = {}
    for config in manifest.configs:
        opened = datasets.load_dataset(str(done / "out"), config, cache_dir=str(tmp_path))
        rows[config] = {split: len(of_split) for split, of_split in opened.items()}

    assert rows == {
        config: {split: sum(shard.n_rows for shard in shards) for split, shards in splits.items()}
        for config, splits in manifest.configs.items()
    }
    assert list(rows) == ["clean", "snr_6db", "waspaa2019"]


def test_plain_datasets_reports_a_shard_that_does_not_belong_to_the_dataset(tmp_path, done):
    shutil.copytree(done / "out", tmp_path / "out")
    shard = tmp_path / "out" / "data" / "clean" / "train-00000-of-00001.parquet"
    shutil.copy(shard, shard.with_name("train-00001-of-00001.parquet"))

    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        datasets.load_dataset(str(tmp_path / "out"), "clean", cache_dir=str(tmp_path / "cache"))


def test_the_manifest_lists_every_file_with_the_hash_it_has(done):
    manifest = read_manifest(done / "out")
    listed = {shard.path: shard.sha256 for shard in manifest.shards}
    found = hashes(done / "out")

    assert listed == {path: sha256 for path, sha256 in found.items() if path.startswith("data/")}
    assert sorted(found.keys() - listed.keys()) == ["README.md", "manifest.json", "recipe.parquet"]


def test_the_manifest_tells_rows_recipe_source_and_versions(done, tree):
    manifest = read_manifest(done / "out")
    recipe = read_recipe(done / "out" / "recipe.parquet")
    source = open_source(tree, "ToyTrain")
    rows = Counter((row["config"], row["split"]) for row in recipe.examples.to_pylist())

    assert {(shard.config, shard.split): shard.n_rows for shard in manifest.shards} == rows
    assert manifest.recipe_sha256 == recipe.sha256
    told = {name: manifest.source[name] for name in ("kind", "identity", "is_simulated")}
    assert told == {"kind": "tree", "identity": source.identity, "is_simulated": False}
    assert manifest.versions == {
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "soxr": soxr.__libsoxr_version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "python": platform.python_version(),
        "toyadmos-datasets": importlib.metadata.version("toyadmos-datasets"),
    }


def test_at_the_rate_of_the_corpus_clean_clips_are_its_very_samples(tmp_path, tree):
    prepare(options(tree, tmp_path, protocols=("basic",), channels="2", rate_hz=48_000))
    rows = [
        row
        for shard in read_manifest(tmp_path / "out").shards
        for row in pq.read_table(tmp_path / "out" / shard.path).to_pylist()
    ]

    names = {name.recording_id: name for name in CORPUS.names()}
    assert len(rows) == len({name.event_id for name in names.values() if name.sound != "noise"})
    for row in rows:
        samples, rate_hz = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
        assert rate_hz == 48_000
        np.testing.assert_array_equal(samples, CORPUS.sound(names[row["recording_ids"][0]]))


def test_the_same_again_finds_nothing_to_do_and_touches_nothing(done, tree):
    before = listing(done)
    report = prepare(options(tree, done, **BOTH))

    assert report.was_done
    assert report.ingested is None
    assert listing(done) == before


def test_a_cut_end_of_a_finished_run_is_tidied_up_and_the_dataset_untouched(tmp_path, done, tree):
    shutil.copytree(done, tmp_path / "done")
    out = tmp_path / "done" / "out"
    (out / ".partial" / "replaced").mkdir(parents=True)
    report = prepare(options(tree, tmp_path / "done", **BOTH))

    assert report.was_done
    assert not (out / ".partial").exists()
    assert hashes(out) == hashes(done / "out")


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"snrs_db": (6.0, 3.0)},
        {"bit_depth": 24},
        {"container": "flac"},
        {"skip_bad": True},
        {"rate_hz": 8000},
    ],
)
def test_other_options_into_the_same_folder_are_refused_before_anything_is_read(done, tree, changed):
    before = listing(done)
    with pytest.raises(OutputConflictError, match="--overwrite"):
        prepare(options(tree, done, **BOTH | changed))

    assert listing(done) == before


def test_another_source_into_the_same_folder_is_refused(done, volumes):
    with pytest.raises(OutputConflictError, match="source="):
        prepare(options(volumes, done, **BOTH))


def test_overwriting_replaces_the_dataset_by_what_a_fresh_folder_would_hold(tmp_path, done, tree):
    shutil.copytree(done, tmp_path / "done")
    prepare(options(tree, tmp_path / "done", protocols=("basic",), overwrite=True))
    prepare(options(tree, tmp_path / "fresh", protocols=("basic",)))

    assert hashes(tmp_path / "done" / "out") == hashes(tmp_path / "fresh" / "out")


def test_files_of_others_stay_untouched_when_a_dataset_is_replaced(tmp_path, done, tree):
    shutil.copytree(done, tmp_path / "done")
    (tmp_path / "done" / "out" / ".git").mkdir()
    (tmp_path / "done" / "out" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    prepare(options(tree, tmp_path / "done", protocols=("basic",), overwrite=True))

    assert (tmp_path / "done" / "out" / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"


def test_what_the_cache_has_is_not_read_again(tmp_path, done, tree):
    shutil.copytree(done / "cache", tmp_path / "cache")
    report = prepare(options(tree, tmp_path, **BOTH))

    assert report.ingested is not None
    assert report.ingested.n_ingested == 0
    assert report.ingested.n_reused == len(read_catalogue(next((tmp_path / "cache" / "recordings").iterdir())))


def test_the_locks_and_temporary_files_of_the_dead_are_no_obstacle_and_are_removed(tmp_path, done, tree):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    out, store = tmp_path / "out", tmp_path / "cache" / "recordings"
    prepare(options(tree, tmp_path, protocols=("basic",)))
    shutil.rmtree(out)
    out.mkdir()
    (out / LOCK_NAME).touch()
    (out / HOLDER_NAME).write_text(json.dumps({"host": "here", "pid": dead.pid}))
    places = [out, next(store.iterdir())]
    left = [_temporary_of(dead.pid, place) for place in places]
    for path in left:
        path.write_bytes(b"half")
    prepare(options(tree, tmp_path, **BOTH))

    assert [path for path in (*left, out / HOLDER_NAME) if path.exists()] == []
    assert hashes(out) == hashes(done / "out")


def _temporary_of(pid: int, folder: Path) -> Path:
    path = temporary_path(folder)
    return path.with_name(path.name.replace(f".{os.getpid()}.", f".{pid}."))


def test_a_living_owner_is_named_and_nothing_is_changed(tmp_path, tree):
    with folder_lock(tmp_path / "out"), pytest.raises(BusyError) as caught:
        prepare(options(tree, tmp_path))

    assert caught.value.actual.startswith(f"held by process {os.getpid()} on ")
    assert not (tmp_path / "cache").exists()


def test_readers_find_no_dataset_while_shards_are_collected(tmp_path, tree, monkeypatch):
    seen = []
    require_room = render_stage._require_room

    def look(*arguments):
        require_room(*arguments)
        finish = tmp_path / "out" / ".partial" / "data" / "clean"
        finish.mkdir(parents=True)
        shutil.copy(next(iter(tree.rglob("*.wav"))), finish / "train-00000-of-00001.parquet")
        seen.append(hashes(tmp_path / "out"))
        with pytest.raises(EmptyDatasetError):
            datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "datasets"))

    monkeypatch.setattr(render_stage, "_require_room", look)
    prepare(options(tree, tmp_path, protocols=("basic",)))

    assert seen == [{}]


def test_the_manifest_appears_after_everything_that_it_lists(tmp_path, tree, monkeypatch):
    renamed = []
    replace = os.replace

    def note(source, target):
        replace(source, target)
        renamed.append(Path(target))

    monkeypatch.setattr(os, "replace", note)
    prepare(options(tree, tmp_path, protocols=("basic",)))
    in_out = [path.name for path in renamed if path.parent == tmp_path / "out"]

    assert in_out[-4:] == ["README.md", "recipe.parquet", "data", "manifest.json"]
    assert renamed[-1].name == "manifest.json"


def test_a_disk_that_cannot_hold_the_dataset_is_noticed_before_it_is_rendered(tmp_path, done, tree, monkeypatch):
    shutil.copytree(done / "cache", tmp_path / "cache")
    monkeypatch.setattr("toyadmos_datasets.files.atomic.free_bytes", lambda _: 1000)
    with refused(DiskFullError) as caught:
        prepare(options(tree, tmp_path, **BOTH))

    assert caught.value.expected.endswith(" kB free")
    assert caught.value.actual == "1.0 kB free"
    assert not (tmp_path / "out").exists()
