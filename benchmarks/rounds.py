"""Runs of commands in turn, so that what is compared meets the same machine, and ratios within a round."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took.

    Attributes:
        wall_s: Time that passed.
        cpu_s: Time that it and its processes computed.
        others_s: Time that everything else on the machine computed meanwhile: what makes wall times doubtful.
    """

    wall_s: float
    cpu_s: float
    others_s: float = 0.0


Rounds = dict[str, list[Cost]]
"""Name of each run to its cost in every round."""


def run(command: Sequence[str]) -> Cost:
    """Run a command to its end and return its cost; what it prints is shown only if it fails."""
    return run_and_read(command)[0]


def run_and_read(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """Run a command to its end and return its cost and what it prints."""
    cpu_s, busy_s, wall_s = -_children_s(), -_busy_s(), -time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    wall_s += time.perf_counter()
    cpu_s += _children_s()
    busy_s += _busy_s()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return Cost(wall_s=wall_s, cpu_s=cpu_s, others_s=max(busy_s - cpu_s, 0.0)), done.stdout


def _children_s() -> float:
    """Return the processor time of all ended children, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy_s() -> float:
    """Return the processor time of the whole machine."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


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
    """Make all runs once a round, one after the other, and then print each one's times.

    What others computed is printed as a share of the wall time: 1.0 is a whole core that was not there.
    """
    costs: Rounds = {name: [] for name in runs}
    for number in range(n_rounds):
        for name, one in runs.items():
            costs[name].append(one())
            print(f"round {number + 1}: {name}: {costs[name][-1].wall_s:.3f} s", file=sys.stderr)
    width = max(map(len, runs))
    print(f"{'run':<{width}}  {'wall s: min':>11} {'median':>8} {'max':>8}  {'CPU s: median':>13}  others")
    for name, some in costs.items():
        walls = sorted(cost.wall_s for cost in some)
        cpu_s = statistics.median(cost.cpu_s for cost in some)
        others = statistics.median(cost.others_s / cost.wall_s for cost in some)
        times = f"{walls[0]:11.3f} {statistics.median(walls):8.3f} {walls[-1]:8.3f}  {cpu_s:13.3f}  {others:6.2f}"
        print(f"{name:<{width}}  {times}")
    return costs


def print_ratio(costs: Rounds, of: str, over: str, *, aim: str = "") -> None:
    """Print how many times the wall time (and the CPU time) of one run another took, round by round."""
    walls = [a.wall_s / b.wall_s for a, b in zip(costs[of], costs[over], strict=True)]
    cpus = [a.cpu_s / b.cpu_s for a, b in zip(costs[of], costs[over], strict=True) if b.cpu_s]
    print(f"{of} / {over}: {spread(walls)}" + (f"; CPU {spread(cpus)}" if cpus else "") + (f"  [{aim}]" if aim else ""))


def spread(values: Iterable[float]) -> str:
    """Write the median with the smallest and largest: ``1.25 (1.21 to 1.31)``."""
    some = list(values)
    return f"{statistics.median(some):.3g} ({min(some):.3g} to {max(some):.3g})"
