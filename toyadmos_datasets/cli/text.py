"""Text for the terminal: results, plain tables, and values that are typed as words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import escaped, python_text


def print_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines; what is not visible in one of them, a line feed included, is escaped."""
    typer.echo("\n".join(map(escaped, lines)), err=err)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON of ASCII, control characters escaped; what JSON does not know is printed as text."""
    written = json.dumps(value, indent=indent, default=str)
    typer.echo(written.replace("\x7f", "\\u007f"))  # the one control character that JSON leaves as it is


def loading_line(folder: Path, config: str) -> str:
    """Return a line of Python that loads a config of a prepared folder, whatever the folder is called.

    It is of this package and not of plain `datasets`, which takes ``[`` and ``*`` in a path for a pattern and ``::``
    for a chain of addresses, and which decodes only where torchcodec does.

    Example:
        >>> print(loading_line(Path("data/train"), "clean"))
        import toyadmos_datasets; ds = toyadmos_datasets.load_dataset("data/train", "clean")
    """
    place = str(folder)
    if len(folder.parts) == 1 and not folder.is_absolute():
        place = f"./{place}"  # `train` alone is a toy
    arguments = f"{python_text(place)}, {python_text(config)}"
    return f"import toyadmos_datasets; ds = toyadmos_datasets.load_dataset({arguments})"


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


def numbers_of(value: str | None, option: str) -> tuple[int, ...] | None:
    """Read whole numbers with commas between them.

    Raises:
        OptionError: A word is none.
    """
    return None if value is None else tuple(number_of(word, int, option) for word in words_of([value]))


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
