"""Temporary files that say whose they are, so that those of a dead process can be removed at once."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
import uuid
from pathlib import Path

from toyadmos_datasets.units import Seconds

STALE_AFTER_S: Seconds = 24 * 3600
"""Where the owner cannot be asked (another host, Windows), a file untouched for a day is a leftover."""

_NAME = re.compile(r"^\.(?P<host>.+)\.(?P<pid>\d+)\.[0-9a-f]{12}\.[a-z]+$")


def temporary_path(folder: Path) -> Path:
    """Return a name in `folder` that no other writer uses and that names this process."""
    return folder / f".{_host()}.{os.getpid()}.{uuid.uuid4().hex[:12]}.tmp"


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the files that `temporary_path` named for processes that are gone; return them."""
    removed = []
    for path in folder.glob(".*.tmp"):
        if is_abandoned(path):
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


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
