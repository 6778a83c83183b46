"""Progress bars on standard error, where that is a terminal; nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from toyadmos_datasets.engine.progress import Progress


def progress_on_terminal() -> Progress:
    """Return what shows progress: bars on a terminal, silence in logs and pipes."""
    return Bars(is_shown=sys.stderr.isatty())


class Bars:
    """A bar for each stage, with its rate and the time left.

    Args:
        is_shown: Whether to draw at all.
    """

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Draw a bar while the block runs; a stage with nothing to do is not shown."""
        if not self._is_shown or total <= 0:
            yield lambda _done: None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        amounts = (
            [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [MofNCompleteColumn(), TextColumn(unit)]
        )
        columns = [TextColumn("{task.description}"), BarColumn(), *amounts, TimeElapsedColumn(), TimeRemainingColumn()]
        with Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(what, total=total)
            yield lambda done: bars.update(task, completed=min(done, total))

    def say(self, text: str) -> None:
        """Print a line, on a terminal."""
        if self._is_shown:
            typer.echo(text, err=True)
