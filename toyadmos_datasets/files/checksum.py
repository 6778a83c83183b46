"""Checksums of files on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hash a file's bytes, in pieces, so that its size does not matter.

    Returns:
        Hex SHA-256, lower case.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
