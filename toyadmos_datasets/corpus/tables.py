"""Read the tables that travel with the package."""

from __future__ import annotations

import csv
from importlib.resources import files


def read_rows(name: str) -> tuple[list[str], list[list[str]]]:
    """Read a table of the folder ``data``: its header and its rows."""
    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return header, rows
