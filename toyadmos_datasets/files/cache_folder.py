"""The cache folder: its place, and locks for its many readers and the one process that cleans it."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from toyadmos_datasets.errors import BusyError
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.units import Seconds

CACHE_VARIABLE = "TOYADMOS_CACHE"


def default_cache() -> Path:
    """Return the cache folder: what `TOYADMOS_CACHE` says, or the platform's place for such things."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return expanded_path(chosen) if chosen else Path(platformdirs.user_cache_dir("toyadmos"))


try:
    import fcntl
except ImportError:  # Windows; there a file that is in use cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

_POLL_S: Seconds = 0.2
_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
_LOCKS = Path("/proc/locks")


class Lease:
    """A shared hold on what a cache has of a toy: while it is held, `exclusive_lease` is refused.

    It is the operating system's lock (`flock`) on an empty file, which it takes no right to write to hold; it ends
    with its process. Where there is no such file and none can be made, and where the file system knows no locks, the
    user works without it.

    Args:
        cache: The cache.
        toy: ``ToyTrain``.
    """

    def __init__(self, cache: Path, toy: str) -> None:
        self._path = lease_path(cache, toy)
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def take(self, *, is_made: bool = False) -> None:
        """Hold the lease from now on, after a process that cleans the cache; nothing happens if it is held already.

        Args:
            is_made: Whether the cache and the file are made if they are not there, because the cache is about to be
                written to.
        """
        if self._descriptor is not None or fcntl is None:
            return
        with contextlib.suppress(OSError):
            if is_made:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDONLY | (os.O_CREAT if is_made else 0), 0o666)
            try:
                _share(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor


def _share(descriptor: int) -> None:
    """Lock a file with others; wait while one has it alone."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            time.sleep(_POLL_S)
        else:
            return


@contextlib.contextmanager
def exclusive_lease(cache: Path, toy: str) -> Iterator[None]:
    """Hold what a cache has of a toy alone while the block runs; without a lease where none can be had.

    Raises:
        BusyError: Another process uses it; the error names the process if the system tells.
    """
    path = lease_path(cache, toy)
    descriptor = _opened(path)
    try:
        if descriptor is not None and fcntl is not None:
            _lock_alone(descriptor, path, toy)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock_alone(descriptor: int, path: Path, toy: str) -> None:
    """Lock a file exclusively; try again if its holder ended before the system could name it."""
    for is_last in (False, True):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _TAKEN:
                return
            holders = _holders(path)
            if holders or is_last:
                raise _in_use(path, toy, holders) from error
        else:
            return


def lease_path(cache: Path, toy: str) -> Path:
    """Return the file that carries the lease; it stays, empty, when nobody holds it."""
    return cache / f"{toy}.lease"


def _opened(path: Path) -> int | None:
    """Open the file that carries a lease: some network mounts want it writable for a lock of one alone."""
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):
            return os.open(path, flags, 0o666)
    return None


def _in_use(path: Path, toy: str, holders: list[str]) -> BusyError:
    return BusyError(
        f"What the cache has of {toy} is in use.",
        where=path.parent,
        expected="nobody who reads from it",
        actual=f"used by {', '.join(holders)}" if holders else "used by a process that is not known",
        remedy="Wait until it is done or stop it, then run the same command again.",
    )


def _holders(path: Path) -> list[str]:
    """Return the processes that hold a lock on a file, as far as the system tells."""
    try:
        inode, lines = str(path.stat().st_ino), _LOCKS.read_text().splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    found = {one[4] for one in fields if len(one) > 5 and one[1] == "FLOCK" and one[5].endswith(f":{inode}")}
    return [f"process {pid}" for pid in sorted(found, key=int) if int(pid) > 0]
