"""Hashes of large files, with progress."""

from __future__ import annotations

import hashlib
from pathlib import Path

from toyadmos_datasets.engine import Watch
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
