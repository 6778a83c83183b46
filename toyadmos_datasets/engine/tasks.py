"""Tasks run one after the other here, or in worker processes; results come back as they finish."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing.resource_tracker
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, overload

import joblib
import pyarrow as pa
from joblib.externals import loky
from joblib.externals.loky.process_executor import BrokenProcessPool

from toyadmos_datasets.engine.progress import (
    ProgressTally,
    Stopped,
    Watch,
    ask_to_stop,
    is_asked_to_stop,
    working_on,
)
from toyadmos_datasets.errors import WorkerError
from toyadmos_datasets.files.atomic import temporary_folder


def release_freed_memory() -> None:
    """Give the pages back to the system that Arrow has freed in this process.

    Its allocator keeps them for a while; between two row groups it would hold the larger part of a third.
    """
    pa.default_memory_pool().release_unused()


def keep_pandas_out() -> None:
    """Let pyarrow find no pandas, in a process in which nobody uses it; where it is loaded already, nothing changes.

    The first array that pyarrow makes would import pandas, only to see that what it is given is none of pandas'.
    That takes 0.2 s and 40 MB in every process. pyarrow looks once. Others may import pandas afterwards and have tables
    made into its frames, but its own objects are any sequences to pyarrow then: for the command line and workers, never
    for a library's caller.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Finds nothing, and lets no later finder find pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Refuse one module; what imports see as not installed."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


Item = TypeVar("Item")


class LazyTasks(Sequence[Item]):
    """A sequence whose elements are made each time they are asked for.

    Args:
        n_tasks: Its length.
        make: Makes the element of a number from 0 on.
    """

    def __init__(self, n_tasks: int, make: Callable[[int], Item]) -> None:
        self._n_tasks = n_tasks
        self._make = make

    def __len__(self) -> int:
        return self._n_tasks

    @overload
    def __getitem__(self, number: int) -> Item: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Item]: ...

    def __getitem__(self, number: int | slice) -> Item | Sequence[Item]:
        numbers = range(self._n_tasks)[number]
        if isinstance(numbers, range):
            return LazyTasks(len(numbers), lambda inner: self._make(numbers[inner]))
        return self._make(numbers)


Task = TypeVar("Task")
Result = TypeVar("Result")

_POLL_S = 0.2

_ORPHAN_POLL_S = 1.0

_WORKING = threading.Lock()
"""Held in a worker while it runs a task."""

IDLE_WORKER_S = 10
"""A worker without a task ends after so long: then those of a driver that was killed do not linger."""


