"""Text and progress bars for the terminal."""

from __future__ import annotations

import contextlib
import enum
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import typer

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import escaped, python_text
from toyadmos_datasets.units import Seconds, format_bytes, format_duration

if TYPE_CHECKING:
    from toyadmos_datasets.engine.progress import Advance, Progress
    from toyadmos_datasets.ingest import AsFound


class Verbosity(enum.Enum):
    """How much a command prints."""

    QUIET = "errors only"
    NORMAL = "results, and progress"
    VERBOSE = "each step, too"


_told = Verbosity.NORMAL


def set_verbosity(level: Verbosity) -> None:
    """Set how much this process prints from now on."""
    global _told  # noqa: PLW0603  # there is one terminal
    _told = level
    if level is Verbosity.VERBOSE:
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("toyadmos_datasets").setLevel(logging.INFO)


def print_lines(lines: Iterable[str], *, err: bool = False, is_question: bool = False) -> None:
    """Print lines, and escape invisible characters in them, line feeds included.

    With ``--quiet`` only a question is printed.
    """
    if _told is Verbosity.QUIET and not is_question:
        return
    typer.echo("\n".join(map(escaped, lines)), err=err)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as ASCII JSON with control characters escaped; values that JSON lacks are printed as text."""
    written = json.dumps(value, indent=indent, default=str)
    typer.echo(written.replace("\x7f", "\\u007f"))  # the one control character that JSON leaves as it is


def one_or_all(values: Sequence[object]) -> object:
    """Return what is told of one toy as it is, and of several as a list; None where nothing is told."""
    return list(values) if len(values) > 1 else next(iter(values), None)


def found_lines(found: Sequence[AsFound]) -> list[str]:
    """Return what was found of each toy, as text."""
    lines: list[str] = []
    for one in found:
        first, *rest = one.lines()
        lines += [f"{one.toy}: {first}" if len(found) > 1 else first, *rest]
    return lines


def loading_line(folder: Path, config: str, split: str) -> str:
    """Return a line of Python that loads the first clip of a prepared folder of any name.

    It is of this package and not of plain `datasets`, which takes ``[`` and ``*`` in a path for a pattern and ``::``
    for a chain of addresses, and which decodes only where torchcodec does.

    Example:
        >>> print(loading_line(Path("data/a"), "clean", "train"))
        import toyadmos_datasets; ds = toyadmos_datasets.load_dataset("data/a", "clean", split="train"); ds[0]["audio"]
    """
    place = str(folder)
    if len(folder.parts) == 1 and not folder.is_absolute():
        place = f"./{place}"  # `train` alone is a toy
    arguments = f"{python_text(place)}, {python_text(config)}, split={python_text(split)}"
    return f'import toyadmos_datasets; ds = toyadmos_datasets.load_dataset({arguments}); ds[0]["audio"]'


def table_lines(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows under their names; columns of numbers to the right."""
    rows = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
    is_number = [bool(rows) and all(row[i][:1].isdigit() for row in rows) for i in range(len(names))]

    def line(cells: Sequence[str]) -> str:
        """Align one row."""
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_number, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return [line(names), *(line(row) for row in rows)]


Number = TypeVar("Number", int, float)


def words_of(values: list[str | None] | list[str] | None) -> list[str]:
    """Split values at commas and blanks, so that `--snr 6,0 --snr -6` is three."""
    return [word for value in values or [] if value for word in value.replace(",", " ").split()]


def number_of(word: str, kind: Callable[[str], Number], option: str) -> Number:
    """Read one number.

    Raises:
        OptionError: The word is none.
    """
    try:
        return kind(word)
    except ValueError as error:
        raise OptionError(
            "An option takes numbers.",
            where=option,
            expected="numbers with commas between them",
            actual=ascii(word),
            remedy=f"For instance: {option} 1,2",
        ) from error


def progress_on_terminal() -> Progress:
    """Return the progress display: bars on a terminal, occasional lines in logs and pipes."""
    if _told is Verbosity.QUIET:
        return Lines(is_shown=False)
    if _told is Verbosity.VERBOSE or not sys.stderr.isatty():
        return Lines(is_verbose=_told is Verbosity.VERBOSE)
    return Bars()


def say_above_bars(text: str) -> None:
    """Print a line to standard error, above the bars if some are drawn."""
    drawing = Bars.drawing
    if drawing is None:
        typer.echo(text, err=True)
    else:
        drawing.say(text)


class Bars:
    """A bar for each stage, with its rate and the time left; stages may run inside and beside each other."""

    drawing: ClassVar[Bars | None] = None
    """The bars that are drawn now; there is one terminal."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: Any = None
        self._n_open = 0

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        """Draw a bar while the block runs; a stage with nothing to do is not shown."""
        if total <= 0:
            yield lambda done, note="": None  # noqa: ARG005  # as whoever draws a bar
            return
        with self._lock:
            if self._drawn is None:
                self._drawn = _new_bars()
                self._drawn.start()
                Bars.drawing = self
            bars, is_inner = self._drawn, self._n_open > 0
            self._n_open += 1
        task = bars.add_task(escaped(what), total=total, amount="", unit=unit)

        def show(done: int, note: str = "") -> None:
            bars.update(task, completed=min(done, total), amount=note or _amount(done, total, unit))

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


LINE_EVERY_S: Seconds = 30.0
"""Longest time between two lines of a stage."""
LINE_EVERY_SHARE = 0.05
LEAST_S: Seconds = 10.0
"""Shortest time between two lines of a stage."""


class Lines:
    """Occasional lines for each stage, for logs.

    Args:
        is_shown: Whether to print at all.
        is_verbose: Whether to tell every stage and how long it took.
    """

    def __init__(self, *, is_shown: bool = True, is_verbose: bool = False) -> None:
        self._is_shown = is_shown
        self._is_verbose = is_verbose

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        """Print how far the block is, every 30 s or 5 %; a stage with nothing to do is not shown."""
        if total <= 0:
            yield lambda done, note="": None  # noqa: ARG005  # as whoever prints a line
            return
        begun_s = told_s = time.monotonic()
        told = 0

        def show(done: int, note: str = "") -> None:
            """Print a line if the last one is long ago."""
            nonlocal told_s, told
            waited_s = time.monotonic() - told_s
            if waited_s >= LINE_EVERY_S or (waited_s >= LEAST_S and done - told >= LINE_EVERY_SHARE * total):
                told_s, told = time.monotonic(), done
                self.say(f"{what}: {min(done / total, 1):.0%}, {note or _amount(done, total, unit)}")

        if self._is_verbose:
            self.say(f"{what} ..")
        yield show
        if self._is_verbose:
            self.say(f"{what}: done in {format_duration(time.monotonic() - begun_s)}")

    def say(self, text: str) -> None:
        """Print a line."""
        if self._is_shown:
            typer.echo(escaped(text), err=True)


def _amount(done: int, total: int, unit: str) -> str:
    if unit == "bytes":
        return f"{format_bytes(min(done, total))} of {format_bytes(total)}"
    return f"{min(done, total)} of {total} {unit}"


_WIDE = 120
"""Columns of a terminal from which on there is room for a bar and all numbers."""


def _new_bars() -> Any:  # noqa: ANN401  # rich is imported only where bars are drawn
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Rate(ProgressColumn):
        """The rate of a stage that counts bytes or steps."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            unit = task.fields.get("unit")
            if not speed or unit not in {"bytes", "steps"}:
                return Text("")
            return Text(f"{format_bytes(speed) if unit == 'bytes' else f'{speed:.3g}'}/s")

    console = Console(stderr=True)
    what, amount = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[amount]"))
    if console.width < _WIDE:  # numbers say more than a bar
        return Progress(what, amount, Rate(), Remaining(), console=console)
    return Progress(what, BarColumn(), amount, Rate(), TimeElapsedColumn(), Remaining(), console=console)
