"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol


class Progress(Protocol):
    """Shows progress somewhere; the command line has one that draws bars."""

    def stage(self, what: str, total: int, unit: str) -> contextlib.AbstractContextManager[Callable[[int], None]]:
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
    def stage(self, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Ignore a stage."""
        del what, total, unit
        yield lambda _done: None

    def say(self, text: str) -> None:
        """Ignore a text."""
