"""Temporary files that say whose they are, so that those of a dead process can be removed at once."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from toyadmos_datasets.units import Seconds

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
def temporary_folder(purpose: str) -> Iterator[Path]:
    """Give such a folder while the block runs."""
    folder = make_temporary_folder(purpose)
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
