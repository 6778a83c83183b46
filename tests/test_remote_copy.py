"""Copies of volumes and their journals: what survives a crash, and what is never believed."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.archives.remote import copy_journal
from toyadmos_datasets.archives.remote.block_ranges import ByteRanges
from toyadmos_datasets.archives.remote.copy_journal import CopyJournal, VerifiedStops, append_line
from toyadmos_datasets.archives.remote.volume_cache import folder_bytes
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies, VolumeCopy
from toyadmos_datasets.archives.remote.volume_list import (
    VolumeList,
    published_manifest,
    read_manifest,
    write_manifest,
)
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.errors import DiskFullError, OptionError, SourceNotFoundError

CONTENT = np.random.default_rng(2).bytes(300_000)
VOLUME = Volume(
    name="ToyTrain.7z.001", n_bytes=len(CONTENT), md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
)
SECOND = Volume(name="ToyTrain.7z.002", n_bytes=1000, md5="0" * 32)
ENTRIES = st.lists(
    st.tuples(st.sampled_from(["have", "gone", "good", "bad"]), st.integers(0, 50), st.integers(0, 50)), max_size=12
)


def written(folder, start, stop):
    copy = VolumeCopy(folder, VOLUME)
    with copy.writer(start) as writer:
        writer.write(CONTENT[start:stop])
    return copy


@given(entries=ENTRIES, cut=st.integers(0, 400))
def test_a_journal_that_was_cut_anywhere_says_what_its_whole_lines_say(tmp_path_factory, entries, cut):
    path = tmp_path_factory.mktemp("journal") / "have"
    journal = CopyJournal(path)
    states = [(ByteRanges(), 0)]
    for word, start, stop in entries:
        journal.append(word, start, stop)
        states.append((ByteRanges(journal.present), path.stat().st_size))
    content = path.read_bytes() if entries else b""
    path.write_bytes(content[:cut])

    have = CopyJournal(path).present

    # A line's own line break may be what was cut off: then the line still counts as not written.
    assert have == next(state for state, size in reversed(states) if size <= cut)


@given(entries=ENTRIES, at=st.integers(0, 300), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_journal_never_makes_up_bytes(tmp_path_factory, entries, at, bit):
    path = tmp_path_factory.mktemp("journal") / "have"
    journal = CopyJournal(path)
    said = set()
    for word, start, stop in entries:
        journal.append(word, start, stop)
        said |= set(range(start, stop)) if word == "have" else set()
    if path.exists() and at < path.stat().st_size:
        content = bytearray(path.read_bytes())
        content[at] ^= 1 << bit
        path.write_bytes(content)

    assert {byte for start, stop in CopyJournal(path).present for byte in range(start, stop)} <= said


@pytest.mark.parametrize(
    "text",
    [
        "have -5 10",
        "have 0 1e3",
        "have 0 10.0",
        "have 0 True",
        f"have 0 {10**30}",
        "have 0 " + "9" * 5_000,
        "have 0",
        "have 0 10 20",
        "have  10",
        "have 00 10",
        "have 0 \u0661\u0662",
        "took 0 10",
        "",
        "have\t0\t10",
    ],
)
def test_a_journals_line_that_says_no_bytes_counts_as_not_said(tmp_path, text):
    path = tmp_path / "have"
    CopyJournal(path).append("have", 20, 30)
    append_line(path, text)
    CopyJournal(path).append("have", 40, 50)

    assert list(CopyJournal(path).present) == [(20, 30), (40, 50)]


@pytest.mark.parametrize("text", ["1 2", "1 2 3 4", "-1 2 3", "1 2 3.5", f"1 {10**30} 3", "1 2 x", "\u0661 2 3", ""])
def test_a_line_of_ends_that_says_no_bytes_counts_as_not_said(tmp_path, text):
    path = tmp_path / "blocks.read"
    append_line(path, text)
    VerifiedStops(path).record(7, 100, 200)

    assert VerifiedStops(path)._stops == {(7, 100): 200}


def test_a_journal_of_endless_lines_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(copy_journal, "MAX_READ_BYTES", 4_096)
    path = tmp_path / "have"
    path.write_bytes(b"x" * 10_000)
    journal = CopyJournal(path)

    for _ in range(3):
        journal.refresh()
    journal.append("have", 20, 30)

    assert list(journal.present) == [(20, 30)]
    assert len(journal._rest) <= 128


def test_a_line_after_a_torn_one_counts(tmp_path):
    path = tmp_path / "have"
    CopyJournal(path).append("have", 0, 10)
    with path.open("ab") as file:
        file.write(b"\nhave 20 3")

    CopyJournal(path).append("have", 40, 50)

    assert list(CopyJournal(path).present) == [(0, 10), (40, 50)]


def test_another_process_sees_what_is_added(tmp_path):
    path = tmp_path / "have"
    reader, writer = CopyJournal(path), CopyJournal(path)

    writer.append("have", 0, 10)
    reader.refresh()

    assert list(reader.present) == [(0, 10)]


def test_a_copy_is_sparse_and_of_full_size(tmp_path):
    copy = written(tmp_path, 100_000, 101_000)

    assert copy.path.stat().st_size == len(CONTENT)
    assert copy.path.stat().st_blocks * 512 < len(CONTENT) / 2
    assert copy.path.read_bytes()[100_000:101_000] == CONTENT[100_000:101_000]


def test_what_was_written_before_an_error_is_kept(tmp_path):
    copy = VolumeCopy(tmp_path, VOLUME)

    def breaks_off():
        with copy.writer(0) as writer:
            writer.write(CONTENT[:5000])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks_off()

    assert list(VolumeCopy(tmp_path, VOLUME).present) == [(0, 5000)]


@pytest.mark.parametrize("how", ["checkpoint", "begin_checkpoint"])
def test_bytes_whose_sync_failed_are_not_believed(tmp_path, monkeypatch, how):
    copy = VolumeCopy(tmp_path, VOLUME)
    real = os.fsync

    def failing(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == VOLUME.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    def write():
        with copy.writer(0) as writer:
            writer.write(CONTENT[:5000])
            monkeypatch.setattr(os, "fsync", failing)
            getattr(writer, how)()

    with refused(DiskFullError):
        write()

    assert not list(VolumeCopy(tmp_path, VOLUME).present)


def test_bytes_are_known_only_when_the_disk_has_them_although_more_are_written_meanwhile(tmp_path, monkeypatch):
    copy, real, go_on = VolumeCopy(tmp_path, VOLUME), os.fsync, threading.Event()

    def slow(descriptor):
        assert go_on.wait(60)
        real(descriptor)

    with copy.writer(0) as writer:
        writer.write(CONTENT[:5000])
        monkeypatch.setattr(os, "fsync", slow)
        writer.begin_checkpoint()
        writer.write(CONTENT[5000:9000])

        assert not list(VolumeCopy(tmp_path, VOLUME).present)
        go_on.set()
        writer.begin_checkpoint()
        assert VolumeCopy(tmp_path, VOLUME).present.covers(0, 5000)

    assert list(VolumeCopy(tmp_path, VOLUME).present) == [(0, 9000)]
    assert copy.path.read_bytes()[:9000] == CONTENT[:9000]


def test_bytes_of_a_file_that_is_another_one_now_are_not_believed_when_the_disk_has_them(tmp_path):
    copy = VolumeCopy(tmp_path, VOLUME)
    with copy.writer(0) as writer:
        writer.write(bytes(5000))
        copy.restart()

    assert not list(VolumeCopy(tmp_path, VOLUME).present)


def test_a_complete_copy_is_right_by_md5(tmp_path):
    copy = written(tmp_path, 0, len(CONTENT))

    assert copy.is_complete
    assert copy.verify()
    assert VolumeCopy(tmp_path, VOLUME).is_verified


def test_a_complete_copy_with_another_md5_is_set_aside(tmp_path):
    copy = VolumeCopy(tmp_path, VOLUME)
    with copy.writer(0) as writer:
        writer.write(CONTENT[:-1] + b"?")

    assert not copy.verify()
    assert copy.rejected_path.read_bytes()[:-1] == CONTENT[:-1]
    assert not list(VolumeCopy(tmp_path, VOLUME).present)


def test_a_copy_that_lost_its_file_begins_anew(tmp_path):
    copy = written(tmp_path, 0, 5000)
    copy.path.unlink()

    copy.discard_lost()

    assert not list(VolumeCopy(tmp_path, VOLUME).present)


def test_what_is_forgotten_gives_its_room_back(tmp_path):
    copy = written(tmp_path, 0, len(CONTENT))

    copy.forget(0, 4096 * 60)

    assert list(copy.present) == [(4096 * 60, len(CONTENT))]
    assert copy.path.stat().st_blocks * 512 < len(CONTENT) / 2
    assert copy.path.read_bytes()[4096 * 60 :] == CONTENT[4096 * 60 :]


def test_the_room_of_a_folder_is_what_its_files_take_without_their_holes(tmp_path):
    copy = written(tmp_path, 0, len(CONTENT))
    full = folder_bytes(tmp_path)

    copy.forget(0, len(CONTENT))

    assert full >= len(CONTENT)
    assert folder_bytes(tmp_path) < len(CONTENT) / 10


def archive_of(folder):
    return VolumeCopies(folder, VolumeList(toy="ToyTrain", volumes=(VOLUME, SECOND)))


def test_the_copies_of_an_archive_are_seen_as_one_file(tmp_path):
    copies = archive_of(tmp_path)
    copies.volumes[0].record(len(CONTENT) - 100, len(CONTENT))
    copies.volumes[1].record(0, 50)

    assert copies.gaps(len(CONTENT) - 200, len(CONTENT) + 100) == [
        (len(CONTENT) - 200, len(CONTENT) - 100),
        (len(CONTENT) + 50, len(CONTENT) + 100),
    ]
    assert (copies.n_bytes, copies.n_present(len(CONTENT) - 10, len(CONTENT) + 10)) == (150, 20)


def test_the_copies_of_an_archive_take_in_what_another_process_adds(tmp_path):
    copies, worker = archive_of(tmp_path), pickle.loads(pickle.dumps(archive_of(tmp_path)))
    worker.volumes[1].record(0, 50)
    worker.mark("bad", len(CONTENT) + 10, len(CONTENT) + 20)
    assert copies.n_bytes == 0

    copies.refresh()

    assert copies.n_bytes == 40
    assert copies.has_suspects(len(CONTENT), len(CONTENT) + 50)


def test_a_table_of_volumes_survives_the_disk(tmp_path):
    manifest = published_manifest("ToyConveyor")
    write_manifest(tmp_path / "m.csv", [*manifest.volumes, *published_manifest("ToyCar").volumes])

    assert read_manifest(tmp_path / "m.csv", "ToyConveyor").volumes == manifest.volumes


@pytest.mark.parametrize(
    "line", ["../x,1,{md5}", "a/b,1,{md5}", "a,-1,{md5}", "a,1,xyz", "a,1", ",1,{md5}", "a\\b,1,{md5}", "a,1e3,{md5}"]
)
def test_a_table_with_a_line_that_makes_no_sense_is_refused(tmp_path, line):
    (tmp_path / "m.csv").write_text("name,bytes,md5\n" + line.format(md5="0" * 32) + "\n")

    with refused(OptionError) as caught:
        read_manifest(tmp_path / "m.csv", "ToyTrain")

    assert "--write-manifest" in caught.value.remedy


def test_a_table_with_a_gap_is_refused(tmp_path):
    first, _, third, *_ = published_manifest("ToyTrain").volumes
    write_manifest(tmp_path / "m.csv", [first, third])

    with refused(SourceNotFoundError):
        read_manifest(tmp_path / "m.csv", "ToyTrain")
