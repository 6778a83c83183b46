"""The recording store: what is kept, what is left out, what is noticed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from wording import refused

from toyadmos_datasets.errors import DatasetError, StoreError
from toyadmos_datasets.values import recording_store
from toyadmos_datasets.values.recording_store import (
    CATALOGUE_SCHEMA,
    SEGMENT_BYTES,
    RecordingReader,
    SegmentWriter,
    read_catalogue,
    remove_abandoned,
)

DIE_AT_A_SYNC = """
import os, sys
from pathlib import Path
import numpy as np
from toyadmos_datasets.values.recording_store import SegmentWriter

left = int(sys.argv[2])
sync = os.fsync

def sync_or_die(descriptor):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    sync(descriptor)

os.fsync = sync_or_die
writer = SegmentWriter(Path(sys.argv[1]))
row = dict(level_db=-20.0, active_level_db=-20.0, active_share=1.0, peak=0.1, flags=[], source_crc32=1)
writer.add(np.arange(1000, dtype=np.int16), recording_id="new", **row)
writer.commit()
"""
"""A segment's samples, its folder, its rows and its folder again are synced, in this order."""


def add(writer: SegmentWriter, recording_id: str, samples: np.ndarray, flags: tuple[str, ...] = ()) -> None:
    writer.add(
        samples,
        recording_id=recording_id,
        level_db=-20.0,
        active_level_db=-18.0,
        active_share=0.5,
        peak=0.25,
        flags=list(flags),
        source_crc32=7,
    )


def store(folder: Path, *segments: dict[str, np.ndarray]) -> Path:
    for segment in segments:
        writer = SegmentWriter(folder)
        for recording_id, samples in segment.items():
            add(writer, recording_id, samples)
        writer.commit()
    return folder


def ramp(n_samples: int, start: int = 0) -> np.ndarray:
    return (np.arange(n_samples) + start).astype(np.int16)


def samples_file(folder: Path) -> Path:
    (path,) = (path for path in folder.glob("*.arrow") if not path.name.endswith(".rows.arrow"))
    return path


def rows_file(folder: Path) -> Path:
    (path,) = folder.glob("*.rows.arrow")
    return path


@settings(max_examples=25)
@given(st.lists(arrays(np.int16, st.integers(1, 300)), min_size=1, max_size=6))
def test_samples_come_back_bit_for_bit(tmp_path_factory, recordings):
    folder = tmp_path_factory.mktemp("store")
    store(folder, {f"r{number}": samples for number, samples in enumerate(recordings)})

    reader = RecordingReader(read_catalogue(folder))

    for number, samples in enumerate(recordings):
        np.testing.assert_array_equal(reader.samples(f"r{number}"), samples)


def test_the_catalogue_lists_all_segments_sorted_with_what_was_measured(tmp_path):
    writer = SegmentWriter(tmp_path)
    add(writer, "c", ramp(3), flags=("silent", "dc"))
    writer.commit()
    store(tmp_path, {"b": ramp(2), "a": ramp(1)})

    catalogue = read_catalogue(tmp_path)

    assert catalogue.schema.equals(CATALOGUE_SCHEMA)
    assert catalogue["recording_id"].to_pylist() == ["a", "b", "c"]
    row = catalogue.to_pylist()[2]
    assert (row["n_samples"], row["level_db"], row["active_share"], row["peak"]) == (3, -20.0, 0.5, 0.25)
    assert row["flags"] == ["silent", "dc"]
    assert row["samples_crc32"] == zlib.crc32(ramp(3).tobytes())
    assert Path(row["segment"]).exists()


def test_a_store_that_is_not_there_is_empty(tmp_path):
    catalogue = read_catalogue(tmp_path / "none")

    assert len(catalogue) == 0
    assert catalogue.schema.equals(CATALOGUE_SCHEMA)


def test_a_segment_is_not_there_before_it_is_committed(tmp_path):
    writer = SegmentWriter(tmp_path)
    add(writer, "a", ramp(10))

    assert len(read_catalogue(tmp_path)) == 0
    writer.commit()
    assert len(read_catalogue(tmp_path)) == 1


def test_a_discarded_segment_leaves_nothing(tmp_path):
    writer = SegmentWriter(tmp_path)
    add(writer, "a", ramp(10))
    writer.discard()

    assert list(tmp_path.iterdir()) == []


