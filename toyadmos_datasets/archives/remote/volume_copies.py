"""The local copies of an archive's volumes: sparse files of full size, and journals of what is in them."""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import io
import itertools
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from toyadmos_datasets.archives.remote.block_ranges import ByteRanges, Span, WantedBlock
from toyadmos_datasets.archives.remote.copy_journal import CopyJournal, VerifiedStops, Word
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.volume_list import VolumeList, md5_of
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import VolumeError
from toyadmos_datasets.files.atomic import sync_folder, writing
from toyadmos_datasets.files.lock import folder_lock
from toyadmos_datasets.units import Bytes

JOURNAL_SUFFIX = ".have"
REJECTED_SUFFIX = ".wrong"
STOPS_FILE = "blocks.read"
_KEEP_SIZE_AND_PUNCH = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, linux/falloc.h


class VolumeCopies:
    """The copies of one archive's volumes, seen as one file: what of it is present, verified, suspect or still needed.

    It is made once for an archive and handed to whatever estimates, fetches, reads or checks it. Threads may share it.
    What other processes add is taken in by `refresh`. Sent to another process, it reads the journals there anew.

    Args:
        folder: Where the copies are.
        manifest: What the volumes must be.
    """

    def __init__(self, folder: Path, manifest: VolumeList) -> None:
        self.folder = folder
        self.manifest = manifest
        self.volumes = tuple(VolumeCopy(folder, volume) for volume in manifest.volumes)
        self.starts = tuple(itertools.accumulate((volume.n_bytes for volume in manifest.volumes), initial=0))
        self._stops = VerifiedStops(folder / STOPS_FILE)

    def __reduce__(self) -> tuple[type[VolumeCopies], tuple[Path, VolumeList]]:
        return VolumeCopies, (self.folder, self.manifest)

    @property
    def files(self) -> VolumeSet:
        """The copies as the volumes of an archive; which of their bytes are present is another question."""
        return VolumeSet(
            paths=tuple(copy.path.absolute() for copy in self.volumes),
            sizes=tuple(volume.n_bytes for volume in self.manifest.volumes),
        )

    def refresh(self) -> None:
        """Take in what other processes have added."""
        for copy in self.volumes:
            copy.journal.refresh()
        self._stops.refresh()

    def refresh_at(self, position: Bytes) -> None:
        """Take in what was added to the volume that holds a byte."""
        self.volumes[self.number_at(position)].journal.refresh()

    def discard_lost(self) -> None:
        """Begin copies anew whose files are gone; only while the folder is locked."""
        for copy in self.volumes:
            copy.discard_lost()

    def split(self, start: Bytes, stop: Bytes) -> Iterator[tuple[int, Bytes, Bytes]]:
        """Cut a range of the archive at the borders of volumes: number, and range in that volume."""
        number = self.number_at(start)
        while start < stop:
            base, end = self.starts[number], self.starts[number + 1]
            yield number, start - base, min(stop, end) - base
            start = min(stop, end)
            number += 1

    def number_at(self, position: Bytes) -> int:
        """Return the number of the volume that holds a byte."""
        return bisect.bisect_right(self.starts, position) - 1

    def span_of(self, number: int) -> Span:
        """Return the range of the archive that a volume holds."""
        return self.starts[number], self.starts[number + 1]

    def reach(self, position: Bytes) -> Bytes:
        """Return up to where bytes from `position` on are present, at most to the end of its volume."""
        number = self.number_at(position)
        base = self.starts[number]
        return base + self.volumes[number].present.reach(position - base)

    def gaps(self, start: Bytes, stop: Bytes) -> list[Span]:
        """Return the parts of a range that are missing."""
        found = []
        for number, a, b in self.split(start, stop):
            base = self.starts[number]
            found += [(base + one, base + other) for one, other in self.volumes[number].present.gaps(a, b)]
        return found

    def n_missing(self, start: Bytes, stop: Bytes) -> Bytes:
        """Count the bytes of a range that are missing."""
        return sum(b - a for a, b in self.gaps(start, stop))

    def n_present(self, start: Bytes, stop: Bytes) -> Bytes:
        """Count the bytes of a range that are present."""
        return stop - start - self.n_missing(start, stop)

    @property
    def n_bytes(self) -> Bytes:
        """Bytes that are present in all volumes."""
        return sum(copy.present.n_bytes for copy in self.volumes)

    @property
    def n_verified(self) -> int:
        """Volumes that are right as a whole."""
        return sum(copy.is_verified for copy in self.volumes)

    def are_verified(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether all volumes of a range are right as a whole."""
        return all(self.volumes[number].is_verified for number, _, _ in self.split(start, stop))

    def has_suspects(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether bytes of a range are to be fetched again because recordings in them were wrong."""
        return any(self.volumes[number].journal.suspect.meets(a, b) for number, a, b in self.split(start, stop))

    def mark(self, word: Word, start: Bytes, stop: Bytes) -> None:
        """Write down what was found out about a range; volumes that are right as a whole need no such words."""
        for number, a, b in self.split(start, stop):
            if not self.volumes[number].is_verified:
                self.volumes[number].journal.append(word, a, b)

    def mark_read(self, block: int, n_decoded: Bytes, stop: Bytes) -> None:
        """Write down that the first decoded bytes of a block were right, and where in the archive theirs end."""
        self._stops.record(block, n_decoded, stop)

    def release(self, start: Bytes, stop: Bytes) -> None:
        """Give back the room of a range."""
        for number, a, b in self.split(start, stop):
            if self.volumes[number].present.meets(a, b):
                self.volumes[number].forget(a, b)

    def wanted_blocks(self, table: ArchiveTable, wanted: Collection[str]) -> dict[int, WantedBlock]:
        """Return what is needed of each block that holds wanted recordings, by number.

        Args:
            table: What the archive holds.
            wanted: Paths of recordings.
        """
        names = frozenset(wanted)
        found = {}
        for block in table.blocks:
            stops = [offset + one.n_bytes for one, offset in table.members(block.number) if one.path in names]
            if stops and block.n_packed_bytes:
                stop = self._stops.stop_of(block.number, max(stops))
                is_inside = stop is not None and block.offset < stop <= block.stop  # else it is of another archive
                found[block.number] = WantedBlock(
                    block=block,
                    n_bytes=max(stops),
                    n_members=len(stops),
                    known_stop=stop if is_inside else None,
                )
        return found


class VolumeCopy:
    """The copy of one volume; threads may share it.

    Args:
        folder: Where the copies of one archive are.
        volume: Its name, size and checksum.

    Attributes:
        n_restarts: How often all of it was given up; what was on its way then is of another file.
    """

    def __init__(self, folder: Path, volume: Volume) -> None:
        self.volume = volume
        self.path = folder / volume.name
        self.journal = CopyJournal(folder / f"{volume.name}{JOURNAL_SUFFIX}")
        self.n_restarts = 0
        self._lock = threading.RLock()

    @property
    def present(self) -> ByteRanges:
        """The bytes that are there."""
        return self.journal.present

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there, checked or not."""
        return self.present.covers(0, self.volume.n_bytes)

    @property
    def is_verified(self) -> bool:
        """Whether the whole volume was right by its MD5."""
        return self.journal.is_verified

    @property
    def rejected_path(self) -> Path:
        """Where a copy of the right size with the wrong MD5 is put."""
        return self.path.with_name(self.path.name + REJECTED_SUFFIX)

    def discard_lost(self) -> None:
        """Begin anew where the journal tells of bytes and the file is gone or of another size."""
        if self.present.n_bytes and not self._has_its_size():
            self.journal.append("gone", 0, self.volume.n_bytes)
            self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def writer(self, start: Bytes) -> Iterator[CopyWriter]:
        """Open for writing bytes from `start` on; what was written is kept whatever ends the block."""
        with self._lock:
            self._ensure_file()
        with writing(self.path), self.path.open("r+b", buffering=0) as file, CopyWriter(self, file, start) as one:
            yield one

    def record(self, start: Bytes, stop: Bytes, *, n_restarts: int | None = None) -> None:
        """Take note of bytes that are written and synced, unless the copy was begun anew since it had `n_restarts`."""
        with self._lock:
            if n_restarts in {None, self.n_restarts}:
                self.journal.append("have", start, stop)

    def forget(self, start: Bytes, stop: Bytes) -> None:
        """Take note that bytes are not to be relied on, and give their room back."""
        with self._lock:
            self.journal.append("gone", start, stop)
            _punch_hole(self.path, start, stop)

    def restart(self) -> None:
        """Take note that the volume is another file now: neither what is there nor what is on its way is of it."""
        with self._lock:
            self.n_restarts += 1
            self.forget(0, self.volume.n_bytes)

    def verify(self) -> bool:
        """Check the MD5 of a copy that has become complete; set a wrong one aside.

        Returns:
            Whether it is right.
        """
        if self.is_verified:
            return True
        if md5_of(self.path) == self.volume.md5:
            with self._lock:
                self.journal.append("whole", 0, self.volume.n_bytes)
            self.rejected_path.unlink(missing_ok=True)
            return True
        with self._lock, writing(self.path):
            # The journal goes first: bytes without a journal are no bytes, the reverse would be a lie.
            self.n_restarts += 1
            self.journal.append("gone", 0, self.volume.n_bytes)
            self.path.replace(self.rejected_path)
            sync_folder(self.path.parent)
        return False

    def _has_its_size(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.volume.n_bytes

    def _ensure_file(self) -> None:
        if self._has_its_size():
            return
        self.discard_lost()
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(self.volume.n_bytes)
                os.fsync(file.fileno())
            sync_folder(self.path.parent)


class CopyWriter:
    """Writes consecutive bytes, and says so in the journal at checkpoints; another thread waits for the disk.

    Args:
        copy: The copy.
        file: Its file, open and unbuffered.
        start: Where the first byte goes.
    """

    def __init__(self, copy: VolumeCopy, file: io.FileIO, start: Bytes) -> None:
        self._copy = copy
        self._file = file
        self._checked = start  # what lies before it is at a checkpoint, which may still be waiting for the disk
        self._n_restarts = copy.n_restarts
        self._syncing: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.position = start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._wait_for_disk()  # its thread has the file, which is closed next
        if self._failure is None:
            self.checkpoint()
        elif error is None:
            raise self._failure

    @property
    def n_unchecked(self) -> Bytes:
        """Bytes that were written since the last checkpoint."""
        return self.position - self._checked

    @property
    def is_waiting(self) -> bool:
        """Whether the disk has not finished the last checkpoint."""
        return self._syncing is not None and self._syncing.is_alive()

    @property
    def is_outdated(self) -> bool:
        """Whether the copy was begun anew, so that what was written here is of another file."""
        return self._copy.n_restarts != self._n_restarts

    def write(self, data: bytes) -> None:
        """Write on."""
        view = memoryview(data)
        try:
            self._file.seek(self.position)
            while view:
                n_written = self._file.write(view)
                self.position += n_written
                view = view[n_written:]
        except OSError as error:
            self._failure = error
            raise

    def begin_checkpoint(self) -> None:
        """Have what was written made durable, then known, while more is written; the checkpoint before ends first."""
        self._require_disk()
        span, self._checked = (self._checked, self.position), self.position
        self._syncing = threading.Thread(target=self._sync, args=span, daemon=True)
        self._syncing.start()

    def checkpoint(self) -> None:
        """Make what was written durable, then known."""
        self._require_disk()
        if self.n_unchecked:
            self._sync(self._checked, self.position)
            self._checked = self.position
            self._require_disk()

    def rewind(self, start: Bytes) -> None:
        """Drop what was written since `start`."""
        self._require_disk()
        if self._checked > start:
            self._copy.forget(start, self._checked)
        self._checked = self.position = start
        self._n_restarts = self._copy.n_restarts

    def _sync(self, start: Bytes, stop: Bytes) -> None:
        try:
            os.fsync(self._file.fileno())
            self._copy.record(start, stop, n_restarts=self._n_restarts)
        except BaseException as error:  # noqa: BLE001  # a thread has nobody above it; the writer raises it
            self._failure = error

    def _wait_for_disk(self) -> None:
        if self._syncing is not None:
            self._syncing.join()
            self._syncing = None

    def _require_disk(self) -> None:
        """Wait for the disk; after one failed write or sync nothing since the last checkpoint is to be relied on."""
        self._wait_for_disk()
        if self._failure is not None:
            raise self._failure


@contextlib.contextmanager
def fetch_lock(folder: Path, copies: VolumeCopies, progress: Progress, *, wait: bool) -> Iterator[None]:
    """Hold a folder for fetching into it while the block runs, after its present holder.

    Args:
        folder: Where the archive's copies are, or its licence.
        copies: Of the archive.
        progress: Told for whom, and how much of the archive is there meanwhile.
        wait: Whether to wait for another process.

    Raises:
        BusyError: Another process is fetching there, and that is not waited for.
        OutputError: The folder cannot be made or written.
    """
    with contextlib.ExitStack() as waiting:
        on_wait = _WaitingProgress(copies, progress, waiting) if wait else None
        with folder_lock(folder, on_wait=on_wait):
            waiting.close()
            yield


class _WaitingProgress:
    """Says once for whom, and shows what is there of the archive."""

    def __init__(self, copies: VolumeCopies, progress: Progress, stages: contextlib.ExitStack) -> None:
        self._copies = copies
        self._progress = progress
        self._stages = stages
        self._show: Callable[[int], None] | None = None

    def __call__(self, holder: str) -> None:
        manifest = self._copies.manifest
        if self._show is None:
            self._progress.say(f"The archive of {manifest.toy} is {holder}: waiting until it is done (or --no-wait).")
            stage = self._progress.stage(f"Waiting, {manifest.toy} is {holder}", manifest.n_bytes, "bytes")
            self._show = self._stages.enter_context(stage)
        self._copies.refresh()
        self._show(self._copies.n_bytes)


def copies_folder(cache: Path, manifest: VolumeList) -> Path:
    """Return where the copies of an archive are kept: a folder for exactly these volumes."""
    return cache / "archives" / f"{manifest.toy}-{manifest.digest}"


def wrong_volume(copy: VolumeCopy, options: FetchOptions) -> VolumeError:
    """The error for a volume that came whole, twice, and is another one than was published."""
    return VolumeError(
        "A volume has the right size and the wrong md5, twice.",
        where=options.origin.url_of(copy.volume.name).partition("?")[0],
        expected=f"md5 {copy.volume.md5}",
        actual=f"another; the last one is kept as {copy.rejected_path}",
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
