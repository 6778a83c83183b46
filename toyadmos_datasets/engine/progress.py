"""Progress of tasks: how a running task tells its driver how far it is, and how the driver stops it."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from toyadmos_datasets.units import Seconds


class Advance(Protocol):
    """Is told how far a stage is."""

    def __call__(self, done: int, note: str = "") -> None:
        """Show that so many units are done.

        Args:
            done: Units so far.
            note: What is shown in place of the count, where this says more.
        """


class Progress(Protocol):
    """Shows progress somewhere; the command line has one that draws bars."""

    def stage(self, what: str, total: int, unit: str) -> contextlib.AbstractContextManager[Advance]:
        """Begin a stage; the callable is told the units done so far.

        Args:
            what: What is being done, for people; a name in it may hold anything, which `escaping` makes visible.
            total: Units in all.
            unit: ``bytes``, or a plural noun such as ``clips``.
        """

    def say(self, text: str) -> None:
        """Tell something that is worth a line; what is said of `stage` holds for its names."""


class Quiet:
    """Shows nothing."""

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        """Ignore a stage."""
        del what, total, unit
        yield _ignore

    def say(self, text: str) -> None:
        """Ignore a text."""


def _ignore(done: int, note: str = "") -> None:
    """Ignore how far a stage is."""
    del done, note


_STOP = "stop"

_DRIVER = "driver"
"""The file in which a driver shows that it lives."""

_REPORT_S: Seconds = 0.1
"""Between two reports of one task that tell of nothing but a larger amount, so that small pieces cost little."""

_FAR_REPORT_S: Seconds = 1.0
"""The same where reports go through a shared file system, between any two of one task."""

SILENCE_S: Seconds = 60.0
"""A driver on another machine that showed no life for so long is dead: NFS may show a change as late as that."""

_RECORD_BYTES = 512
"""A task's report is one record that is written over in place: truncating a file makes some systems write it out."""


class Stopped(BaseException):
    """The driver asked this task to stop; not an error, so that no `except Exception` swallows it."""


@dataclass(slots=True)
class Watch:
    """A task's line to its driver.

    Args:
        folder: Where the line runs; None for a task that nobody watches.
        name: The task's name there.
        parent_pid: The driver, where the task runs in a child of its own; None elsewhere.
        silence_s: A driver that is silent for so long is dead; None where it is no other machine's.
    """

    folder: Path | None = None
    name: str = "task"
    parent_pid: int | None = None
    silence_s: Seconds | None = None
    _done: int = field(default=0, init=False)
    _at: str = field(default="", init=False)
    _next_report_s: float = field(default=0.0, init=False)
    _heard: str | None = field(default=None, init=False)  # a file that is just being written over reads as ""
    _heard_at_s: float = field(default=0.0, init=False)

    def advance(self, amount: int = 0, at: str | None = None) -> None:
        """Report `amount` more units done, and what is being worked on.

        A new place is reported at once, so that a crash can name it, but through a shared file system only the first;
        amounts are gathered for a moment.

        Raises:
            Stopped: The driver asked to stop, or was killed.
        """
        self._done += amount
        is_elsewhere = at is not None and at != self._at
        is_telling = is_elsewhere and (self.silence_s is None or not self._at)
        self._at = self._at if at is None else at
        is_due = is_telling or time.monotonic() >= self._next_report_s
        if self.folder is None or not is_due:
            return
        was_orphaned = self.parent_pid is not None and os.getppid() != self.parent_pid
        if was_orphaned or os.path.exists(os.path.join(self.folder, _STOP)):  # noqa: PTH110, PTH118  # ten times as fast
            raise Stopped
        if self.silence_s is not None:
            self._hear_driver(self.folder, self.silence_s)
        self.report()

    def _hear_driver(self, folder: Path, silence_s: Seconds) -> None:
        """Read what the driver writes: opening a file is what makes NFS ask whether it has changed.

        Clocks of two machines differ, so only whether the text changes counts, by the clock of this one.
        """
        try:
            heard = (folder / _DRIVER).read_text(encoding="ascii")
        except OSError:  # the driver has left and took the folder with it
            raise Stopped from None
        now_s = time.monotonic()
        if heard != self._heard:
            self._heard, self._heard_at_s = heard, now_s
        if heard == _STOP or now_s - self._heard_at_s > silence_s:
            raise Stopped

    def report(self) -> None:
        """Tell the driver what was done so far."""
        if self.folder is None:
            return
        with contextlib.suppress(OSError):  # a full disk for temporary files stops no work
            _write(self.folder / f"{self.name}.at", f"{self._done}\n{self._at}")
        interval_s = _REPORT_S if self.silence_s is None else min(_FAR_REPORT_S, self.silence_s / 4)
        self._next_report_s = time.monotonic() + interval_s


@contextlib.contextmanager
def showing_life(folder: Path, silence_s: Seconds) -> Iterator[None]:
    """Let a thread show tasks on other machines that their driver lives, and whether it asks to stop.

    Args:
        folder: Where the tasks' lines run.
        silence_s: What they take for death; signs come four times as often, and at least once a second.
    """
    ended = threading.Event()

    def show() -> None:
        """Write another text each time, until the block ends."""
        for number in itertools.count(1):
            with contextlib.suppress(OSError):  # the next one may succeed
                (folder / _DRIVER).write_text(_STOP if is_asked_to_stop(folder) else str(number), encoding="ascii")
            if ended.wait(min(_FAR_REPORT_S, silence_s / 4)):
                return

    (folder / _DRIVER).write_text("0", encoding="ascii")  # it is there before any task looks
    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def ask_to_stop(folder: Path) -> None:
    """Ask every task that is watched in this folder to stop."""
    (folder / _STOP).touch()


def is_asked_to_stop(folder: Path) -> bool:
    """Tell whether `ask_to_stop` was called."""
    return (folder / _STOP).exists()


class ProgressTally:
    """The units that all tasks together have done: a number for those that have ended, reports for the others.

    There may be thousands of tasks, and it is looked at a few times a second.

    Args:
        folder: Where the tasks' lines run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n_ended = 0

    def end(self, name: str) -> None:
        """Count a task that has ended, and take its report away."""
        path = self._folder / f"{name}.at"
        done, _ = _read(path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            self._n_ended += done

    def forget(self, name: str) -> None:
        """Take away the report of an attempt whose task is run again."""
        with contextlib.suppress(OSError):
            (self._folder / f"{name}.at").unlink(missing_ok=True)

    @property
    def amount(self) -> int:
        """The units that were reported; never too many, a task that is just ending may be missing."""
        n_ended = self._n_ended
        return n_ended + sum(_read(path)[0] for path in self._folder.glob("*.at"))


def has_begun(folder: Path, name: str) -> bool:
    """Tell whether a task that has not ended has reported anything."""
    return (folder / f"{name}.at").exists()


def working_on(folder: Path, name: str) -> str:
    """Return what a task last said it was working on, or an empty text."""
    return _read(folder / f"{name}.at")[1]


def _write(path: Path, text: str) -> None:
    record = text.encode(errors="surrogateescape")[:_RECORD_BYTES].ljust(_RECORD_BYTES, b"\0")
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(file, record)
    finally:
        os.close(file)


def _read(path: Path) -> tuple[int, str]:
    with contextlib.suppress(OSError, ValueError):  # a file that is just being written counts at the next look
        record = path.read_bytes().rstrip(b"\0").decode(errors="surrogateescape")
        done, _, at = record.partition("\n")
        return int(done), at
    return 0, ""
