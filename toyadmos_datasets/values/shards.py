"""The rows of a dataset's shards, a row group at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError


def row_groups(path: Path) -> Iterator[pa.Table]:
    """Yield the row groups of a shard, one after the other, so that memory holds one of them.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    with _reading(path) as shard:
        for number in range(shard.num_row_groups):
            yield shard.read_row_group(number)


def row_of_shard(path: Path, number: int, columns: Sequence[str]) -> dict[str, Any]:
    """Return one row of a shard.

    Args:
        path: The shard.
        number: The row, from 0.
        columns: Which columns, where the shard has them.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    with _reading(path) as shard:
        group = 0
        while number >= (n_rows := shard.metadata.row_group(group).num_rows):
            number, group = number - n_rows, group + 1
        known = [name for name in columns if name in shard.schema_arrow.names]
        row: dict[str, Any] = shard.read_row_group(group, columns=known).slice(number, 1).to_pylist()[0]
        return row


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a shard; whatever fails until it is closed is one error."""
    try:
        with path.open("rb") as file:  # Arrow itself opens no path with bytes that are no UTF-8
            yield pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            "A shard cannot be read.",
            where=path,
            expected="a Parquet file, as it was written",
            actual=error,
            remedy="Look for what else is damaged: toyadmos verify DIR",
        ) from error
