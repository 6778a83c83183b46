"""What does a cluster cost over this machine's own processes?

    python benchmarks/engines.py --source DIR

One tree is prepared (every IND clip of every case and channel, FLAC) with two of this machine's worker processes, on a
Dask cluster of two workers and on a Ray cluster of two, in turn. Both clusters are processes on this machine, started
before and left alone while they are not asked; an engine that is not installed is left out, and that is said. The
processor time has Dask's processes in it; Ray's leave the one that started them, and are not counted.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jobs
import psutil
from corpora import Bench, bench_from_arguments, opened, print_corpus
from machine import print_heading
from rounds import Cost, alternate, print_ratio

from toyadmos_datasets.files.reading import sha256_of

WORKERS = 2
START_WITHIN_S = 120
AIM = "aim: 1.15"


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=3) as bench, contextlib.ExitStack() as clusters:
        print_heading("What does a cluster cost over this machine's own processes?")
        tree = bench.corpus("tree")
        print_corpus(opened(tree, bench.toy))
        engines = {"local": ("local", ())}
        for name, start in (("dask", dask), ("ray", ray)):
            if importlib.util.find_spec({"dask": "distributed"}.get(name, name)) is None:
                print(f"# {name} is not installed: left out")
            else:
                engines[name] = clusters.enter_context(start())
        seen: set[str] = set()
        runs = {name: prepared(bench, tree, *engine, seen) for name, engine in engines.items()}
        costs = alternate(bench.n_rounds, runs)
        for name in engines:
            if name != "local":
                print_ratio(costs, name, "local", aim=AIM)
        print(f"datasets that differ: {len(seen) - 1}")


def prepared(
    bench: Bench, tree: Path, address: str, processes: Sequence[subprocess.Popen[bytes]], seen: set[str]
) -> Callable[[], Cost]:
    """Return a run that prepares the tree on an engine, and notes what it gave."""

    def run() -> Cost:
        """Prepare it anew."""
        with bench.fresh() as cache:
            before_s = cpu_of(processes)
            cost = jobs.job("prepared", tree, bench.toy, cache, WORKERS, address)
            shards = sorted((cache / "out").rglob("data/**/*.parquet"))
            seen.add(json.dumps([sha256_of(path) for path in shards]))
            return replace(cost, cpu_s=cost.cpu_s + cpu_of(processes) - before_s)

    return run


def cpu_of(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    """Return the processor time of processes and of those that they started, ended ones too."""
    total_s = 0.0
    for process in processes:
        for one in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total_s += times.user + times.system
                total_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total_s


@contextlib.contextmanager
def dask() -> Iterator[tuple[str, Sequence[subprocess.Popen[bytes]]]]:
    """Start a scheduler and its workers."""
    with tempfile.TemporaryDirectory(prefix="toyadmos-dask-") as folder, started(Path(folder)) as start:
        file = Path(folder) / "scheduler.json"
        common = ["--scheduler-file", str(file), "--no-dashboard"]
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common)
        for number in range(WORKERS):
            place = ["--local-directory", str(Path(folder) / f"worker-{number}")]
            start("distributed.cli.dask_worker", "--nthreads", "1", *common, *place)
        address = json.loads(awaited(file))["address"]
        await_workers(address)
        yield f"dask://{address.partition('://')[2]}", start.processes


def await_workers(address: str) -> None:
    """Wait until all have come."""
    import distributed  # noqa: PLC0415  # where it is installed

    with distributed.Client(address, timeout=START_WITHIN_S, set_as_default=False) as client:
        client.wait_for_workers(WORKERS, timeout=START_WITHIN_S)


@contextlib.contextmanager
def ray() -> Iterator[tuple[str, Sequence[subprocess.Popen[bytes]]]]:
    """Start a node of Ray's, which starts workers when it is asked to."""
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, started(Path(folder)) as start:
        places = ["--object-store-memory", str(200 << 20), "--temp-dir", folder, "--num-cpus", str(WORKERS)]
        known = ["--include-dashboard", "false", "--disable-usage-stats", "--block"]
        start("ray.scripts.scripts", "start", "--head", "--port", "0", *known, *places)
        os.environ["RAY_ADDRESS"] = awaited(Path(folder) / "ray_current_cluster").strip()
        yield "ray", start.processes


class Starter:
    """Starts Python modules as processes.

    Args:
        folder: For what they print.
    """

    def __init__(self, folder: Path) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self._folder = folder

    def __call__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start one."""
        with (self._folder / f"{len(self.processes)}.log").open("wb") as log:
            command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        self.processes.append(process)


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Starter]:
    """Give what starts processes, and end them and their children afterwards."""
    start = Starter(folder)
    try:
        yield start
    finally:
        families = [
            (process, psutil.Process(process.pid).children(recursive=True)) for process in reversed(start.processes)
        ]
        for process, family in families:
            for one in (process, *family):
                with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                    one.kill()
            process.wait()


def awaited(file: Path) -> str:
    """Return what stands in a file, once something does."""
    until = time.monotonic() + START_WITHIN_S
    while not file.exists() or not (content := file.read_text(encoding="utf-8")).strip():
        if time.monotonic() > until:
            raise SystemExit(f"a cluster did not start: {file} is not there")
        time.sleep(0.1)
    return content


if __name__ == "__main__":
    main()
