"""Arrow's memory in a process: returned early, and without loading pandas."""

from __future__ import annotations

import sys

import pyarrow as pa


def release_freed_memory() -> None:
    """Give the pages back to the system that Arrow has freed in this process.

    Its allocator keeps them for a while. To get them anew costs more than to write them: once a shard is often enough.
    """
    pa.default_memory_pool().release_unused()


def keep_pandas_out() -> None:
    """Let pyarrow find no pandas, in a process in which nobody uses it; where it is loaded already, nothing changes.

    The first array that pyarrow makes would import pandas, only to see that what it is given is none of pandas'.
    That takes 0.2 s and 40 MB in every process. pyarrow looks once. Others may import pandas afterwards and have tables
    made into its frames, but its own objects are any sequences to pyarrow then: for the command line and workers, never
    for a library's caller.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Finds nothing, and lets no later finder find pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Refuse one module; what imports see as not installed."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