def run_tasks(
    function: Callable[[Task, Watch], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Result]:
    """Yield `function(task, watch)` for every task, in the order in which they finish.

    SIGINT and SIGTERM ask the running tasks to stop: they see it at their next `watch.advance`, keep what
    they can and return, and then KeyboardInterrupt is raised here. A second signal does not wait. An
    error of one task stops the others in the same way, and is raised when they have stopped.

    Args:
        function: A module-level function; it tells its progress to the watch. It may catch `Stopped` and
            return what it has.
        tasks: Small picklable values.
        workers: Number of processes; 1 runs everything in this one. There are never more than tasks, nor more than
            one beyond the processors: `usable_workers`.
        on_progress: Called a few times a second with the units done by all tasks together.

    Raises:
        WorkerError: A worker process died; names what the unfinished tasks were working on.
        KeyboardInterrupt: After a signal, when the tasks have stopped.
    """
    if not tasks:
        return
    with temporary_folder("watch") as folder:
        watches = [Watch(folder, str(number)) for number in range(len(tasks))]
        tally = ProgressTally(folder)
        with _stopping_on_signals(folder), _polling(tally, on_progress):
            if workers == 1 or len(tasks) == 1:
                yield from _run_here(function, tasks, watches, tally)
            else:
                n_processes = usable_workers(min(workers, len(tasks)))
                yield from _run_in_processes(function, tasks, watches, tally, n_processes)
        if is_asked_to_stop(folder):
            raise KeyboardInterrupt


def processors() -> int:
    """Return how many processors this process may use, as its affinity and its container have it."""
    return int(loky.cpu_count())


def usable_workers(workers: int) -> int:
    """Return how many of the asked-for processes are started: at most one more than there are processors.

    More of them would take memory and only wait for each other.

    Example:
        >>> usable_workers(1)
        1
    """
    return min(workers, processors() + 1)


def _attempt(function: Callable[[Task, Watch], Result], task: Task, watch: Watch) -> tuple[bool, Result | None]:
    """Run one task unless a stop was asked for; the flag tells whether there is a result."""
    try:
        watch.advance()
        return True, function(task, watch)
    except Stopped:
        return False, None
    finally:
        watch.report()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of a task in a worker: a result, an error, or neither if it was stopped."""

    name: str
    finished: bool = False
    result: Any = None
    error: Exception | None = None
    trace: str = ""


class _WorkerTraceback(Exception):  # noqa: N818  # it is shown as the cause of an error and is none itself
    """Where in a worker an error was raised, as text, because tracebacks do not travel."""


def _attempt_in_worker(
    function: Callable[[Task, Watch], Result], task: Task, watch: Watch, driver_pid: int
) -> _Outcome:
    watch.parent_pid = driver_pid
    keep_pandas_out()
    _end_with(driver_pid)
    try:
        with _WORKING:
            finished, result = _attempt(function, task, watch)
        return _Outcome(name=watch.name, finished=finished, result=result)
    except Exception as error:  # noqa: BLE001  # the driver raises it, whatever it is
        if watch.folder is not None:
            ask_to_stop(watch.folder)  # joblib would kill the other tasks; so they keep what they have
        return _Outcome(name=watch.name, error=error, trace=traceback.format_exc())
    finally:
        if os.getppid() != driver_pid:  # the driver was killed, and nobody takes results or gives tasks any more
            os._exit(1)


@functools.cache
def _end_with(driver_pid: int) -> None:
    """Let a thread end this worker when its driver is gone and its task is done.

    A driver that is killed may hold the lock that an idle worker needs in order to end by itself.
    """

    def wait() -> None:
        """Look for the driver until it is gone."""
        while os.getppid() == driver_pid:
            time.sleep(_ORPHAN_POLL_S)
        with _WORKING:
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _run_here(
    function: Callable[[Task, Watch], Result], tasks: Sequence[Task], watches: Sequence[Watch], tally: ProgressTally
) -> Iterator[Result]:
    for task, watch in zip(tasks, watches, strict=True):
        finished, result = _attempt(function, task, watch)
        tally.end(watch.name)
        if not finished:
            return
        yield result  # type: ignore[misc]  # a finished task has its result, None included


def _run_in_processes(
    function: Callable[[Task, Watch], Result],
    tasks: Sequence[Task],
    watches: Sequence[Watch],
    tally: ProgressTally,
    workers: int,
) -> Iterator[Result]:
    attempt, pid = joblib.delayed(_attempt_in_worker), os.getpid()
    calls = (attempt(function, *pair, pid) for pair in zip(tasks, watches, strict=True))
    with joblib.parallel_config(backend="loky", idle_worker_timeout=IDLE_WORKER_S):
        parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    unfinished = {watch.name for watch in watches}
    with _deaf_children():
        results: Any = parallel(calls)
    failed: _Outcome | None = None
    try:
        for outcome in results:
            unfinished.discard(outcome.name)
            tally.end(outcome.name)
            if outcome.finished:
                yield outcome.result
            elif failed is None and outcome.error is not None:
                failed = outcome
    except BrokenProcessPool as error:
        raise _worker_died(watches, unfinished, str(error)) from error
    finally:
        results.close()
    if failed is not None and failed.error is not None:
        raise failed.error from _WorkerTraceback(failed.trace)


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """Let the processes that the block starts hear neither SIGINT nor SIGTERM, from their first instruction on.

    A terminal sends Ctrl-C to the whole group, and so do those who end jobs; the driver alone decides what it
    means. A blocked signal stays blocked in children, and in the thread that replaces workers.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    for tracker in (multiprocessing.resource_tracker, loky.backend.resource_tracker):
        tracker.ensure_running()  # starting one unblocks these signals, so they start before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _worker_died(watches: Sequence[Watch], unfinished: set[str], told: str) -> WorkerError:
    """Return the error for workers that died.

    Args:
        watches: Of all tasks.
        unfinished: Names of the tasks without a result.
        told: What loky says of it, with how each worker ended: ``{SIGKILL(-9)}``.
    """
    at = [working_on(watch.folder, watch.name) for watch in watches if watch.folder and watch.name in unfinished]
    ends = sorted(set(re.findall(r"\b(SIG[A-Z]+)\(-\d+\)", told)) - {"SIGTERM"})  # by which loky ends the others
    return WorkerError(
        "A worker process died; what was finished is kept.",
        where=", ".join(sorted({where for where in at if where})) or None,
        expected="workers that end by themselves",
        actual=_ended_by(ends),
        remedy="Run the same command again, with --workers 1 if it happens again.",
    )


def _ended_by(signals: Sequence[str]) -> str:
    """Say of what a worker died, as far as its signal tells."""
    if list(signals) == ["SIGKILL"]:
        return "killed (SIGKILL), as the system does when memory runs out"
    if signals:
        return f"crashed ({', '.join(signals)}), for instance in a decoder"
    return "killed by the system, often for want of memory, or crashed in a decoder"


@contextlib.contextmanager
def _stopping_on_signals(folder: Path) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM ask the tasks to stop and the second raise; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        """Ask once, then raise."""
        if is_asked_to_stop(folder):
            raise KeyboardInterrupt
        ask_to_stop(folder)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _polling(tally: ProgressTally, on_progress: Callable[[int], None] | None) -> Iterator[None]:
    """Tell `on_progress` from a thread what the watches have reported, and once more at the end."""
    if on_progress is None:
        yield
        return
    ended = threading.Event()

    def poll() -> None:
        """Tell what was done so far, until the block ends."""
        most = 0  # a task's file that is just being written counts for nothing at that moment
        while not ended.wait(_POLL_S):
            most = max(most, tally.amount)
            on_progress(most)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        on_progress(tally.amount)
