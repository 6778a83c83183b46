"""A file in memory that is Arrow's own, for Arrow's threads to read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa


def open_in_own_memory(path: Path) -> pa.BufferReader:
    """Read a file, and return it for Arrow to read from.

    Arrow reads tables in threads of its own, and these give up what they read when the table has long been handed
    out. Bytes that are Python's need the interpreter for that: where it is just ending, the whole process is aborted.
    Arrow could open the path by itself, but none with bytes that are no UTF-8.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        content = pa.allocate_buffer(path.stat().st_size)
        n_read = file.readinto(memoryview(content))
    return pa.BufferReader(content.slice(0, n_read))
