"""Tasks run one after the other here, or on an executor; results come back as they finish."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, overload

from toyadmos_datasets.engine.attempts import Outcome, Packer, attempt_here, run_attempt
from toyadmos_datasets.engine.engines import Engine
from toyadmos_datasets.engine.local_workers import LocalExecutor
from toyadmos_datasets.engine.processor_count import usable_workers
from toyadmos_datasets.engine.progress import (
    SILENCE_S,
    ProgressTally,
    Watch,
    ask_to_stop,
    has_begun,
    is_asked_to_stop,
    showing_life,
    working_on,
)
from toyadmos_datasets.errors import WorkerError
from toyadmos_datasets.files.atomic import temporary_folder

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

TASKS_A_SLOT = 2
"""Tasks that are made and handed to an executor for each that it runs at once: none waits for the driver."""

MOST_LOSSES = 3
"""How often a task is run again that an executor has lost."""


def run_tasks(
    function: Callable[[Task, Watch], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
    engine: Engine | None = None,
    shared: object = None,
) -> Iterator[Result]:
    """Yield `function(task, watch)` for every task, in the order in which they finish.

    SIGINT and SIGTERM cancel the tasks that wait and ask the running ones to stop: they see it at their next
    `watch.advance`, keep what they can and return, and then KeyboardInterrupt is raised here. A second signal does
    not wait. An error of one task stops the others in the same way, and is raised when they have stopped. It ends
    with the result of every task, or with an error.

    Args:
        function: A module-level function; it tells its progress to the watch. It may catch `Stopped` and
            return what it has. It may run twice for one task, also at the same time, where an engine lost sight of it.
        tasks: Small picklable values; each is made when its turn comes.
        workers: How many run at once. On this machine these are processes, and 1 runs everything in this one; there
            are never more than tasks, nor more than one beyond the processors: `usable_workers`.
        on_progress: Called a few times a second with the units done by all tasks together.
        engine: Where they run; None for this machine.
        shared: A value that the tasks hold and that is large: it travels to each worker once, not with each task.

    Raises:
        WorkerError: A worker process died, or the engine lost a task for good; names what was being worked on.
        EngineError: A worker does not fit.
        KeyboardInterrupt: After a signal, when the tasks have stopped.
    """
    if not tasks:
        return
    with temporary_folder("watch", None if engine is None else engine.place) as folder:
        tally = ProgressTally(folder)
        with _stopping_on_signals(folder), _polling(tally, on_progress):
            if engine is None and (workers == 1 or len(tasks) == 1):
                yield from _run_here(function, tasks, folder, tally)
            else:
                with _executor_of(engine, min(workers, len(tasks)), folder) as job:
                    run = _Run(job=job, function=function, tasks=tasks, packer=Packer(shared, folder), tally=tally)
                    yield from run.results()
        if is_asked_to_stop(folder):
            raise KeyboardInterrupt


def _run_here(
    function: Callable[[Task, Watch], Result], tasks: Sequence[Task], folder: Path, tally: ProgressTally
) -> Iterator[Result]:
    for number, task in enumerate(tasks):
        watch = Watch(folder, str(number))
        finished, result = attempt_here(function, task, watch)
        tally.end(watch.name)
        if not finished:
            return
        yield result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """Where the tasks of one run are run.

    Attributes:
        executor: Runs them.
        engine: Whose executor it is; None for this machine's.
        n_slots: How many it runs at once.
        folder: Where the tasks' lines run.
    """

    executor: Executor
    engine: Engine | None
    n_slots: int
    folder: Path

    def watch(self, number: int) -> Watch:
        """Return the line of one task."""
        if self.engine is None:
            return Watch(self.folder, str(number), parent_pid=os.getpid())
        return Watch(self.folder, str(number), silence_s=SILENCE_S)


@contextlib.contextmanager
def _executor_of(engine: Engine | None, n_slots: int, folder: Path) -> Iterator[_Job]:
    """Give what runs tasks: the engine's executor, which stays as it is, or processes on this machine."""
    if engine is not None:
        with showing_life(folder, SILENCE_S):
            yield _Job(executor=engine.executor, engine=engine, n_slots=n_slots, folder=folder)
        return
    n_slots = usable_workers(n_slots)
    executor = LocalExecutor(n_slots)
    try:
        yield _Job(executor=executor, engine=None, n_slots=n_slots, folder=folder)
    finally:
        executor.shutdown()


class _WorkerTraceback(Exception):  # noqa: N818  # it is shown as the cause of an error and is none itself
    """Where in a worker an error was raised, as text, because tracebacks do not travel."""


