"""How reports look in Python: a line when printed, a table in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, TypeAlias

from toyadmos_datasets.units import format_bytes

Rows: TypeAlias = tuple[Sequence[str], Sequence[Sequence[object]]]
"""A heading, and as many cells in every row."""


class DisplayedReport:
    """Base of what functions return. A report names the attributes that say what came of it.

    A report is a dataclass that makes no `repr` of its own.
    """

    __slots__ = ()
    displayed: ClassVar[tuple[str, ...]] = ()
    """Attributes that stand in the `repr`."""

    def display_rows(self) -> Rows:
        """Return the table for notebooks; by default a row for each displayed attribute."""
        rows = [[name.removeprefix("n_").replace("_", " "), self._shown(name)] for name in self.displayed]
        return ["", type(self).__name__], rows

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={self._shown(name)!r}" for name in self.displayed)
        return f"{type(self).__name__}({facts})"

    def _repr_html_(self) -> str:
        heading, rows = self.display_rows()
        return _table(heading, rows)

    def _shown(self, name: str) -> object:
        """Return an attribute as people read it: sizes with their unit, paths as text."""
        value = getattr(self, name)
        if name.startswith("n_bytes") or name.endswith("_bytes"):
            return format_bytes(value)
        return str(value) if isinstance(value, Path) else value


def _table(heading: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Write a table as HTML; nothing in a cell is taken for markup."""

    def line(cells: Iterable[object], tag: str) -> str:
        """Write one row."""
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(heading, "th") + "".join(line(one, "td") for one in rows) + "</table>"
