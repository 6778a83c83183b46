"""Looking at what is in a place that may not be looked at."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from toyadmos_datasets.errors import DatasetError, ToyAdmosError


@contextlib.contextmanager
def looking(place: Path) -> Iterator[None]:
    """Turn an OSError inside the block into an error that names `place` and says what to do.

    Raises:
        DatasetError: The system does not let us look there, or there can be no such place.
    """
    try:
        yield
    except ToyAdmosError:
        raise
    except OSError as error:
        raise DatasetError(
            "A place cannot be looked at.",
            where=place,
            actual=f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no errno')})",
            remedy="Check that it is spelled right and that you may read it.",
        ) from error
