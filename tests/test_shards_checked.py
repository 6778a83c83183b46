"""One flipped bit in a shard: every reader of shards says which and how it hashes, and writes nothing."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from baselines import NO_TORCH
from preparing import hashes, options, toyadmos, toyadmos_process
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset, torch_loader
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.exporting import LAYOUTS
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.values.manifest import Shard, read_manifest
from toyadmos_datasets.values.shards import check_shards, row_groups

pytestmark = pytest.mark.usefixtures("datasets_cache", "baseline_cache")


def shards_of(folder: Path, split: str) -> list[Shard]:
    return read_manifest(folder).configs["clean"][split]


def flip_a_bit(folder: Path, split: str) -> tuple[Path, str]:
    """Flip a bit in the middle of the last shard of a split, as a disk may; return it and the hash that it had."""
    shard = shards_of(folder, split)[-1]
    path = folder / shard.path
    content, stat = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return path, shard.sha256


def require_both_hashes(error: DatasetError, path: Path, sha256: str) -> None:
    """Fail unless an error names the shard and both hashes."""
    assert error.where == str(path)
    assert error.expected == f"sha256 {sha256}"
    assert error.actual == f"sha256 {sha256_of(path)}"


READERS: dict[str, Callable[[Path, Path], object]] = {
    "loading": lambda folder, place: load_dataset(folder, cache_dir=place / "hf"),
    "streaming": lambda folder, _: list(load_dataset(folder, split="train", streaming=True)),
    "reading rows": lambda folder, _: [list(row_groups(folder, shard)) for shard in shards_of(folder, "train")],
}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_in_python_tells_of_a_flipped_bit(copy, tmp_path, reader):
    path, sha256 = flip_a_bit(copy, "train")
    with pytest.raises(DatasetError) as caught:
        READERS[reader](copy, tmp_path)

    require_both_hashes(caught.value, path, sha256)


def test_a_loader_of_batches_tells_of_a_flipped_bit(copy, tmp_path):
    pytest.importorskip("torch", reason=NO_TORCH)
    path, sha256 = flip_a_bit(copy, "train")
    with pytest.raises(DatasetError) as caught:
        torch_loader(copy, cache_dir=tmp_path / "hf")

    require_both_hashes(caught.value, path, sha256)


OF_ONE_CHANNEL = [name for name in LAYOUTS if name != "dcase2026"]  # which takes clips of two alone
COMMANDS = {
    **{
        f"export {name}": ["export", "--layout", name, "--config", "clean", "--out", "OUT", "DIR"]
        for name in OF_ONE_CHANNEL
    },
    "audit": ["audit", "DIR", "--report", "OUT", "--workers", "1"],
    "audit in two processes": ["audit", "DIR", "--report", "OUT", "--workers", "2"],
    "report": ["report", "DIR", "--config", "clean", "--out", "OUT"],
    "recipe": ["recipe", "export", "DIR", "--out", "OUT", "--workers", "1"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_tells_of_a_flipped_bit_and_writes_nothing(copy, tmp_path, capsys, command):
    path, sha256 = flip_a_bit(copy, "test")
    out = tmp_path / ("out.toyrecipe" if command == "recipe" else "out")
    words = [{"DIR": copy, "OUT": out}.get(word, word) for word in COMMANDS[command]]
    ran = toyadmos(capsys, *words)

    assert (ran.status, ran.out) == (1, "")
    for fact in (path, sha256, sha256_of(path)):
        assert str(fact) in ran.err
    assert not out.exists()


def test_sharing_stops_at_a_flipped_bit_and_leaves_nothing_that_passes_for_whole(copy, capsys):
    path, sha256 = flip_a_bit(copy, "test")
    address = f"memory://{uuid.uuid4().hex}/toy"
    ran = toyadmos(capsys, "share", copy, address, "--i-may-share-audio")

    assert ran.status == 1
    for fact in (path, sha256, sha256_of(path)):
        assert str(fact) in ran.err
    assert not fsspec.filesystem("memory").exists(f"{address}/manifest.json")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["frames computed", "frames kept"])
def test_the_baseline_tells_of_a_flipped_bit_and_writes_nothing(
    simulated_train, trained, tmp_path, capsys, split, is_kept
):
    dataset, run = tmp_path / "dataset", tmp_path / "run"
    shutil.copytree(simulated_train, dataset)
    shutil.copytree(trained, run)
    before = hashes(run)
    path, sha256 = flip_a_bit(dataset, split)
    words = (
        ["train", dataset, "--out", tmp_path / "new"] if split == "train" else ["evaluate", run, "--dataset", dataset]
    )
    env = {} if is_kept else {"TOYADMOS_CACHE": str(tmp_path / "cache")}
    ran = toyadmos_process(*words, env=env)

    assert (ran.status, ran.out) == (1, "")
    for fact in (path, sha256, sha256_of(path)):
        assert str(fact) in ran.err
    assert hashes(run) == before
    assert not (tmp_path / "new").exists()


def test_a_shard_is_hashed_once_in_a_process_and_again_when_it_was_touched(copy, monkeypatch):
    from toyadmos_datasets.values import shards  # noqa: PLC0415

    hashed: list[Path] = []
    monkeypatch.setattr(shards, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    some = shards_of(copy, "train")
    check_shards(copy, some)
    check_shards(copy, some)
    before = list(hashed)
    os.utime(copy / some[0].path)
    check_shards(copy, some)

    assert before == [copy / shard.path for shard in some]
    assert hashed == [*before, copy / some[0].path]


def test_the_next_process_finds_what_size_time_and_inode_do_not_show(copy, tmp_path):
    check_shards(copy, read_manifest(copy).shards)
    path, sha256 = flip_a_bit(copy, "train")
    ran = toyadmos_process("export", copy, "--layout", "wav", "--config", "clean", "--out", tmp_path / "out")

    assert ran.status == 1
    assert sha256 in ran.err
    assert str(path) in ran.err
    assert not (tmp_path / "out").exists()


def test_what_was_found_on_loading_does_not_hold_for_a_shard_with_another_inode(copy, tmp_path):
    load_dataset(copy, cache_dir=tmp_path / "hf")
    shard = copy / shards_of(copy, "train")[0].path
    stat = shard.stat()
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "other").write_bytes(content)
    os.utime(tmp_path / "other", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (tmp_path / "other").replace(shard)

    with refused(DatasetError):
        load_dataset(copy, cache_dir=tmp_path / "hf")


def replace_dataset(folder: Path, place: Path) -> None:
    """Put another dataset where one is, as `prepare --overwrite` does."""
    prepare(
        options(write_tree(TinyCorpus(n_normal=6, n_noise=3).files(), place / "other"), place, protocols=("basic",))
    )
    shutil.rmtree(folder)
    shutil.copytree(place / "out", folder)


def reading_rows(folder: Path) -> Callable[[], object]:
    shards = shards_of(folder, "train")
    return lambda: [list(row_groups(folder, shard)) for shard in shards]


def streaming(folder: Path) -> Callable[[], object]:
    rows = load_dataset(folder, "clean", split="train", streaming=True)
    return lambda: list(rows)


@pytest.mark.parametrize("reader", [reading_rows, streaming])
def test_a_dataset_that_is_replaced_while_it_is_read_is_not_called_damaged(copy, tmp_path, reader):
    read = reader(copy)
    replace_dataset(copy, tmp_path)
    with refused(DatasetError) as caught:
        read()

    assert "again" in str(caught.value.remedy)


@pytest.mark.parametrize("reader", [reading_rows, streaming])
def test_a_dataset_whose_new_manifest_is_not_there_yet_is_not_called_damaged(copy, reader):
    read = reader(copy)
    shutil.rmtree(copy / "data")
    (copy / ".partial").mkdir()
    (copy / "manifest.json").rename(copy / ".partial" / "manifest.json")
    with refused(DatasetError):
        read()


@pytest.mark.parametrize("reader", [reading_rows, streaming])
def test_a_shard_that_is_gone_from_a_dataset_that_stays_is_missing(copy, reader):
    read = reader(copy)
    shutil.rmtree(copy / "data")
    with refused(DatasetError):
        read()
