"""Reading of files and folders: within bounds, with checksums, and with errors that name the place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from toyadmos_datasets.errors import DatasetError, ResourceError, ToyAdmosError
from toyadmos_datasets.units import Bytes

_NO_MORE_FILES = {errno.EMFILE, errno.ENFILE}

_REFUSALS = {
    errno.EACCES: "You may not read this.",
    errno.EPERM: "You may not read this.",
    errno.EROFS: "The disk is mounted read-only.",
    errno.ENAMETOOLONG: "A path is longer than the system allows.",
    errno.EIO: "The disk cannot be read.",
}

_REMEDIES = {
    errno.EACCES: "Ask its owner for the right to read it, or choose another place.",
    errno.EPERM: "Ask its owner for the right to read it, or choose another place.",
    errno.EROFS: "Choose a place on another disk.",
    errno.ENAMETOOLONG: "Choose a place with a shorter path.",
    errno.EIO: "See what the system says of the disk (dmesg); then run the same command again, or choose another disk.",
}

_LARGEST_REQUEST = 1 << 42
"""Bytes: a request for more at once comes from a damaged file, and no machine is too small for it."""


@contextlib.contextmanager
def file_errors(place: Path) -> Iterator[None]:
    """Turn an OSError inside the block into an error that names `place` and says what to do.

    Raises:
        DatasetError: The system does not let us look there, or there can be no such place.
        ResourceError: The machine has no more open files or memory.
    """
    try:
        yield
    except ToyAdmosError:
        raise
    except OSError as error:
        raise_shortage(error, place)
        raise DatasetError(
            "A place cannot be looked at.",
            where=place,
            actual=f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no errno')})",
            remedy="Check that it is spelled right and that you may read it.",
        ) from error


def is_there(path: Path) -> bool:
    """Whether there is a file or a folder; unlike `Path.exists` of newer Pythons, no other answer is taken for "no".

    Raises:
        OSError: The system does not say.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def raise_shortage(error: BaseException, where: object) -> None:
    """Raise what an error says of the machine; return if it may say something of the file at hand.

    Code that turns errors into "missing" or "damaged" asks here first, so that nobody deletes a whole file because the
    machine was busy.

    Args:
        error: What was caught.
        where: The file that it came from.

    Raises:
        ResourceError: The machine has no more memory or open files.
    """
    shortage = shortage_of(error, where)
    if shortage is not None:
        raise shortage from error


def shortage_of(error: BaseException, where: object) -> ResourceError | None:
    """Return what an error says of the machine, or None if it says nothing of it."""
    if isinstance(error, ToyAdmosError):
        return None
    if isinstance(error, OSError) and error.errno in _NO_MORE_FILES:
        return ResourceError(
            "Too many files are open.",
            where=where,
            actual=f"{error.strerror} ({errno.errorcode[error.errno or 0]})",
            remedy="Raise the limit (ulimit -n 4096) or use fewer workers, then run the same command again.",
        )
    if (isinstance(error, MemoryError) and not _is_absurd(error)) or getattr(error, "errno", None) == errno.ENOMEM:
        return ResourceError(
            "There is not enough memory.",
            where=where,
            actual=str(error) or "no memory left",
            remedy="Close other programs or use fewer workers, then run the same command again.",
        )
    return None


def raise_system_fault(error: BaseException, where: object) -> None:
    """Raise what an error says of the machine, or of the system's refusal; return if the file itself may be at fault.

    Args:
        error: What was caught.
        where: The file that it came from.

    Raises:
        ResourceError: The machine has no more open files or memory.
        DatasetError: The system does not let us read the file, or its disk fails.
    """
    fault = system_fault_of(error, where)
    if fault is not None:
        raise fault from error


def system_fault_of(error: BaseException, where: object) -> ToyAdmosError | None:
    """Return what `raise_system_fault` raises, or None."""
    shortage = shortage_of(error, where)
    if shortage is not None or not isinstance(error, OSError) or error.errno not in _REFUSALS:
        return shortage
    return DatasetError(
        _REFUSALS[error.errno],
        where=where,
        actual=f"{error.strerror or error} ({errno.errorcode[error.errno]})",
        remedy=_REMEDIES[error.errno],
    )


def _is_absurd(error: MemoryError) -> bool:
    """Whether so much was asked for that the file must be damaged which asked for it."""
    asked = re.search(r"size (\d+)", str(error))
    return asked is not None and int(asked[1][:20]) > _LARGEST_REQUEST


def expanded_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with its ``~`` resolved; where there is no such user it is a name like others, as in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises where there is no such user


def sha256_of(path: Path) -> str:
    """Hash a file's bytes, in pieces, so that its size does not matter.

    Returns:
        Hex SHA-256, lower case.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
