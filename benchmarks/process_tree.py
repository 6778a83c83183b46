"""How much memory a command and all its processes hold at most, looked at many times a second (Linux only)."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from toyadmos_datasets.units import Bytes, Seconds

PERIOD_S: Seconds = 0.05
_KINDS = ("Rss", "Pss", "Anonymous")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a process, or of several.

    Attributes:
        rss: Resident, shared pages counted in every process that maps them.
        pss: Resident, a shared page divided among those that map it.
        anonymous: What no file backs: only this can make a machine run out of memory.
    """

    rss: Bytes = 0
    pss: Bytes = 0
    anonymous: Bytes = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(rss=self.rss + other.rss, pss=self.pss + other.pss, anonymous=self.anonymous + other.anonymous)

    def peak_with(self, other: Memory) -> Memory:
        """Return the larger of each kind."""
        return Memory(
            rss=max(self.rss, other.rss), pss=max(self.pss, other.pss), anonymous=max(self.anonymous, other.anonymous)
        )


@dataclass(slots=True)
class Peaks:
    """Peaks of a command.

    Attributes:
        whole: Of the sum over the whole process tree.
        driver: Of the first process.
        worker: Of that of its descendants which holds most.
        n_looks: How often it was looked at.
        wall_s: How long it ran.
    """

    whole: Memory = Memory()
    driver: Memory = Memory()
    worker: Memory = Memory()
    n_looks: int = 0
    wall_s: Seconds = 0.0


def peaks_of(command: Sequence[str]) -> Peaks:
    """Run a command to its end and return its peaks."""
    peaks = Peaks()
    start_s = time.perf_counter()
    with tempfile.TemporaryFile(mode="w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        driver = psutil.Process(process.pid)
        while process.poll() is None:
            _look(driver, peaks)
            time.sleep(PERIOD_S)
        peaks.wall_s = time.perf_counter() - start_s
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}\nended with status {process.returncode}:\n{said.read()}")
    return peaks


def _look(driver: psutil.Process, peaks: Peaks) -> None:
    of_driver = _memory_of(driver.pid)
    whole = of_driver
    for worker in _descendants(driver):
        memory = _memory_of(worker.pid)
        peaks.worker = peaks.worker.peak_with(memory)
        whole += memory
    peaks.driver = peaks.driver.peak_with(of_driver)
    peaks.whole = peaks.whole.peak_with(whole)
    peaks.n_looks += 1


def _descendants(driver: psutil.Process) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        yield from driver.children(recursive=True)


def _memory_of(pid: int) -> Memory:
    """Return what the kernel sums up for a process; nothing for one that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (OSError, ProcessLookupError):
        return Memory()
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines[1:])}
    return Memory(**{kind.lower(): sizes.get(kind, 0) for kind in _KINDS})
