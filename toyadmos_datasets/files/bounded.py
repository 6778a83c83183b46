"""Reading what should be small, from a disk or from afar: never more than a bound of it is in memory."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.units import Bytes

MAX_RECIPE_BYTES: Bytes = 1 << 29
"""Ten times what the recipe of a whole toy takes, with all microphones at ten SNRs."""

MAX_CARD_BYTES: Bytes = 1 << 24
"""A thousand times the card of a dataset with ten configs; a config takes about a kilobyte of it."""

_PIECE_BYTES: Bytes = 1 << 20


def read_bounded(file: IO[bytes], most: Bytes, *, where: object, remedy: str) -> bytes:
    """Read an open file to its end, if that comes within a number of bytes.

    Where the file tells its size, nothing of one that is too large is read. What it tells is not believed: a server may
    send more.

    Args:
        file: At its start; of a disk or of fsspec.
        most: How many bytes it may have.
        where: Where it is, for the error.
        remedy: What to do, for the error.

    Raises:
        DatasetError: It has more bytes.
        OSError: It cannot be read; a file system of fsspec may raise anything else.
    """
    told = _told_bytes(file)
    if told is not None and told > most:
        raise _too_large(most, f"{told} bytes", where, remedy)
    content = bytearray()
    while piece := file.read(min(_PIECE_BYTES, most + 1 - len(content))):
        content += piece
        if len(content) > most:
            raise _too_large(most, "more", where, remedy)
    return bytes(content)


def read_bounded_file(path: Path, most: Bytes, *, remedy: str) -> bytes:
    """Read a file on the disk as `read_bounded` does.

    Raises:
        DatasetError: It has more bytes.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return read_bounded(file, most, where=path, remedy=remedy)


def _told_bytes(file: IO[bytes]) -> Bytes | None:
    """Return the size that a file tells of itself, without reading any of it."""
    told = getattr(file, "size", None)  # of files of fsspec; a server need not have told any
    if told is None and isinstance(file, io.BufferedReader | io.FileIO):
        told = os.fstat(file.fileno()).st_size
    return told if isinstance(told, int) else None


def _too_large(most: Bytes, actual: str, where: object, remedy: str) -> DatasetError:
    return DatasetError(
        "A file is larger than any that this package writes.",
        where=where,
        expected=f"at most {most} bytes",
        actual=actual,
        remedy=remedy,
    )