def test_a_segment_without_recordings_leaves_nothing(tmp_path):
    SegmentWriter(tmp_path).commit()

    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_full_at_about_256_megabytes_and_not_before(tmp_path, monkeypatch):
    monkeypatch.setattr(recording_store, "SEGMENT_BYTES", 2000)
    writer = SegmentWriter(tmp_path)

    fullness = []
    for number in range(3):
        add(writer, str(number), ramp(400))
        fullness.append(writer.is_full)

    writer.discard()
    assert SEGMENT_BYTES == 256_000_000
    assert fullness == [False, False, True]


def test_a_recording_that_two_processes_have_ingested_is_listed_once(tmp_path):
    store(tmp_path, {"a": ramp(5), "b": ramp(6)}, {"b": ramp(6), "c": ramp(7)}, {"b": ramp(6)})

    catalogue = read_catalogue(tmp_path)

    assert catalogue["recording_id"].to_pylist() == ["a", "b", "c"]
    np.testing.assert_array_equal(RecordingReader(catalogue).samples("b"), ramp(6))


@pytest.mark.parametrize("fault", ["missing", "truncated", "longer", "empty"])
def test_a_segment_whose_samples_are_not_all_there_is_left_out(tmp_path, fault):
    store(tmp_path, {"a": ramp(1000)})
    path = samples_file(tmp_path)
    content = path.read_bytes()
    path.unlink()
    if fault != "missing":
        path.write_bytes({"truncated": content[:-1], "longer": content + b"\0", "empty": b""}[fault])

    assert len(read_catalogue(tmp_path)) == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_segment_whose_rows_are_cut_off_is_left_out_and_the_others_stay(tmp_path, share):
    store(tmp_path, {"a": ramp(10)})
    path = rows_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    store(tmp_path, {"b": ramp(10)})

    assert read_catalogue(tmp_path)["recording_id"].to_pylist() == ["b"]


def test_rows_of_another_kind_of_file_are_left_out(tmp_path):
    with pa.OSFile(str(tmp_path / "x.rows.arrow"), "wb") as file, pa.ipc.new_file(file, pa.schema([])):
        pass

    assert len(read_catalogue(tmp_path)) == 0


