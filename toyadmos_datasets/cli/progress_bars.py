"""Progress bars on standard error, where that is a terminal; elsewhere only the few lines that are worth one."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import typer

from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.engine.progress import Progress


def progress_on_terminal() -> Progress:
    """Return what shows progress: bars on a terminal, silence in logs and pipes."""
    return Bars(is_shown=sys.stderr.isatty())


def say_above_bars(text: str) -> None:
    """Print a line to standard error, above the bars if some are drawn."""
    drawing = Bars.drawing
    if drawing is None:
        typer.echo(text, err=True)
    else:
        drawing.say(text)


class Bars:
    """A bar for each stage, with its rate and the time left; stages may run inside and beside each other.

    Args:
        is_shown: Whether to draw at all.
    """

    drawing: ClassVar[Bars | None] = None
    """Those that are on the terminal now; there is one terminal."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._lock = threading.Lock()
        self._drawn: Any = None
        self._n_open = 0

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Draw a bar while the block runs; a stage with nothing to do is not shown."""
        if not self._is_shown or total <= 0:
            yield lambda _done: None
            return
        with self._lock:
            if self._drawn is None:
                self._drawn = _new_bars()
                self._drawn.start()
                Bars.drawing = self
            bars, is_inner = self._drawn, self._n_open > 0
            self._n_open += 1
        task = bars.add_task(escaped(what), total=total, amount="")

        def show(done: int) -> None:
            bars.update(task, completed=min(done, total), amount=_amount(done, total, unit))

        try:
            yield show
        finally:
            with self._lock:
                self._n_open -= 1
                if self._n_open == 0:
                    bars.stop()
                    self._drawn = Bars.drawing = None
                elif is_inner:
                    bars.remove_task(task)

    def say(self, text: str) -> None:
        """Print a line, above the bars if there are any."""
        with self._lock:
            drawn = self._drawn
        if drawn is None:
            typer.echo(escaped(text), err=True)
        else:
            drawn.console.print(escaped(text), markup=False, highlight=False)


def _amount(done: int, total: int, unit: str) -> str:
    if unit == "bytes":
        return f"{format_bytes(min(done, total))} of {format_bytes(total)}"
    return f"{min(done, total)} of {total} {unit}"


def _new_bars() -> Any:  # noqa: ANN401  # rich is imported only where bars are drawn
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Rate(ProgressColumn):
        """The rate of a stage that counts bytes."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            is_bytes = str(task.fields.get("amount", "")).endswith("B")
            return Text(f"{format_bytes(speed)}/s" if speed and is_bytes else "")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[amount]}"), Rate())
    return Progress(*columns, TimeElapsedColumn(), Remaining(), console=Console(stderr=True))
