"""Worker processes on this machine: loky's; they ignore signals, and end with their driver."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from joblib.externals import loky

from toyadmos_datasets.engine.arrow_memory import keep_pandas_out
from toyadmos_datasets.engine.processor_count import processors

IDLE_WORKER_S = 10
"""A worker without a task ends after so long: then those of a driver that was killed do not linger."""

_ORPHAN_POLL_S = 1.0

_WORKING = threading.Lock()
"""Held in a worker while it runs a task."""

_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
"""Libraries that would start as many threads as there are processors in every worker."""


class LocalExecutor(Executor):
    """Runs calls in processes that stay for the next runs of this driver.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int) -> None:
        self._futures: set[Future[Any]] = set()
        with _deaf_children():
            self._pool = loky.get_reusable_executor(
                max_workers=workers,
                timeout=IDLE_WORKER_S,
                initializer=_begin_worker,
                initargs=(_here(),),  # another folder than before, and workers are not used again
                env=_few_threads(workers),
            )

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401  # as Executor
        """Start a call, and the processes if they are not there."""
        with _deaf_children():
            future: Future[Any] = self._pool.submit(_run_as_child, os.getpid(), function, *args, **kwargs)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # as Executor
        """Kill the processes if they are still at work; leave them to the next run if they are not."""
        del cancel_futures
        if self._futures:
            self._pool.shutdown(wait=wait, kill_workers=True)


def _here() -> Path | None:
    """Return the folder that this process is in; None if it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _begin_worker(folder: Path | None) -> None:
    """Put a worker into the folder of its driver, so that relative paths mean the same to both."""
    if folder is not None:
        os.chdir(folder)
    keep_pandas_out()


def _few_threads(workers: int) -> dict[str, str]:
    """Return what in a worker's environment keeps the libraries to its share of the processors."""
    share = str(max(processors() // workers, 1))
    names = [*(f"{library}_NUM_THREADS" for library in _THREADS), "VECLIB_MAXIMUM_THREADS"]
    return {name: os.environ.get(name, share) for name in names}


def _run_as_child(driver_pid: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever it gives
    """Call a function in a worker, which ends afterwards if nobody takes results or gives calls any more."""
    _end_with(driver_pid)
    try:
        with _WORKING:
            return function(*args, **kwargs)
    finally:
        if os.getppid() != driver_pid:
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
