"""The cache of volumes: its size, its verification and its removal."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archives.remote.remote_source import RemoteSource
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy
from toyadmos_datasets.archives.remote.volume_list import md5_of
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import CorruptMemberError, SourceError
from toyadmos_datasets.files.lock import folder_lock
from toyadmos_datasets.units import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyVerdict:
    """What checking the copy of one volume showed.

    Attributes:
        name: ``ToyTrain.7z.001``.
        n_bytes: Its full size.
        n_present: Bytes that are there.
        state: ``whole`` (right by MD5), ``part``, ``none`` or ``wrong``.
    """

    name: str
    n_bytes: Bytes
    n_present: Bytes
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiesVerdict:
    """What checking the copies of one archive showed.

    Attributes:
        toy: Whose.
        folder: Where they are.
        copies: By volume.
        n_recordings: Recordings that were decoded from parts, all with the right CRC32.
        wrong: Recordings with another one; their blocks are fetched again when they are wanted.
    """

    toy: str
    folder: str
    copies: tuple[CopyVerdict, ...]
    n_recordings: int
    wrong: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing that is there is wrong."""
        return not self.wrong and all(copy.state != "wrong" for copy in self.copies)


def check_copies(source: RemoteSource, progress: Progress) -> CopiesVerdict:
    """Read what is there of an archive once through: whole volumes by MD5, parts by the recordings in them.

    What is wrong is no longer relied on, so the next fetch mends it.

    Raises:
        BusyError: Another process is fetching the archive.
    """
    options = source.options
    with folder_lock(options.folder):
        source.copies.refresh()
        source.copies.discard_lost()
        copies = source.copies.volumes
        whole = sum(copy.volume.n_bytes for copy in copies if copy.is_complete)
        with progress.stage(f"Checking {source.toy}", whole, "bytes") as on_progress:
            verdicts, done = [], 0
            for copy in copies:
                verdicts.append(_check(copy))
                done += copy.volume.n_bytes if copy.is_complete else 0
                on_progress(done)
        right, wrong = _check_parts(source)
    return CopiesVerdict(
        toy=source.toy, folder=str(options.folder), copies=tuple(verdicts), n_recordings=right, wrong=tuple(wrong)
    )


def folder_bytes(folder: Path) -> Bytes:
    """Return the room that a folder takes on the disk, holes not counted."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            facts = path.lstat()
            total += facts.st_blocks * 512 if hasattr(facts, "st_blocks") else facts.st_size
    return total


def remove_copies(folder: Path) -> None:
    """Delete the copies of an archive, unless they are in use.

    Raises:
        BusyError: Another process is fetching there.
    """
    with folder_lock(folder):
        for path in folder.iterdir():
            if not path.name.startswith(".toyadmos"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _check(copy: VolumeCopy) -> CopyVerdict:
    state = "part" if copy.present.n_bytes else "none"
    if copy.is_complete:
        if copy.is_verified and md5_of(copy.path) != copy.volume.md5:
            copy.journal.append("gone", 0, copy.volume.n_bytes)  # it was right and has changed on the disk
            state = "wrong"
        else:
            state = "whole" if copy.verify() else "wrong"
    return CopyVerdict(name=copy.volume.name, n_bytes=copy.volume.n_bytes, n_present=copy.present.n_bytes, state=state)


def _check_parts(source: RemoteSource) -> tuple[int, list[str]]:
    """Decode what is there of blocks that do not lie in whole volumes; where bytes end, so does the reading."""
    right, wrong = 0, []
    for block in source.table.blocks:
        if not block.n_packed_bytes or source.copies.are_verified(block.offset, block.stop):
            continue
        names = [member.path for member, _ in source.table.members(block.number)]
        path = names[0] if names else ""
        try:
            for member, chunks in source.read(block.number, names):
                path = member.path
                for _ in chunks:
                    pass
                right += 1
        except CorruptMemberError:
            wrong.append(path)
        except SourceError:
            continue
    return right, wrong
