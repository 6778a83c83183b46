"""The local copy of one volume: a sparse file of its full size, and the journal of what is in it."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from toyadmos_datasets.archives.remote.byte_ranges import ByteRanges
from toyadmos_datasets.archives.remote.copy_journal import Journal
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.volume_list import VolumeList, md5_of
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.errors import VolumeError
from toyadmos_datasets.files.atomic import sync_folder, writing
from toyadmos_datasets.units import Bytes

JOURNAL_SUFFIX = ".have"
ASIDE_SUFFIX = ".wrong"
_KEEP_SIZE_AND_PUNCH = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, linux/falloc.h


class VolumeCopy:
    """Writes into the copy of one volume; safe to use from several threads of one process.

    Args:
        folder: Where the copies of one archive are.
        volume: Its name, size and checksum.
    """

    def __init__(self, folder: Path, volume: Volume) -> None:
        self.volume = volume
        self.path = folder / volume.name
        self.journal = Journal(folder / f"{volume.name}{JOURNAL_SUFFIX}")
        self._lock = threading.RLock()
        if self.journal.have.n_bytes and not self._has_its_size():
            self._begin_anew()

    @property
    def have(self) -> ByteRanges:
        """The bytes that are there."""
        return self.journal.have

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there, checked or not."""
        return self.journal.have.covers(0, self.volume.n_bytes)

    @contextlib.contextmanager
    def writer(self, start: Bytes) -> Iterator[CopyWriter]:
        """Open for writing bytes from `start` on; what was written is kept whatever ends the block."""
        with self._lock:
            self._ensure_file()
        with writing(self.path), self.path.open("r+b", buffering=0) as file, CopyWriter(self, file, start) as one:
            yield one

    def record(self, start: Bytes, stop: Bytes) -> None:
        """Take note of bytes that are written and synced."""
        with self._lock:
            self.journal.append("have", start, stop)

    def forget(self, start: Bytes, stop: Bytes) -> None:
        """Take note that bytes are not to be relied on, and give their room back."""
        with self._lock:
            self.journal.append("gone", start, stop)
            _punch_hole(self.path, start, stop)

    def settle(self) -> bool:
        """Check the MD5 of a copy that has become complete; set a wrong one aside.

        Returns:
            Whether it is right.
        """
        if self.journal.is_whole:
            return True
        if md5_of(self.path) == self.volume.md5:
            with self._lock:
                self.journal.append("whole", 0, self.volume.n_bytes)
            self.aside.unlink(missing_ok=True)
            return True
        with self._lock, writing(self.path):
            # The journal goes first: bytes without a journal are no bytes, the reverse would be a lie.
            self.journal.append("gone", 0, self.volume.n_bytes)
            self.path.replace(self.aside)
            sync_folder(self.path.parent)
        return False

    @property
    def aside(self) -> Path:
        """Where a copy of the right size with the wrong MD5 is put."""
        return self.path.with_name(self.path.name + ASIDE_SUFFIX)

    def _has_its_size(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.volume.n_bytes

    def _ensure_file(self) -> None:
        if self._has_its_size():
            return
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(self.volume.n_bytes)
                os.fsync(file.fileno())
            sync_folder(self.path.parent)

    def _begin_anew(self) -> None:
        self.journal.append("gone", 0, self.volume.n_bytes)
        self.path.unlink(missing_ok=True)


class CopyWriter:
    """Writes consecutive bytes, and says so in the journal at checkpoints.

    Args:
        copy: The copy.
        file: Its file, open and unbuffered.
        start: Where the first byte goes.
    """

    def __init__(self, copy: VolumeCopy, file: io.FileIO, start: Bytes) -> None:
        self._copy = copy
        self._file = file
        self._safe = start
        self._is_failing = False
        self.position = start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if not self._is_failing:
            self.checkpoint()

    @property
    def n_unsafe(self) -> Bytes:
        """Bytes that were written since the last checkpoint."""
        return self.position - self._safe

    def write(self, data: bytes) -> None:
        """Write on."""
        view = memoryview(data)
        with self._noticing_failure():
            self._file.seek(self.position)
            while view:
                n_written = self._file.write(view)
                self.position += n_written
                view = view[n_written:]

    def checkpoint(self) -> None:
        """Make what was written durable, then known."""
        if self.n_unsafe:
            with self._noticing_failure():
                os.fsync(self._file.fileno())
                self._copy.record(self._safe, self.position)
            self._safe = self.position

    def rewind(self, start: Bytes) -> None:
        """Drop what was written since `start`."""
        if self._safe > start:
            self._copy.forget(start, self._safe)
        self._safe = self.position = start

    @contextlib.contextmanager
    def _noticing_failure(self) -> Iterator[None]:
        """After one failed write or sync nothing since the last checkpoint is to be relied on."""
        try:
            yield
        except OSError:
            self._is_failing = True
            raise


def copies_folder(cache: Path, manifest: VolumeList) -> Path:
    """Return where the copies of an archive are kept: a folder for exactly these volumes."""
    return cache / "archives" / f"{manifest.toy}-{manifest.digest}"


def copied_volumes(folder: Path, manifest: VolumeList) -> VolumeSet:
    """Return the copies as volumes; which of their bytes are there is another question."""
    return VolumeSet(
        paths=tuple((folder / volume.name).absolute() for volume in manifest.volumes),
        sizes=tuple(volume.n_bytes for volume in manifest.volumes),
    )


def wrong_volume(copy: VolumeCopy, options: FetchOptions) -> VolumeError:
    """The error for a volume that came whole, twice, and is another one than was published."""
    return VolumeError(
        "A volume has the right size and the wrong md5, twice.",
        where=options.origin.url_of(copy.volume.name).partition("?")[0],
        expected=f"md5 {copy.volume.md5}",
        actual=f"another; the last one is kept as {copy.aside}",
        remedy="Try another --source, or --source record; delete the file that is kept when you have looked at it.",
    )


def _punch_hole(path: Path, start: Bytes, stop: Bytes) -> None:
    """Give the room of a range back to the file system, where it can take it (Linux; elsewhere at the volume's end)."""
    if not sys.platform.startswith("linux") or not path.exists():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("r+b") as file:
        # A file system without holes answers EOPNOTSUPP: then the room comes back with the whole file.
        libc.fallocate(
            ctypes.c_int(file.fileno()),
            ctypes.c_int(_KEEP_SIZE_AND_PUNCH),
            ctypes.c_longlong(start),
            ctypes.c_longlong(stop - start),
        )
