"""Code that all sources share: the size of read pieces, disk failures, and a fetch that does nothing."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import SourceError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.values.source import FetchEstimate, Result, Source

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


class OnDisk:
    """The part of `values.source.Source` about fetching, for a source that is on the disk."""

    __slots__ = ()

    def fetch_estimate(self, wanted: Collection[str]) -> FetchEstimate | None:
        """Nothing: all is on the disk."""
        del wanted
        return None

    def fetch(self, wanted: Collection[str], *, progress: Progress, workers: int = 1) -> None:
        """Do nothing: all is on the disk."""

    def using(
        self: Source,
        wanted: Collection[str],
        use: Callable[[Source], Result],
        *,
        progress: Progress,
        stored: Callable[[], Collection[str]] | None = None,
    ) -> Result:
        """Use the recordings as they are."""
        del wanted, progress, stored
        return use(self)
