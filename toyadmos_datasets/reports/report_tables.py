"""The tables of the pages, as values: a page shows them, and papers take them as CSV and LaTeX."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from toyadmos_datasets.escaping import latex_text
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.scores.intervals import Interval

Cell: TypeAlias = str | int | float | Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a page.

    Attributes:
        name: What its files are called.
        heading: Names of the columns.
        rows: A cell a column; an interval becomes three columns of the CSV file.
    """

    name: str
    heading: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def texts(self) -> list[list[str]]:
        """The rows for people."""
        return [list(map(_text, row)) for row in self.rows]

    @property
    def is_number(self) -> list[bool]:
        """Whether each column holds numbers, which stand at the right."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.heading)
        return [bool(column) and all(map(_is_number, column)) for column in columns]

    @property
    def files(self) -> list[tuple[str, str, str]]:
        """For links on a page: file name, kind, and the file as an address of data."""
        return [
            (f"{self.name}.csv", "CSV", _address("text/csv", self.as_csv())),
            (f"{self.name}.tex", "LaTeX", _address("application/x-tex", self.as_latex())),
        ]

    def as_csv(self) -> str:
        """Return the table as CSV, numbers in full; what has no value is empty."""
        is_interval = [any(isinstance(row[at], Interval) for row in self.rows) for at in range(len(self.heading))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        pairs = zip(self.heading, is_interval, strict=True)
        writer.writerow([part for name, is_wide in pairs for part in _names(name, is_wide=is_wide)])
        for row in self.rows:
            cells = zip(row, is_interval, strict=True)
            writer.writerow([part for cell, is_wide in cells for part in _values(cell, is_wide=is_wide)])
        return out.getvalue()

    def as_latex(self) -> str:
        """Return the table for LaTeX; it needs the package booktabs."""
        columns = "".join("r" if one else "l" for one in self.is_number)
        lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _latex_line(self.heading), r"\midrule"]
        lines += map(_latex_line, self.texts)
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def write_report_tables(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Write each table as CSV and LaTeX; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        for kind, text in (("csv", table.as_csv()), ("tex", table.as_latex())):
            path = folder / f"{table.name}.{kind}"
            write_text(path, text)
            written.append(path)
    return written


def _is_number(cell: Cell) -> bool:
    return not isinstance(cell, str) or re.fullmatch(r"-?[0-9][0-9.]*|-", cell) is not None


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}" if math.isfinite(cell) else "-" if math.isnan(cell) else "infinite"
    return str(cell)


def _names(name: str, *, is_wide: bool) -> list[str]:
    return [name, f"{name}, low", f"{name}, high"] if is_wide else [name]


def _values(cell: Cell, *, is_wide: bool) -> list[object]:
    if isinstance(cell, Interval):
        return [_value(one) for one in (cell.value, cell.low, cell.high)]
    return [_value(cell), "", ""] if is_wide else [_value(cell)]


def _value(cell: str | float) -> object:
    return "" if isinstance(cell, float) and math.isnan(cell) else cell


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(map(latex_text, cells)) + r" \\"


def _address(kind: str, text: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode('utf-8', 'backslashreplace')).decode()}"
