"""Files that appear complete and synced or not at all, and the removal of leftovers of dead processes."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toyadmos_datasets.errors import DiskFullError, OutputError, ToyAdmosError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.units import Bytes, Seconds, format_bytes

STALE_AFTER_S: Seconds = 24 * 3600
"""Where the owner cannot be asked (another host, Windows), a file untouched for a day is a leftover."""

_NAME = re.compile(r"^(?:toyadmos-[a-z]+)?\.(?P<host>.+)\.(?P<pid>\d+)\.[0-9a-f]{12}\.[a-z]+$")


def temporary_path(folder: Path) -> Path:
    """Return a name in `folder` that no other writer uses and that names this process."""
    return folder / f".{_host()}.{os.getpid()}.{uuid.uuid4().hex[:12]}.tmp"


def remove_leftovers(folder: Path, pattern: str = ".*.tmp") -> list[Path]:
    """Remove the files and folders that `temporary_path` named for processes that are gone; return them."""
    removed = []
    for path in folder.glob(pattern):
        if is_abandoned(path):
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed.append(path)
    return removed


@functools.lru_cache(maxsize=10_000)
def remove_leftovers_once(folder: Path) -> None:
    """Do so where this process is about to write for the first time."""
    remove_leftovers(folder)


def make_temporary_folder(purpose: str) -> Path:
    """Make a folder for this process alone where the system has its temporary files, and remove those of dead ones.

    Args:
        purpose: A word for its name.
    """
    place = Path(tempfile.gettempdir())
    remove_leftovers(place, f"toyadmos-{purpose}.*.tmp")
    folder = place / f"toyadmos-{purpose}{temporary_path(place).name}"
    folder.mkdir(mode=0o700)
    return folder


@contextlib.contextmanager
def temporary_folder(purpose: str, place: Path | None = None) -> Iterator[Path]:
    """Give such a folder while the block runs.

    Args:
        purpose: A word for its name.
        place: Where it is made, hidden; None for the system's place.
    """
    folder = make_temporary_folder(purpose) if place is None else temporary_path(place)
    if place is not None:
        with writing(folder):
            folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_stale(path: Path) -> bool:
    """Whether a file has not been touched for `STALE_AFTER_S`; a file that is gone is not stale."""
    try:
        return time.time() - path.stat().st_mtime > STALE_AFTER_S
    except OSError:
        return False


def is_abandoned(path: Path) -> bool:
    """Whether the process that `temporary_path` named a file for is gone; False for any other name."""
    match = _NAME.match(path.name)
    if match is None:
        return False
    if match["host"] == _host() and os.name == "posix":
        return not _is_alive(int(match["pid"]))
    return is_stale(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node()) or "host"


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
            remove_leftovers_once(path.parent)
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


class HashedFile:
    """A file that is written from its beginning to its end, hashed and counted meanwhile: it need not be read again.

    Args:
        file: Takes the bytes; the caller opens and closes it.

    Attributes:
        n_bytes: Bytes that were written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.n_bytes: Bytes = 0

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file.closed

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of what was written, lower case."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Write on."""
        self._digest.update(data)
        self.n_bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into one that names `path` and says what to do."""
    try:
        yield
    except ToyAdmosError:  # some are OSErrors too, and say already what went wrong
        raise
    except OSError as error:
        raise_shortage(error, path)
        raise _explain(error, path) from error


def _explain(error: OSError, path: Path) -> OutputError:
    if error.errno in _NO_ROOM:
        return _no_room(error, path)
    return OutputError(
        "A file could not be written.",
        where=path,
        actual=f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no errno')})",
        remedy="Check that the folder is writable and its disk healthy, then run the same command again.",
    )


def _no_room(error: OSError, path: Path) -> DiskFullError:
    """Say which of its limits a disk has reached: bytes, files, or what one user may have."""
    what, actual = "The disk is full", f"{format_bytes(free_bytes(path))} free"
    remedy = "Make room"
    if error.errno == errno.EDQUOT:
        what, actual = "Your quota on this disk is used up", f"{error.strerror} (EDQUOT)"
        remedy = "Make room among your own files, or choose another disk with --out or --cache"
    elif _free_files(path) == 0:
        what, actual = "The disk can hold no more files, whatever their size", "no inode free (df -i)"
        remedy = "Remove files that are not needed, or choose another disk with --out or --cache"
    return DiskFullError(
        f"{what}; nothing that was complete before is lost.",
        where=path,
        actual=actual,
        remedy=f"{remedy}, then run the same command again: it goes on where it stopped.",
    )


def _free_files(path: Path) -> int | None:
    """Return how many files can still be made; None where the system counts none."""
    if not hasattr(os, "statvfs"):
        return None
    facts = os.statvfs(_nearest(path))
    return facts.f_favail if facts.f_files else None


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
    return shutil.disk_usage(_nearest(path)).free


def _nearest(path: Path) -> Path:
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place


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
