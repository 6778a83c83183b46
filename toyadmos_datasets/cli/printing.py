"""The one way from a command's results to its streams: visible characters alone, and JSON that stays JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import typer

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
