"""Runs of commands in turn, so that what is compared meets the same machine, and ratios within a round."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took.

    Attributes:
        wall_s: Time that passed.
        cpu_s: Time that it and its processes computed; next to nothing else on the machine moves it.
    """

    wall_s: float
    cpu_s: float


Rounds = dict[str, list[Cost]]
"""Name of each run to its cost in every round."""


def run(command: Sequence[str]) -> Cost:
    """Run a command to its end and return its cost; what it prints is shown only if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start_s = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    wall_s = time.perf_counter() - start_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return Cost(wall_s=wall_s, cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Confine this process and those that it starts to one core, as `taskset` would; ask `can_pin` first."""
    if not can_pin():
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def can_pin() -> bool:
    """Tell whether this system confines processes to cores."""
    return hasattr(os, "sched_setaffinity")


def alternate(n_rounds: int, runs: Mapping[str, Callable[[], Cost]]) -> Rounds:
    """Make all runs once a round, one after the other, and then print each one's times."""
    costs: Rounds = {name: [] for name in runs}
    for _ in range(n_rounds):
        for name, one in runs.items():
            costs[name].append(one())
    width = max(map(len, runs))
    print(f"{'run':<{width}}  {'wall s: min':>11} {'median':>8} {'max':>8}  {'CPU s: median':>13}")
    for name, some in costs.items():
        walls = sorted(cost.wall_s for cost in some)
        cpu_s = statistics.median(cost.cpu_s for cost in some)
        print(f"{name:<{width}}  {walls[0]:11.3f} {statistics.median(walls):8.3f} {walls[-1]:8.3f}  {cpu_s:13.3f}")
    return costs


def print_ratio(costs: Rounds, of: str, over: str, *, aim: str = "") -> None:
    """Print how many times the wall time (and the CPU time) of one run another took, round by round."""
    walls = [a.wall_s / b.wall_s for a, b in zip(costs[of], costs[over], strict=True)]
    cpus = [a.cpu_s / b.cpu_s for a, b in zip(costs[of], costs[over], strict=True) if b.cpu_s]
    print(f"{of} / {over}: {spread(walls)}" + (f"; CPU {spread(cpus)}" if cpus else "") + (f"  [{aim}]" if aim else ""))


def spread(values: Sequence[float]) -> str:
    """Write the median with the smallest and largest: ``1.25 (1.21 to 1.31)``."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
