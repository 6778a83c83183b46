"""A lock that allows one writer per folder."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from toyadmos_datasets.errors import BusyError, DatasetError
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.files.checked_json import Count, checked, read_json, write_json
from toyadmos_datasets.units import Seconds

LOCK_NAME = ".toyadmos.lock"
SOFT_LOCK_NAME = ".toyadmos.softlock"
HOLDER_NAME = ".toyadmos.holder.json"

_POLL_S: Seconds = 0.2
_NO_LOCKING = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    """The process that holds a folder."""

    host: str
    pid: Count


@contextlib.contextmanager
def folder_lock(folder: Path, *, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a folder for writing while the block runs.

    The lock is the operating system's (`flock`): it ends with the process that holds it, however that ends, so
    what a dead process left behind is no obstacle. The file that carries it stays, empty, because deleting it
    would let two processes lock two files of the same name; its holder is named beside it for the error text.

    Where the file system knows no locks (some network mounts), a marker file that is created only if absent
    stands in. Such a marker outlives a process that was killed: filelock removes it where it can see that its
    process on this machine is gone, and the error says what to delete where it cannot.

    Args:
        folder: Made if it does not exist.
        on_wait: Called repeatedly with the holder while another process has the folder, until it is free; None
            for not waiting.

    Raises:
        BusyError: Another process, or another thread of this one, holds the folder, and that is not waited for.
        OutputError: The folder cannot be made or written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _acquire(folder) if on_wait is None else _await(folder, on_wait)
    holder = folder / HOLDER_NAME
    try:
        write_json(holder, asdict(_Holder(host=platform.node(), pid=os.getpid())))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _await(folder: Path, on_wait: Callable[[str], None]) -> BaseFileLock:
    """Take the lock as soon as it is free."""
    while True:
        try:
            return _acquire(folder)
        except BusyError as busy:
            time.sleep(_POLL_S)  # before telling: one that has just taken it has written its name by then
            on_wait(str(busy.actual))


def _acquire(folder: Path) -> BaseFileLock:
    """Take the lock now or raise, on whatever the file system offers."""
    lock: BaseFileLock = FileLock(folder / LOCK_NAME, timeout=0)
    try:
        try:
            _take(lock)
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKING:
                raise
            lock = SoftFileLock(folder / SOFT_LOCK_NAME, timeout=0)
            _take(lock)
    except Timeout as error:
        raise _busy(folder, lock) from error
    return lock


def _take(lock: BaseFileLock) -> None:
    with warnings.catch_warnings():
        # filelock announces with a warning that it turns to a marker file by itself; the fallback is meant.
        warnings.filterwarnings("ignore", message="flock not supported")
        lock.acquire()


def _busy(folder: Path, lock: BaseFileLock) -> BusyError:
    remedy = "Wait until it is done or stop it, then run the same command again."
    if isinstance(lock, SoftFileLock):
        remedy += f" If it runs no more, delete {lock.lock_file} first."
    return BusyError("Another process is writing to this folder.", where=folder, actual=_holder(folder), remedy=remedy)


def _holder(folder: Path) -> str:
    try:
        path, remedy = folder / HOLDER_NAME, "Leave it: the process that holds the folder writes it."
        holder = checked(_Holder, read_json(path, remedy=remedy), what="A file is damaged.", where=path, remedy=remedy)
    except DatasetError:  # it has the lock, and has not got round to its name
        return "held by a process that is not known"
    return f"held by process {holder.pid} on {holder.host}"
