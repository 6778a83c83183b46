"""Clusters of processes on this machine, as users start them on several."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
START_WITHIN_S = 120


def require(module: str) -> None:
    """Skip a test whose engine is not installed here, and say so."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: the tests on its clusters are skipped")


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which a process finds what the tests import."""
    places = [ROOT, ROOT / "tests" / "support", *sys.path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(str(place) for place in places if str(place))} | more


def started(command: Sequence[str], log: Path, *, cwd: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which writes to a file."""
    with log.open("wb") as file:
        return subprocess.Popen(
            command, cwd=cwd, env=environment(**more), stdout=file, stderr=file, start_new_session=True
        )


@dataclass(slots=True)
class DaskCluster:
    """A scheduler and its workers.

    Attributes:
        folder: Their files.
        address: ``dask://host:port``.
        processes: The scheduler, and a nanny for each worker.
    """

    folder: Path
    address: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str, cwd: Path | None = None, **more: str) -> None:
        """Start a process of Dask's."""
        command = [sys.executable, "-W", "ignore", "-m", *arguments]
        self.processes.append(started(command, self.folder / f"{len(self.processes)}.log", cwd=cwd, **more))

    def start_worker(self, *arguments: str, cwd: Path | None = None, **more: str) -> None:
        """Start a worker of one thread, which a nanny starts again when it dies."""
        named = f"{self.folder / 'scheduler.json'}"
        place = str(self.folder / f"worker-{len(self.processes)}")
        common = ["--scheduler-file", named, "--nthreads", "1", "--no-dashboard", "--local-directory", place]
        self.start("distributed.cli.dask_worker", *common, *arguments, cwd=cwd, **more)

    def end(self) -> None:
        """Kill all processes, those of nannies included."""
        while self.processes:
            self.end_last()

    def end_last(self) -> None:
        """Kill the process that was started last, and its children."""
        process = self.processes.pop()
        family = psutil.Process(process.pid).children(recursive=True)
        for one in (process, *family):
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                one.kill()
        process.wait()


@contextlib.contextmanager
def dask_cluster(
    folder: Path, *, workers: int = 2, worker_arguments: Sequence[str] = (), cwd: Path | None = None
) -> Iterator[DaskCluster]:
    """Give a cluster with so many workers, which run in a folder."""
    require("distributed")
    cluster = DaskCluster(folder=folder)
    file = folder / "scheduler.json"
    try:
        known = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show", "--scheduler-file", str(file)]
        cluster.start("distributed.cli.dask_scheduler", *known, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="30")
        for _ in range(workers):
            cluster.start_worker(*worker_arguments, cwd=cwd)
        until = time.monotonic() + START_WITHIN_S
        while not file.exists() or not file.read_text(encoding="utf-8").strip():
            assert time.monotonic() < until, "the scheduler did not start"
            time.sleep(0.1)
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        cluster.address = f"dask://{address.partition('://')[2]}"
        yield cluster
    finally:
        cluster.end()


@contextlib.contextmanager
def ray_cluster(folder: Path, *, workers: int = 2) -> Iterator[str]:
    """Give the address for `--engine` of a cluster on this machine."""
    require("ray")
    command = [sys.executable, "-m", "ray.scripts.scripts"]
    head = ["start", "--head", "--port", "0", "--include-dashboard", "false", "--disable-usage-stats"]
    places = ["--num-cpus", str(workers), "--object-store-memory", str(100 << 20), "--temp-dir", str(folder)]
    process = started([*command, *head, *places, "--block"], folder / "start.log")
    try:
        until = time.monotonic() + START_WITHIN_S
        found = folder / "ray_current_cluster"
        while not found.exists():
            assert process.poll() is None, (folder / "start.log").read_text(encoding="utf-8")
            assert time.monotonic() < until, "Ray did not start"
            time.sleep(0.2)
        yield found.read_text(encoding="utf-8").strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
