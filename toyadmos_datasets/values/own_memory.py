"""A file in memory that is Arrow's own, for Arrow's threads to read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa

from toyadmos_datasets.files.bounded import MAX_RECIPE_BYTES
from toyadmos_datasets.units import Bytes


def open_in_own_memory(path: Path, *, most: Bytes = MAX_RECIPE_BYTES) -> pa.BufferReader:
    """Read a file, and return it for Arrow to read from.

    Arrow reads tables in threads of its own, and these give up what they read when the table has long been handed
    out. Bytes that are Python's need the interpreter for that: where it is just ending, the whole process is aborted.
    Arrow could open the path by itself, but none with bytes that are no UTF-8.

    Args:
        path: The file.
        most: How many bytes it may have.

    Raises:
        OSError: The file cannot be read, or is larger.
    """
    with path.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > most:
            raise OSError(errno.EFBIG, f"larger than any that this package writes, {n_bytes} bytes of at most {most}")
        content = pa.allocate_buffer(n_bytes)
        n_read = file.readinto(memoryview(content))
    return pa.BufferReader(content.slice(0, n_read))
