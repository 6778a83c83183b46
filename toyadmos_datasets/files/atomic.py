"""Files that appear under their final name whole, synced, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toyadmos_datasets.errors import DiskFullError, OutputError, ToyAdmosError
from toyadmos_datasets.files.leftovers import temporary_path
from toyadmos_datasets.units import format_bytes

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def write_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under `path` only when the block ends without an error.

    The bytes go to a name of their own beside `path`, are synced, renamed, and the folder is synced.

    Raises:
        DiskFullError: No room; what `path` held before is still there.
        OutputError: Any other failure to write, sync, close or rename.
    """
    temporary = temporary_path(path.parent)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into one that names `path` and says what to do."""
    try:
        yield
    except ToyAdmosError:  # some are OSErrors too, and say already what went wrong
        raise
    except OSError as error:
        raise _explain(error, path) from error


def _explain(error: OSError, path: Path) -> OutputError:
    if error.errno in _NO_ROOM:
        return DiskFullError(
            "The disk is full; nothing that was complete before is lost.",
            where=path,
            actual=f"{format_bytes(free_bytes(path))} free",
            remedy="Make room, then run the same command again: it goes on where it stopped.",
        )
    return OutputError(
        "A file could not be written.",
        where=path,
        actual=f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no errno')})",
        remedy="Check that the folder is writable and its disk healthy, then run the same command again.",
    )


@contextlib.contextmanager
def needing_room(n_bytes: int) -> Iterator[None]:
    """Let a disk that fills up inside the block be reported with what the whole of the work needs, at most.

    Raises:
        DiskFullError: With the bytes needed and free.
    """
    try:
        yield
    except DiskFullError as error:
        if error.expected is not None:
            raise
        raise DiskFullError(
            error.what,
            where=error.where,
            expected=f"room for up to {format_bytes(n_bytes)}",
            actual=error.actual,
            remedy=error.remedy,
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with write_file(path) as file:
        file.write(text.encode())


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    if os.name == "nt":  # Windows has no folder handles to sync
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Bytes free on the disk that holds `path` or, if it does not exist yet, its nearest parent."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def require_room(path: Path, n_bytes: int, *, purpose: str) -> None:
    """Raise before work starts if the disk cannot hold what it will make.

    Raises:
        DiskFullError: With the bytes needed and free.
    """
    free = free_bytes(path)
    if free < n_bytes:
        raise DiskFullError(
            f"There is not enough room for {purpose}.",
            where=path,
            expected=f"{format_bytes(n_bytes)} free",
            actual=f"{format_bytes(free)} free",
            remedy="Make room, or choose another disk with --out or --cache.",
        )
