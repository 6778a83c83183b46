"""Looking at what is in a place that may not be looked at, and at what the machine has too little of."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from toyadmos_datasets.errors import DatasetError, ResourceError, ToyAdmosError

_NO_MORE_FILES = {errno.EMFILE, errno.ENFILE}

_LARGEST_REQUEST = 1 << 42
"""Bytes: whoever asks for more at once was told so by a damaged file, and no machine is too small for it."""


@contextlib.contextmanager
def looking(place: Path) -> Iterator[None]:
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


def raise_shortage(error: BaseException, where: object) -> None:
    """Raise what an error says of the machine; return if it may say something of the file at hand.

    Whoever turns errors into "missing" or "damaged" asks here first, so that nobody deletes a whole file because the
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


def _is_absurd(error: MemoryError) -> bool:
    """Whether so much was asked for that the file must be damaged which asked for it."""
    asked = re.search(r"size (\d+)", str(error))
    return asked is not None and int(asked[1][:20]) > _LARGEST_REQUEST


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with its ``~`` resolved; where there is no such user it is a name like others, as in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises where there is no such user
