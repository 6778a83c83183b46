"""What the files of a toy's archive are called, and what they should be called where they nearly are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from toyadmos_datasets.escaping import shell_line

_TAIL = r"(?: ?\(\d+\))?(?:(?:[?@]|%3F)download=1)?"
"""What browsers and wget append: ``ToyTrain.7z.001?download=1``, ``ToyTrain.7z.001 (1)``."""


def volume_name(toy: str, number: int) -> str:
    """The name that 7-Zip gives to a volume: ``ToyTrain.7z.001``.

    Source:
        File names of record 3351307 on Zenodo.
    """
    return f"{toy}.7z.{number:03d}"


def renames(names: Iterable[str], toy: str) -> dict[str, str]:
    """Return what files of a folder should be called that are nearly called as a toy's archive or its volumes.

    Args:
        names: The files.
        toy: ``ToyTrain``.

    Returns:
        The right name for each, sorted by it; nothing for names that are right, or whose right name is taken.
    """
    known = sorted(names)
    right: dict[str, str] = {}
    for name in known:
        wanted = _wanted(name, toy)
        if wanted is not None and wanted not in known and wanted not in right:
            right[wanted] = name
    return {name: wanted for wanted, name in sorted(right.items())}


def rename_command(folder: Path, wanted: Mapping[str, str]) -> str:
    """Return the command that gives files of a folder their right names."""
    moves = [shell_line("mv", "--", name, right) for name, right in wanted.items()]
    return " && ".join([shell_line("cd", folder), *moves])


def _wanted(name: str, toy: str) -> str | None:
    parts = re.fullmatch(rf".*{toy}[^/]*?[._-]?part[._-]?(\d+)\.7z{_TAIL}", name, re.IGNORECASE)
    whole = re.fullmatch(rf".*{toy}[^/]*?\.7z(?: ?\(\d+\))?(?:\.(\d+))?{_TAIL}", name, re.IGNORECASE)
    match = parts or whole
    if match is None:
        return None
    if match[1] is None:
        return f"{toy}.7z"
    return volume_name(toy, int(match[1])) if 0 < int(match[1]) < 1000 else None
