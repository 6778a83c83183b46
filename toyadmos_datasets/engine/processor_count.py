"""The number of processors that this process may use, by affinity and control groups."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from joblib.externals import loky

from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.options.render_options import RenderOptions

_GROUPS_OF_PROCESS = "proc/self/cgroup"
_MOUNT = "sys/fs/cgroup"
_CPU = "cpu"


def processors() -> int:
    """Return how many processors this process may use: by its affinity, by ``LOKY_MAX_CPU_COUNT``, by its groups.

    loky looks at the group at the mount's root, which is that of a container. A batch system or a service without a
    view of its own sets the quota further down, so all groups from the process's own to the root are looked at.
    """
    return max(1, min(int(loky.cpu_count()), _quota() or loky.cpu_count()))


def usable_workers(workers: int) -> int:
    """Return how many of the asked-for processes are started: at most one more than there are processors.

    More of them would take memory and only wait for each other.

    Example:
        >>> usable_workers(1)
        1
    """
    return min(workers, processors() + 1)


def chosen_workers(given: int | None) -> int:
    """Return the number of processes that were asked for, or by default as many as there are processors.

    Raises:
        OptionError: The number is invalid.
    """
    if given is None:
        return processors()
    options_of(RenderOptions)["workers"].check(given)
    return given


def _quota(root: Path = Path("/")) -> int | None:
    """Return the processors of the narrowest quota, rounded up; None where nothing is limited.

    Args:
        root: Where `/proc` and `/sys` are.

    Source:
        https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max),
        https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us)
    """
    shares = [share for group in _groups(root) if (share := _share_of(group)) is not None]
    return math.ceil(min(shares)) if shares else None


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups that may limit processors, and of all groups above them."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = (root / _GROUPS_OF_PROCESS).read_text().splitlines()
    mount = root / _MOUNT
    for line in ["0::/", f"1:{_CPU}:/", *lines]:
        _, _, rest = line.partition(":")
        kinds, _, group = rest.partition(":")
        if not group.startswith("/") or (kinds and _CPU not in kinds.split(",")):
            continue
        for base in (mount / kinds, mount / _CPU) if kinds else (mount, mount / "unified"):
            place = PurePosixPath(group)
            yield from (base / part.relative_to("/") for part in (place, *place.parents))


def _share_of(group: Path) -> float | None:
    """Return the processors that a group may use; None where it has no limit, or is none."""
    with contextlib.suppress(OSError, ValueError):
        quota, _, period = (group / "cpu.max").read_text().strip().partition(" ")
        return int(quota) / int(period)  # "max" is no number: no limit
    with contextlib.suppress(OSError, ValueError):
        quota_us = int((group / "cpu.cfs_quota_us").read_text())
        return quota_us / int((group / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    return None
