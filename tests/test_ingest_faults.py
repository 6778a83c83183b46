"""Ingesting what is damaged, killed, or has no room: what it costs, and what the store has afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import tiny
from ingesting import CORPUS, N_RECORDINGS, RATE_HZ, Counting, contents, index_of, segments, tree, volumes
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.engine import Watch
from toyadmos_datasets.errors import CorruptMemberError, DiskFullError, TruncatedWavError, WavError, WorkerError
from toyadmos_datasets.ingest.recordings import (
    Ingest,
    bytes_to_store,
    ingest,
    ingest_blocks,
    missing_recordings,
    store_for,
)
from toyadmos_datasets.values.source import Source

INGEST_AND_DIE = """
import os, signal, sys
from pathlib import Path
from toyadmos_datasets.ingest import recordings
from toyadmos_datasets.archives import open_source
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.values.recording_store import SegmentWriter

place, cache, n_before_the_end, how = sys.argv[1:]
left = int(n_before_the_end)
add = SegmentWriter.add

def add_or_die(self, *args, **row):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL) if how == "SIGKILL" else os._exit(9)
    add(self, *args, **row)

SegmentWriter.add = add_or_die
SegmentWriter.is_full = property(lambda self: len(self._rows) == 2)
source = open_source(place, "ToyTrain")
recordings.ingest(source, build_index(source.members()), recordings.store_for(Path(cache), source, 16_000))
"""


@pytest.fixture(params=[tree, volumes], ids=["tree", "volumes"])
def make(request):
    return request.param


def test_a_bad_recording_is_an_error_that_names_it_and_the_good_ones_before_it_are_kept(tmp_path, make):
    files = CORPUS.files()
    bad = tiny.only(files, "normal_IND_ch2_0002")
    source = make(tmp_path, files | {bad: files[bad][:-100]})
    store = store_for(tmp_path, source, RATE_HZ)

    with refused(TruncatedWavError, bad):
        ingest(source, index_of(source), store)

    assert 0 < len(contents(store)) < N_RECORDINGS


def test_a_recording_of_which_resampling_leaves_nothing_is_an_error_that_names_it(tmp_path, make):
    files = CORPUS.files()
    short = tiny.only(files, "normal_IND_ch2_0002")
    source = make(tmp_path, files | {short: tiny.wav_bytes(np.array([1000], np.int16))})

    with refused(WavError) as caught:
        ingest(source, index_of(source), store_for(tmp_path, source, RATE_HZ))

    assert caught.value.where == short
    assert "--skip-bad" in caught.value.remedy


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_recording_can_be_skipped_and_is_listed(tmp_path, make, workers):
    files = CORPUS.files()
    bad = tiny.only(files, "normal_IND_ch2_0002")
    source = make(tmp_path, files | {bad: files[bad][:-100]})
    store = store_for(tmp_path, source, RATE_HZ)

    report = ingest(source, index_of(source), store, skip_bad=True, workers=workers)

    assert (report.n_ingested, report.n_reused) == (N_RECORDINGS - 1, 0)
    assert [(one.member, one.recording_id) for one in report.bad] == [(bad, Path(bad).stem)]
    assert bad in report.bad[0].reason
    assert contents(store).keys() == {Path(member).stem for member in files} - {Path(bad).stem}


@pytest.mark.parametrize("place", [1, 20, 20_000], ids=["its tag", "its format", "its samples"])
def test_a_flipped_bit_in_an_archive_costs_one_recording_whatever_it_hits(tmp_path, place):
    files = CORPUS.files()
    bad = tiny.only(files, "normal_IND_ch2_0002")
    source = _stored_with_a_flipped_bit(tmp_path, files, bad, place)
    store = store_for(tmp_path, source, RATE_HZ)

    with refused(CorruptMemberError, bad, "CRC32"):
        ingest(source, index_of(source), store)
    report = ingest(source, index_of(source), store, skip_bad=True)

    assert [one.member for one in report.bad] == [bad]
    assert "CRC32" in report.bad[0].reason
    expected = {name.recording_id for name in CORPUS.names() if name.member != bad}
    assert contents(store).keys() == expected


def test_an_odd_header_enters_the_store_only_once_the_checksum_has_proved_it(tmp_path):
    files = CORPUS.files()
    bad = tiny.only(files, "normal_IND_ch2_0002")
    files[bad] = files[bad][:4] + bytes(4) + files[bad][8:40] + bytes(4) + files[bad][44:] + b"\7"
    source = _stored_with_a_flipped_bit(tmp_path, files, bad, len(files[bad]) - 1)  # the last byte of all
    store = store_for(tmp_path, source, RATE_HZ)

    report = ingest(source, index_of(source), store, skip_bad=True)

    assert [one.member for one in report.bad] == [bad]
    assert "CRC32" in report.bad[0].reason
    assert Path(bad).stem not in contents(store)


def test_a_recording_that_was_cut_off_stays_an_error_however_odd_its_header_is(tmp_path, make):
    files = CORPUS.files()
    bad = tiny.only(files, "normal_IND_ch2_0002")
    source = make(tmp_path, files | {bad: files[bad][:4] + bytes(4) + files[bad][8:-100]})
    store = store_for(tmp_path, source, RATE_HZ)

    with refused(TruncatedWavError) as caught:
        ingest(source, index_of(source), store)

    assert caught.value.where == bad


def test_where_a_block_cannot_be_decoded_any_further_the_rest_of_it_is_listed_and_other_blocks_survive(tmp_path):
    files = CORPUS.files()
    source = volumes(tmp_path, files, n_blocks=2)
    in_first = [member.path for member in source.members() if member.block == 0]
    _garble(tmp_path / "volumes", share=0.6)
    store = store_for(tmp_path, source, RATE_HZ)

    report = ingest(source, index_of(source), store, skip_bad=True)

    bad = [one.member for one in report.bad]
    n_good = len(in_first) - len(bad)
    assert 0 < n_good < len(in_first)
    assert sorted(bad) == sorted(in_first[n_good:])
    assert contents(store).keys() == {Path(member).stem for member in files if member not in bad}


@pytest.mark.parametrize("fault", ["truncated", "removed"])
def test_what_the_store_has_lost_is_ingested_again(tmp_path, make, fault):
    source = make(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, RATE_HZ)
    ingest(source, index_of(source), store)
    before = contents(store)
    path = segments(store)[0]
    content = path.read_bytes()
    path.unlink()
    if fault == "truncated":
        path.write_bytes(content[: len(content) // 2])

    report = ingest(source, index_of(source), store)

    assert report.n_ingested > 0
    assert contents(store) == before


@pytest.mark.parametrize(
    ("n_before_the_end", "how"), [(0, "os._exit"), (1, "SIGKILL"), (4, "SIGKILL"), (5, "os._exit")]
)
def test_a_kill_amid_a_block_costs_only_what_was_not_complete(tmp_path, n_before_the_end, how):
    source = Counting(source=volumes(tmp_path, CORPUS.files(), n_blocks=1))
    store = store_for(tmp_path / "cache", source, RATE_HZ)
    whole = store_for(tmp_path / "whole", source, RATE_HZ)
    ingest(source, index_of(source), whole)
    source.members_read.clear()

    _die(tmp_path / "volumes", tmp_path / "cache", n_before_the_end, how)

    kept = contents(store)
    assert len(kept) == n_before_the_end // 2 * 2  # the segments of two that were full
    assert all(contents(whole)[key] == kept[key] for key in kept)
    report = ingest(source, index_of(source), store)
    assert (report.n_reused, report.n_ingested) == (len(kept), N_RECORDINGS - len(kept))
    assert len(source.members_read) == N_RECORDINGS - len(kept)
    assert contents(store) == contents(whole)
    assert not list(store.folder.glob(".*.tmp"))


def test_a_killed_worker_is_named_with_its_recording_and_the_next_run_gives_the_same(tmp_path, monkeypatch):
    files = CORPUS.files()
    source = tree(tmp_path, files)
    whole = store_for(tmp_path / "whole", source, RATE_HZ)
    ingest(source, index_of(source), whole)
    killer = _Killing(source=source, member=tiny.only(files, "normal_IND_ch1_0003"), mark=tmp_path / "killed")
    store = store_for(tmp_path / "cache", source, RATE_HZ)

    with pytest.raises(WorkerError) as caught:  # what the other worker was reading is named, too
        ingest(killer, index_of(source), store, workers=2)

    assert caught.value.code == "worker"
    assert "normal_IND_ch1_0003" in caught.value.where
    ingest(killer, index_of(source), store, workers=2)
    assert contents(store) == contents(whole)


def test_no_room_is_found_out_before_anything_is_read(tmp_path, monkeypatch):
    source = Counting(source=tree(tmp_path, CORPUS.files()))
    store = store_for(tmp_path, source, RATE_HZ)
    monkeypatch.setattr("toyadmos_datasets.files.atomic.free_bytes", lambda _path: 1000)

    with refused(DiskFullError):
        ingest(source, index_of(source), store)

    assert source.members_read == []


def test_the_room_that_is_asked_for_is_that_of_the_samples(tmp_path):
    source = tree(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, RATE_HZ)
    ingest(source, index_of(source), store)

    n_bytes = sum(len(samples) * 2 for samples, _ in contents(store).values())

    assert bytes_to_store(index_of(source), store) == pytest.approx(n_bytes, rel=0.01)
    assert bytes_to_store(missing_recordings(index_of(source), store), store) == 0


def test_what_a_dead_process_left_behind_is_removed(tmp_path):
    source = tree(tmp_path, CORPUS.files())
    store = store_for(tmp_path / "cache", source, RATE_HZ)
    _die(tmp_path / "tree", tmp_path / "cache", 1, "SIGKILL")
    assert list(store.folder.glob(".*.tmp"))

    ingest(source, index_of(source), store)

    assert not list(store.folder.glob(".*.tmp"))


def test_an_unforeseen_error_discards_what_is_unfinished(tmp_path, monkeypatch):
    source = tree(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, RATE_HZ)
    monkeypatch.setattr("toyadmos_datasets.ingest.recordings.measure", lambda *_args: 1 / 0)
    task = Ingest(
        source=source,
        blocks=(0,),
        wanted=((CORPUS.members()[0], "a"),),
        folder=store.folder,
        rate_hz=RATE_HZ,
        skip_bad=True,
    )

    with pytest.raises(ZeroDivisionError):
        ingest_blocks(task, Watch())

    assert list(store.folder.iterdir()) == []


@dataclass(frozen=True, kw_only=True)
class _Killing:
    """A source at one member of which the process is killed, once."""

    source: Source
    member: str
    mark: Path

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # pickle looks for some before there is a source
            raise AttributeError(name)
        return getattr(self.source, name)

    def read(self, block: int, wanted: Collection[str], on_bytes=None, restart=None) -> Iterator:
        for member, chunks in self.source.read(block, wanted, on_bytes, restart):
            yield member, (self._dying() if member.path == self.member and not self.mark.exists() else chunks)

    def _dying(self) -> Iterator[bytes]:
        self.mark.touch()
        yield b"RIFF"
        psutil.Process(os.getpid()).send_signal(signal.SIGKILL)


def _die(place: Path, cache: Path, n_before_the_end: int, how: str) -> None:
    died = subprocess.run(
        [sys.executable, "-c", INGEST_AND_DIE, str(place), str(cache), str(n_before_the_end), how], check=False
    )
    assert died.returncode == (-signal.SIGKILL if how == "SIGKILL" else 9)


def _stored_with_a_flipped_bit(folder: Path, files: dict[str, bytes], member: str, place: int) -> Source:
    """An archive of stored, not packed, recordings, with one bit flipped in one of them."""
    tiny.write_volumes(files, folder, n_blocks=1, n_volumes=1, filters=tiny.STORED)
    (archive,) = folder.glob("*.7z.001")
    content = bytearray(archive.read_bytes())
    content[content.index(files[member]) + place] ^= 1
    archive.write_bytes(content)
    return open_source(folder, "ToyTrain")


def _garble(folder: Path, share: float) -> None:
    """Overwrite some packed bytes, so that decoding breaks off."""
    first = min(folder.iterdir())
    content = bytearray(first.read_bytes())
    start = int(len(content) * share)
    content[start : start + 64] = b"\xff" * 64
    first.write_bytes(content)
