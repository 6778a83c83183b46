"""What is found to be wrong, as a value, and hashes of large files, with progress."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.engine import Watch
from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.units import Bytes

_PIECE_BYTES: Bytes = 8 << 20


def hash_of(path: Path, algorithm: str, watch: Watch) -> str:
    """Return a file's hash, hex, and tell the watch how many bytes were read."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            watch.advance(len(piece), at=str(path))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        what: One sentence that states it.
        path: The file or member that it is about.
        expected: What should be there.
        actual: What is there.
        remedy: What to do about it.
    """

    what: str
    path: str
    expected: str
    actual: str
    remedy: str

    def __str__(self) -> str:
        return str(self.as_error())

    def as_error(self) -> ToyAdmosError:
        """Return the same as an error, which knows how facts are shown."""
        facts = {name: getattr(self, name) or None for name in ("expected", "actual", "remedy")}
        return ToyAdmosError(self.what, where=self.path, **facts)


def problem_of(error: ToyAdmosError, path: str) -> Problem:
    """Take down an error that was met.

    Args:
        error: What was raised.
        path: What was being read, in case that the error does not say.
    """
    return Problem(
        what=error.what,
        path=error.where or path,
        expected=error.expected or "",
        actual=error.actual or "",
        remedy=error.remedy or "",
    )
