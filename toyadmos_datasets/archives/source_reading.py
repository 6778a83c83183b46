"""What every reader of a source has in common: the size of its pieces, and failures of the disk."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from toyadmos_datasets.errors import SourceError
from toyadmos_datasets.files.reading import raise_shortage

PIECE_BYTES = 1 << 20
"""How much is read, decoded and handed on at once: large enough that Python's share of a piece's cost
cannot be measured, small enough that memory stays flat."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into one that names `path` and says what to do."""
    try:
        yield
    except SourceError:
        raise
    except OSError as error:
        raise_shortage(error, path)
        raise SourceError(
            "A source could not be read.",
            where=path,
            actual=f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no errno')})",
            remedy="Check that it is there, readable and its disk healthy, then run the same command again.",
        ) from error