@pytest.mark.parametrize("n_file_bytes", ["many", "5"])
def test_rows_that_a_program_of_another_kind_wrote_are_left_out(tmp_path, n_file_bytes):
    (tmp_path / "x.arrow").write_bytes(b"12345")
    schema = pa.schema([("a", pa.int64())], metadata={"n_file_bytes": n_file_bytes})
    with pa.OSFile(str(tmp_path / "x.rows.arrow"), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_table(pa.table({"a": [1]}, schema=schema))

    assert len(read_catalogue(tmp_path)) == 0


def test_a_flipped_byte_among_the_samples_is_an_error_that_says_what_to_remove(tmp_path):
    store(tmp_path, {"a": ramp(1000), "b": ramp(1000, start=5000)})
    path = samples_file(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(ramp(1000, start=5000).tobytes()) + 77] ^= 4
    path.write_bytes(content)
    reader = RecordingReader(read_catalogue(tmp_path))

    np.testing.assert_array_equal(reader.samples("a"), ramp(1000))
    with refused(DatasetError) as caught:
        reader.samples("b")

    assert caught.value.where == str(path)
    assert caught.value.remedy == f"Remove the file and run the same command again: rm {shlex.quote(str(path))}"


def test_every_flipped_byte_of_a_segment_is_noticed_or_harmless(tmp_path):
    expected = {"a": ramp(40), "b": ramp(40, start=900)}
    path = samples_file(store(tmp_path, expected))
    whole = path.read_bytes()
    catalogue = read_catalogue(tmp_path)

    told = [_with_a_flipped_byte(whole, place, path, catalogue, expected) for place in range(len(whole))]

    assert sum(one is not None for one in told) == sum(samples.nbytes for samples in expected.values())
    assert all(re.search(r"remedy: +Remove the file and run .+ rm \S+", one) for one in told if one is not None)


def _with_a_flipped_byte(whole, place, path, catalogue, expected) -> str | None:
    """Read a segment with one byte changed: what the error says, or None if the samples are as they were."""
    path.unlink()  # a map of the file as it was stays whole
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
    reader = RecordingReader(catalogue)
    try:
        found = {one: reader.samples(one) for one in expected}
    except DatasetError as error:
        return str(error)
    for one, samples in expected.items():
        np.testing.assert_array_equal(found[one], samples, err_msg=f"byte {place}")
    return None


def test_samples_that_vanish_under_a_reader_are_an_error_that_says_so(tmp_path):
    store(tmp_path, {"a": ramp(10)})
    reader = RecordingReader(read_catalogue(tmp_path))
    samples_file(tmp_path).unlink()

    with refused(DatasetError):
        reader.samples("a")


def test_a_recording_that_is_not_in_the_catalogue_is_a_key_error(tmp_path):
    store(tmp_path, {"a": ramp(10)})

    with refused(KeyError):
        RecordingReader(read_catalogue(tmp_path)).samples("b")


def test_only_the_pieces_that_a_stretch_lies_in_are_compared(tmp_path):
    n_samples = 5 * recording_store.PIECE_BYTES // 2
    store(tmp_path, {"a": ramp(n_samples)})
    (row,) = read_catalogue(tmp_path).to_pylist()
    content = bytearray(samples_file(tmp_path).read_bytes())
    content[row["first_byte"] + 2 * recording_store.PIECE_BYTES + 5] ^= 1  # of the third of five pieces
    samples_file(tmp_path).write_bytes(content)
    reader = RecordingReader(read_catalogue(tmp_path))
    in_a_piece = recording_store.PIECE_BYTES // 2

    for start, n in ((0, 2 * in_a_piece), (3 * in_a_piece, 2 * in_a_piece), (3 * in_a_piece + 7, 1)):
        np.testing.assert_array_equal(reader.stretch("a", start, n), ramp(n_samples)[start : start + n])
    for start, n in ((0, n_samples), (2 * in_a_piece - 1, 2), (2 * in_a_piece, 1), (3 * in_a_piece - 1, 1)):
        with pytest.raises(StoreError):
            reader.stretch("a", start, n)


@given(st.integers(0, 999), st.integers(1, 1000))
def test_a_stretch_is_that_part_of_the_recording(tmp_path_factory, start, n_samples):
    folder = tmp_path_factory.getbasetemp() / "stretch"
    if not folder.exists():
        store(folder, {"a": ramp(1000)})

    stretch = RecordingReader(read_catalogue(folder)).stretch("a", start, min(n_samples, 1000 - start))

    np.testing.assert_array_equal(stretch, ramp(1000)[start : start + n_samples])


def test_what_was_read_stays_valid_when_more_is_read(tmp_path):
    store(tmp_path, {f"r{number}": ramp(1000, start=number) for number in range(5)})
    reader = RecordingReader(read_catalogue(tmp_path))

    views = [reader.samples(f"r{number}") for number in range(5)]

    for number, view in enumerate(views):
        np.testing.assert_array_equal(view, ramp(1000, start=number))


def test_views_of_the_store_cannot_be_written_to(tmp_path):
    store(tmp_path, {"a": ramp(10)})

    samples = RecordingReader(read_catalogue(tmp_path)).samples("a")

    assert not samples.flags.writeable


@pytest.mark.parametrize(("n_synced", "is_kept"), [(0, False), (1, False), (2, False), (3, True)])
def test_a_writer_that_is_killed_leaves_a_whole_segment_or_none(tmp_path, n_synced, is_kept):
    store(tmp_path, {"earlier": ramp(10)})

    died = subprocess.run([sys.executable, "-c", DIE_AT_A_SYNC, str(tmp_path), str(n_synced)], check=False)

    assert died.returncode == 9
    catalogue = read_catalogue(tmp_path)
    reader = RecordingReader(catalogue)
    found = {one: len(reader.samples(one)) for one in catalogue["recording_id"].to_pylist()}
    assert found == ({"new": 1000} if is_kept else {}) | {"earlier": 10}


def test_a_long_walk_over_a_store_does_not_stay_in_memory(tmp_path):
    n_mb = 300
    samples = np.random.default_rng(0).integers(-1000, 1000, 5_000_000).astype(np.int16)
    for number in range(n_mb // 10 // 10):
        store(tmp_path, {f"{number}-{part}": samples for part in range(10)})
    catalogue = read_catalogue(tmp_path)
    reader = RecordingReader(catalogue)
    before = psutil.Process().memory_info().rss
    highest = 0

    for recording_id in catalogue["recording_id"].to_pylist():
        reader.samples(recording_id)
        highest = max(highest, psutil.Process().memory_info().rss - before)

    assert highest < 150_000_000


def test_samples_whose_rows_never_came_are_removed_after_a_day_and_others_are_not(tmp_path):
    folder = store(tmp_path / "store", {"kept": ramp(10)})
    os.utime(samples_file(folder), (0, 0))
    orphan, fresh = folder / "0123.arrow", folder / "4567.arrow"
    for path in (orphan, fresh):
        path.write_bytes(b"samples")
    os.utime(orphan, (0, 0))

    remove_abandoned(folder)

    assert not orphan.exists()
    assert fresh.exists()
    assert read_catalogue(folder)["recording_id"].to_pylist() == ["kept"]
