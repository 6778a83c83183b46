"""The rows of a dataset's shards, a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError


def row_groups(path: Path) -> Iterator[pa.Table]:
    """Yield the row groups of a shard, one after the other, so that memory holds one of them.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    try:
        with path.open("rb") as file:  # Arrow itself opens no path with bytes that are no UTF-8
            shard = pq.ParquetFile(file)
            for number in range(shard.num_row_groups):
                yield shard.read_row_group(number)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            "A shard cannot be read.",
            where=path,
            expected="a Parquet file, as it was written",
            actual=error,
            remedy="Look for what else is damaged: toyadmos verify DIR",
        ) from error
