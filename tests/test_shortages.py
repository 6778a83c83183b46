"""A machine that runs out of open files, memory, inodes or quota: no whole file is called damaged or gone."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from preparing import hashes, listing, options, toyadmos
from tiny import TinyCorpus, write_tree

from toyadmos_datasets import load_dataset
from toyadmos_datasets.archives import open_source
from toyadmos_datasets.auditing import audit
from toyadmos_datasets.errors import DatasetError, DiskFullError, ResourceError, StoreError
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.files.checked_json import read_json
from toyadmos_datasets.files.reading import sha256_of, shortage_of
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.runs.tensor_files import read_tensors, write_tensors
from toyadmos_datasets.sharing import export_recipe
from toyadmos_datasets.values.manifest import MANIFEST_NAME, RECIPE_NAME, read_manifest
from toyadmos_datasets.values.recipe import read_recipe
from toyadmos_datasets.values.recording_store import RecordingReader, read_catalogue
from toyadmos_datasets.values.shared_recipe import read_shared_recipe
from toyadmos_datasets.values.store_repair import damaged_samples, set_aside_damaged_rows
from toyadmos_datasets.verifying import verify_dataset

pytestmark = pytest.mark.usefixtures("datasets_cache", "baseline_cache")


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open nothing more, as a machine does whose limit is reached."""
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return write_tree(TinyCorpus(n_normal=5, n_noise=3).files(), tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def place(tmp_path_factory, tree) -> Path:
    """A dataset in `out`, the cache that it was made by, and its shared recipe."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(options(tree, folder, protocols=("basic",), snrs_db=(6.0,)))
    export_recipe(folder / "out", folder / "shared.toyrecipe")
    return folder


def store_of(place: Path) -> Path:
    (folder,) = (place / "cache" / "recordings").iterdir()
    return folder


def first_recording(place: Path) -> Callable[[], object]:
    catalogue = read_catalogue(store_of(place))
    recording_id = catalogue["recording_id"][0].as_py()
    return lambda: RecordingReader(catalogue).samples(recording_id)


READERS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "a manifest": lambda place: lambda: read_manifest(place / "out"),
    "JSON": lambda place: lambda: read_json(place / "out" / MANIFEST_NAME),
    "a recipe": lambda place: lambda: read_recipe(place / "out" / RECIPE_NAME),
    "a shared recipe": lambda place: lambda: read_shared_recipe(place / "shared.toyrecipe"),
    "the rows of a store": lambda place: lambda: read_catalogue(store_of(place)),
    "samples of a store": first_recording,
    "a dataset": lambda place: lambda: load_dataset(place / "out", split="train"),
    "a stream": lambda place: lambda: load_dataset(place / "out", split="train", streaming=True),
    "an audit": lambda place: lambda: audit(place / "out"),
    "a verification": lambda place: lambda: verify_dataset(place / "out"),
}


@pytest.mark.parametrize("reader", READERS)
def test_too_many_open_files_are_no_damage(place, reader):
    read = READERS[reader](place)
    with pytest.raises((ResourceError, OSError)) as caught, no_more_files():
        read()

    assert isinstance(caught.value, ResourceError) or caught.value.errno == errno.EMFILE
    assert not isinstance(caught.value, DatasetError)
    assert read() is not None


def test_segments_that_cannot_be_opened_for_want_of_descriptors_are_not_set_aside(place):
    before = listing(place / "cache")
    catalogue = read_catalogue(store_of(place))
    with no_more_files(), pytest.raises(ResourceError):
        damaged_samples(catalogue)
    with no_more_files(), pytest.raises(OSError, match=f"Errno {errno.EMFILE}"):
        set_aside_damaged_rows(store_of(place))

    assert listing(place / "cache") == before


def test_a_second_preparation_that_runs_out_of_descriptors_ingests_nothing_again(place, tree, tmp_path):
    shutil.copytree(place / "cache", tmp_path / "cache")
    request = options(tree, tmp_path, protocols=("basic",), snrs_db=(6.0,))
    before = listing(tmp_path / "cache")
    with pytest.raises((ResourceError, OSError)), no_more_files():
        prepare(request)
    after = listing(tmp_path / "cache")
    report = prepare(request)

    assert after == before
    assert report.ingested is not None
    assert report.ingested.n_ingested == 0
    assert hashes(tmp_path / "out") == hashes(place / "out")


def test_weights_that_cannot_be_opened_for_want_of_descriptors_are_not_damaged(tmp_path):
    path = tmp_path / "weights.safetensors"
    write_tensors(path, {})
    sha256 = sha256_of(path)
    with pytest.raises(ResourceError), no_more_files():
        read_tensors(path, sha256, path.stat().st_size)


@pytest.mark.parametrize(("n_bytes", "error"), [(1 << 20, ResourceError), ((1 << 63) - 64, DatasetError)])
def test_want_of_memory_is_no_damage_unless_a_file_asks_for_more_than_any_machine_has(
    place, monkeypatch, n_bytes, error
):
    def fail(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError(f"malloc of size {n_bytes} failed")

    monkeypatch.setattr(pq, "ParquetFile", fail)
    with pytest.raises(error) as caught:
        read_recipe(place / "out" / RECIPE_NAME)

    assert caught.value.where == str(place / "out" / RECIPE_NAME)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.ENFILE, "Too many"),
        pa.ArrowMemoryError("x"),
    ],
)
def test_an_error_of_the_machine_is_told_from_one_of_a_file(error):
    assert isinstance(shortage_of(error, "file"), ResourceError)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such"), PermissionError(errno.EACCES, "Permission"), ValueError("x")]
)
def test_an_error_of_a_file_says_nothing_of_the_machine(error):
    assert shortage_of(error, "file") is None


def test_the_command_line_tells_want_of_memory_without_a_traceback(capsys, tree, tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("toyadmos_datasets.jobs.prepare.prepare", fail)
    ran = toyadmos(capsys, "prepare", "--toy", "train", "--source", tree, "--out", tmp_path / "out")

    assert ran.status == 1
    assert "memory" in ran.err
    assert "foresee" not in ran.err


def test_a_disk_without_inodes_is_not_called_full(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=4", "tmpfs", str(folder)]
    if not mount or not umount or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        with pytest.raises(DiskFullError) as caught:
            [write_text(folder / f"{number}.txt", "x") for number in range(8)]
    finally:
        subprocess.run([umount, str(folder)], check=True)

    assert "inode" in str(caught.value.actual)


def test_a_used_up_quota_is_not_called_a_full_disk(tmp_path, monkeypatch):
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskFullError) as caught:
        write_text(tmp_path / "file.txt", "x")

    assert "EDQUOT" in str(caught.value.actual)


def test_a_source_that_cannot_be_opened_for_want_of_descriptors_is_there(tree):
    with pytest.raises(ResourceError), no_more_files():
        open_source(tree, "ToyTrain").members()


REFUSALS = [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EIO]


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, named: str, number: int) -> None:
    """Let every opening of the files whose names end so fail with an errno, as the system would say it."""
    path_open = Path.open

    def opened(path: Path, *arguments: object, **options: object) -> object:
        if path.name.endswith(named):
            raise OSError(number, os.strerror(number), str(path))
        return path_open(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr("builtins.open", lambda path, *arguments, **options: opened(Path(path), *arguments, **options))
    memory_map = pa.memory_map

    def mapped(path: str, *arguments: object) -> object:
        if path.endswith(named):
            raise OSError(number, os.strerror(number), path)
        return memory_map(path, *arguments)

    monkeypatch.setattr(pa, "memory_map", mapped)


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize(
    ("reader", "named"),
    [
        ("a manifest", MANIFEST_NAME),
        ("JSON", MANIFEST_NAME),
        ("a recipe", RECIPE_NAME),
        ("a shared recipe", ".toyrecipe"),
        ("the rows of a store", ".rows.arrow"),
        ("samples of a store", ".arrow"),
        ("a dataset", ".parquet"),
        ("a stream", ".parquet"),
        ("an audit", ".parquet"),
    ],
)
def test_what_the_system_refuses_to_read_is_neither_damaged_nor_missing(place, monkeypatch, reader, named, number):
    read = READERS[reader](place)
    refuse_to_open(monkeypatch, named, number)
    with pytest.raises(DatasetError) as caught:
        read()

    assert not isinstance(caught.value, StoreError)
    assert errno.errorcode[number] in str(caught.value.actual)
    assert not {"damaged", "missing", "changed"} & set(caught.value.what.split())
    assert "overwrite" not in str(caught.value.remedy)


@pytest.mark.parametrize("number", [*REFUSALS, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize("named", [".rows.arrow", ".arrow"])
def test_a_store_that_cannot_be_opened_loses_no_segment(place, tree, tmp_path, monkeypatch, named, number):
    shutil.copytree(place / "cache", tmp_path / "cache")
    request = options(tree, tmp_path, protocols=("basic",), snrs_db=(6.0,))
    before = listing(tmp_path / "cache")
    with monkeypatch.context() as refused:
        refuse_to_open(refused, named, number)
        with pytest.raises((ResourceError, DatasetError)) as caught:
            prepare(request)

    assert not isinstance(caught.value, StoreError)
    assert listing(tmp_path / "cache") == before


def test_rows_of_a_store_for_which_there_is_no_memory_are_not_set_aside(place, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 1048576 failed")

    before = listing(place / "cache")
    monkeypatch.setattr(pa.ipc, "open_file", fail)
    with pytest.raises(ResourceError):
        set_aside_damaged_rows(store_of(place))

    assert listing(place / "cache") == before


@pytest.mark.parametrize("number", REFUSALS)
def test_a_verification_tells_a_shard_that_cannot_be_read_from_one_that_is_damaged(place, monkeypatch, number):
    refuse_to_open(monkeypatch, ".parquet", number)
    problems = verify_dataset(place / "out").problems

    assert problems
    assert all(errno.errorcode[number] in one.actual for one in problems)
    assert not any("overwrite" in one.remedy for one in problems)