class _Run:
    """The tasks of one run on an executor: those in flight, those to come, and what became of the others.

    Args:
        job: Where they run.
        function: What is run for each.
        tasks: The tasks.
        packer: Packs them.
        tally: Counts what they have done.
    """

    def __init__(
        self,
        *,
        job: _Job,
        function: Callable[[Any, Watch], Any],
        tasks: Sequence[Any],
        packer: Packer,
        tally: ProgressTally,
    ) -> None:
        self._job = job
        self._function = function
        self._tasks = tasks
        self._packer = packer
        self._tally = tally
        self._next = iter(range(len(tasks)))
        self._lost: deque[int] = deque()
        self._losses: Counter[int] = Counter()
        self._in_flight: dict[Future[Any], int] = {}
        self._failed: Outcome | None = None
        self._broken: Exception | None = None
        self._broken_at: set[str] = set()

    def results(self) -> Iterator[Any]:
        """Yield the results as they come.

        Raises:
            Exception: The error of a task, or of the engine.
        """
        try:
            while self._fill() or self._in_flight:
                done, _ = wait(self._in_flight, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in [one for one in self._in_flight if one in done]:  # in the order of the tasks
                    outcome = self._outcome_of(future, self._in_flight.pop(future))
                    if outcome is not None and outcome.finished:
                        yield outcome.result
                if self._is_stopping:
                    self._cancel_waiting()
        finally:
            if self._in_flight:  # the second signal, or nobody wants the rest
                ask_to_stop(self._job.folder)
                self._cancel_waiting()
        self._raise_failure()

    @property
    def _is_stopping(self) -> bool:
        return is_asked_to_stop(self._job.folder)

    def _fill(self) -> bool:
        """Hand out tasks until there are enough in flight; tell whether any was."""
        room = TASKS_A_SLOT * self._job.n_slots - len(self._in_flight)
        n_before = len(self._in_flight)
        while room > 0 and not self._is_stopping:
            number = self._lost.popleft() if self._lost else next(self._next, None)
            if number is None:
                break
            self._submit(number)
            room -= 1
        return len(self._in_flight) > n_before

    def _submit(self, number: int) -> None:
        payload = self._packer.pack(self._tasks[number])
        proof = None if self._job.engine is None else self._job.engine.proof
        try:
            future = self._job.executor.submit(run_attempt, self._function, payload, self._job.watch(number), proof)
        except Exception as error:  # noqa: BLE001  # whatever an engine says of being broken
            self._break(error, str(number))
        else:
            self._in_flight[future] = number

    def _outcome_of(self, future: Future[Any], number: int) -> Outcome | None:
        """Return what became of a task, and count it as ended; None if it was lost, or the engine failed."""
        name = str(number)
        try:
            outcome = future.result()
        except CancelledError:
            self._lose(number)
            return None
        except Exception as error:  # noqa: BLE001  # errors of tasks are returned: this one is the engine's
            self._break(error, name)
            return None
        if not isinstance(outcome, Outcome) or outcome.name != name:
            self._lose(number)
            return None
        if outcome.error is None and not outcome.finished and not self._is_stopping:
            self._lose(number)  # it took its driver for dead
            return None
        self._tally.end(name)
        if outcome.error is not None:
            self._failed = self._failed or outcome
            ask_to_stop(self._job.folder)
        return outcome

    def _lose(self, number: int) -> None:
        """Run a task again that was lost, unless all are to stop or it was lost too often."""
        if self._is_stopping:
            return
        self._losses[number] += 1
        if self._losses[number] > MOST_LOSSES:
            self._break(WorkerError(f"Lost {self._losses[number]} times."), str(number))
            return
        self._tally.forget(str(number))
        self._lost.append(number)

    def _break(self, error: Exception, name: str) -> None:
        """Remember that the engine failed, and what a task was working on then; the others are to stop."""
        self._broken = self._broken or error
        self._broken_at.add(working_on(self._job.folder, name) or f"task {int(name) + 1} of {len(self._tasks)}")
        ask_to_stop(self._job.folder)

    def _cancel_waiting(self) -> None:
        """Cancel what has not begun; a task that begins meanwhile sees that it should stop.

        Some futures can be cancelled while they run, and would not tell any more when their task has ended.
        """
        for future, number in [*self._in_flight.items()]:
            if not has_begun(self._job.folder, str(number)) and future.cancel():
                del self._in_flight[future]

    def _raise_failure(self) -> None:
        if self._failed is not None and self._failed.error is not None:
            raise self._failed.error from _WorkerTraceback(self._failed.trace)
        if self._broken is not None:
            raise _worker_died(self._broken_at, self._broken, self._job.engine) from self._broken


def _worker_died(at: set[str], error: Exception, engine: Engine | None) -> WorkerError:
    """Return the error for workers that died, or an engine that gave tasks up.

    Args:
        at: What the unfinished tasks were working on.
        error: What the engine says of it; loky says how each worker ended: ``{SIGKILL(-9)}``.
        engine: Where they ran; None for this machine.
    """
    again = "Run the same command again" + (", with --workers 1 if it happens again." if engine is None else ".")
    if isinstance(error, BrokenExecutor):
        signals = re.findall(r"\b(SIG[A-Z]+)\(-\d+\)", str(error))
        actual = _ended_by(sorted(set(signals) - {"SIGTERM"}))  # by which loky ends the others
    else:
        actual = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
    return WorkerError(
        "A worker process died; what was finished is kept.",
        where=", ".join(sorted(at)) or None,
        expected="workers that end by themselves",
        actual=actual,
        remedy=again,
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
