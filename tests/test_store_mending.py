"""A recording store that rots: what is damaged is noticed, set aside and ingested again, and no byte is ever wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from preparing import hashes, listing, options
from tiny import TinyCorpus, write_tree

from toyadmos_datasets import load_dataset
from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import DatasetError, SourceNotFoundError, StoreError
from toyadmos_datasets.ingest import recordings
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.values.recording_store import ROWS_SUFFIX, RecordingReader, SegmentWriter, read_catalogue

N_FLIPS = 150
"""Trials over a whole store; one in ten of them ended in a crash before rows were compared with anything."""


class Listening:
    """Progress that remembers what is said, and does something when a stage begins."""

    def __init__(self, **at_stage: Callable[[], object]) -> None:
        self.said: list[str] = []
        self._at_stage = at_stage

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Do what is to be done at this stage, the first time."""
        del total, unit
        self._at_stage.pop(what.split(maxsplit=1)[0].lower(), lambda: None)()
        yield lambda _done: None

    def say(self, text: str) -> None:
        """Remember."""
        self.said.append(text)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return write_tree(TinyCorpus(n_normal=5, n_noise=3).files(), tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def first(tmp_path_factory, tree) -> Path:
    """A place with the dataset of an undisturbed run and the cache that it left."""
    place = tmp_path_factory.mktemp("first")
    prepare(_options(tree, place))
    return place


@pytest.fixture
def place(first, tmp_path) -> Path:
    """A place with a copy of that cache, and no dataset."""
    shutil.copytree(first / "cache", tmp_path / "cache")
    return tmp_path


def _options(tree: Path, place: Path, workers: int = 1):
    return options(tree, place, protocols=("basic",), snrs_db=(6.0,), workers=workers)


def _store(place: Path) -> Path:
    (folder,) = (place / "cache" / "recordings").iterdir()
    return folder


def _visible(place: Path) -> list[Path]:
    return sorted(_store(place).glob("*.arrow"))


def _flip(path: Path, place: int, bit: int = 4) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def _rot(place: Path, *, is_noise: bool, share: float = 0.5) -> Path:
    """Flip a bit of a recording; return the file with its samples."""
    rows = read_catalogue(_store(place)).to_pylist()
    row = next(one for one in rows if ("_N_" in one["recording_id"] or "noise" in one["recording_id"]) == is_noise)
    _flip(Path(row["segment"]), row["first_byte"] + int(2 * row["n_samples"] * share))
    return Path(row["segment"])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("is_noise", [True, False])
def test_a_rotten_recording_is_ingested_again_and_the_dataset_is_that_of_an_undisturbed_run(
    place, tree, first, is_noise, workers
):
    rotten = _rot(place, is_noise=is_noise)
    progress = Listening()

    prepare(_options(tree, place, workers), progress)

    assert hashes(place / "out") == hashes(first / "out")
    assert not rotten.exists()
    assert rotten.with_name(f"{rotten.name}.damaged").exists()
    assert [line for line in progress.said if "damaged" in line] == [
        f"Set aside 1 damaged part of the recording store; what was in it is read again: {_store(place)}"
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_damage_that_is_done_while_clips_are_rendered_is_mended_too(place, tree, first, workers):
    progress = Listening(rendering=lambda: _rot(place, is_noise=True))

    prepare(_options(tree, place, workers), progress)

    assert hashes(place / "out") == hashes(first / "out")
    assert sum("damaged" in line for line in progress.said) == 1


@pytest.mark.parametrize("stage", ["measuring", "rendering"])
def test_recordings_that_vanish_in_the_middle_are_ingested_again(place, tree, first, stage):
    progress = Listening(**{stage: lambda: shutil.rmtree(_store(place))})

    report = prepare(_options(tree, place, workers=2), progress)

    assert hashes(place / "out") == hashes(first / "out")
    assert report.ingested.n_reused == 0


def test_a_store_that_vanishes_while_it_is_written_to_is_written_again(tmp_path, tree, first, monkeypatch):
    add, left = SegmentWriter.add, [3]

    def add_and_lose(self: SegmentWriter, *args: object, **row: object) -> None:
        """Remove the store once, after some recordings."""
        add(self, *args, **row)
        left[0] -= 1
        if left[0] == 0:
            shutil.rmtree(_store(tmp_path))

    monkeypatch.setattr(SegmentWriter, "add", add_and_lose)

    prepare(_options(tree, tmp_path))

    assert left[0] < 0
    assert hashes(tmp_path / "out") == hashes(first / "out")


@pytest.mark.parametrize("damage", ["a flipped bit", "a byte less", "a byte more", "nothing in it"])
@pytest.mark.parametrize("is_of_rows", [True, False])
def test_each_file_of_a_segment_that_is_not_what_it_was_is_mended_and_said(place, tree, first, is_of_rows, damage):
    path = next(one for one in _visible(place) if one.name.endswith(ROWS_SUFFIX) == is_of_rows)
    content = path.read_bytes()
    changed = bytes([content[0] ^ 1]) + content[1:]
    path.write_bytes(
        {"a flipped bit": changed, "a byte less": content[:-1], "a byte more": content + b"\0", "nothing in it": b""}[
            damage
        ]
    )
    progress = Listening()

    prepare(_options(tree, place), progress)

    assert hashes(place / "out") == hashes(first / "out")
    is_harmless = damage == "a flipped bit" and not is_of_rows  # the first byte is Arrow's, which nobody reads
    assert sum("Set aside 1 damaged part" in line for line in progress.said) == (not is_harmless)


@pytest.mark.parametrize("seed", range(4))
def test_bits_that_flip_anywhere_in_a_store_never_change_a_dataset(place, tree, first, seed):
    rng = np.random.default_rng(seed)
    for path in _visible(place):
        for _ in range(3):
            _flip(path, int(rng.integers(path.stat().st_size)), int(rng.integers(8)))

    prepare(_options(tree, place, workers=1 + seed % 2))

    assert hashes(place / "out") == hashes(first / "out")


def test_a_bit_that_flips_anywhere_in_a_store_gives_the_same_recordings_or_an_error_and_no_crash(first, tmp_path):
    whole = _samples_of(_store(first))
    rng = np.random.default_rng(0)
    n_noticed = 0
    for number in range(N_FLIPS):
        folder = shutil.copytree(_store(first), tmp_path / str(number))
        paths = sorted(folder.glob("*.arrow"))
        path = paths[number % len(paths)]
        _flip(path, int(rng.integers(path.stat().st_size)), int(rng.integers(8)))
        try:
            found = _samples_of(folder)
        except StoreError:
            found = {}
        n_noticed += found.keys() != whole.keys()
        for recording_id, (row, samples) in found.items():
            assert row == whole[recording_id][0]
            np.testing.assert_array_equal(samples, whole[recording_id][1])

    assert n_noticed > N_FLIPS * 0.8


def _samples_of(folder: Path) -> dict[str, tuple[dict[str, object], np.ndarray]]:
    catalogue = read_catalogue(folder)
    reader = RecordingReader(catalogue)
    rows = catalogue.drop_columns(["segment"]).to_pylist()
    return {row["recording_id"]: (row, reader.samples(row["recording_id"]).copy()) for row in rows}


def test_rows_that_promise_samples_outside_of_their_file_are_left_out(tmp_path):
    writer = SegmentWriter(tmp_path)
    known = {"level_db": 0.0, "active_level_db": 0.0, "active_share": 1.0, "peak": 1.0, "flags": [], "source_crc32": 1}
    writer.add(np.zeros(10, dtype=np.int16), recording_id="a", **known)
    writer._rows[0]["first_byte"] = 1 << 40
    writer.commit()

    assert len(read_catalogue(tmp_path)) == 0


def test_a_foreign_arrow_file_with_a_valid_name_is_left_out(tmp_path):
    writer = SegmentWriter(tmp_path)
    writer._rows_content = lambda **_facts: b"ARROW1" + os.urandom(100)  # type: ignore[method-assign]
    known = {"level_db": 0.0, "active_level_db": 0.0, "active_share": 1.0, "peak": 1.0, "flags": [], "source_crc32": 1}
    writer.add(np.zeros(10, dtype=np.int16), recording_id="a", **known)
    writer.commit()

    assert len(read_catalogue(tmp_path)) == 0


def test_what_was_set_aside_is_removed_after_a_day(place, tree):
    rotten = _rot(place, is_noise=True)
    prepare(_options(tree, place))
    aside = sorted(_store(place).glob("*.damaged"))
    for path in aside:
        os.utime(path, (0, 0))
    shutil.rmtree(place / "out")

    prepare(_options(tree, place))

    assert [path.name.removesuffix(".damaged") for path in aside] == [rotten.name, rotten.with_suffix(ROWS_SUFFIX).name]
    assert not any(path.exists() for path in aside)


def test_without_the_source_damage_ends_in_an_error_that_names_the_source(place, tree):
    _rot(place, is_noise=True)
    moved = tree.rename(tree.with_name("moved"))
    try:
        with pytest.raises(SourceNotFoundError) as caught:
            prepare(_options(tree, place))
    finally:
        moved.rename(tree)

    assert str(tree) in str(caught.value)
    assert not (place / "out").exists()


def test_damage_in_a_store_that_may_not_be_written_to_is_an_error_that_names_another_cache(place, tree, monkeypatch):
    rotten = _rot(place, is_noise=True)

    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        """Refuse to rename, as a file system does that is mounted to be read."""
        if self.parent == rotten.parent:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError) as caught:
        prepare(_options(tree, place))

    assert caught.value.where == str(rotten)
    assert "--cache" in caught.value.remedy


def test_a_machine_on_which_all_is_damaged_again_ends_in_an_error(place, tree, monkeypatch):
    def never(self: RecordingReader, *_place: object) -> np.ndarray:
        """Find everything damaged."""
        raise StoreError("Damaged.", where=self.catalogue["segment"][0].as_py())

    monkeypatch.setattr(RecordingReader, "stretch", never)
    with pytest.raises(StoreError):
        prepare(_options(tree, place))

    assert not (place / "out").exists()


def test_a_store_in_which_nothing_is_missing_is_not_written_to(place, tree):
    before = listing(place / "cache")

    prepare(_options(tree, place))

    assert listing(place / "cache") == before


def test_a_store_of_another_version_is_kept_elsewhere(tmp_path, tree, monkeypatch):
    source = open_source(tree, "ToyTrain")
    ours = recordings.store_for(tmp_path, source, 16_000)
    monkeypatch.setattr(recordings, "STORE_VERSION", recordings.STORE_VERSION - 1)

    assert recordings.store_for(tmp_path, source, 16_000).folder != ours.folder


@pytest.mark.parametrize("is_noise", [True, False])
def test_a_dataset_that_is_built_for_datasets_is_made_of_mended_recordings(place, tree, tmp_path, is_noise):
    asked = {"source": str(tree), "cache": str(place / "cache"), "snr_db": 6.0, "decode": False, "split": "test"}
    undisturbed = load_dataset("train", "basic", **asked, cache_dir=tmp_path / "one")
    rotten = _rot(place, is_noise=is_noise)

    mended = load_dataset("train", "basic", **asked, cache_dir=tmp_path / "other")

    assert not rotten.exists()
    assert mended["audio"][:] == undisturbed["audio"][:]


def test_the_error_of_a_damaged_recording_is_one_of_datasets_too():
    assert issubclass(StoreError, DatasetError)


def test_samples_begin_where_the_rows_say(first):
    for row in read_catalogue(_store(first)).to_pylist():
        file = pa.ipc.open_file(pa.memory_map(row["segment"]))
        content = Path(row["segment"]).read_bytes()[row["first_byte"] :][: 2 * row["n_samples"]]

        assert file.get_batch(row["batch"]).column(0).values.to_numpy().tobytes() == content
