"""The index: an Arrow table with a row for every recording in a source, known before any is decoded."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.looking import raise_shortage
from toyadmos_datasets.values.own_memory import open_in_own_memory

SCHEMA_VERSION = 2

_AGAIN = "Make it again with: toyadmos index SRC --toy TOY --out FILE"

INDEX_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("toy", pa.string(), nullable=False),
        pa.field("case", pa.int8(), nullable=False),
        pa.field("serves", pa.list_(pa.int8()), nullable=False),
        pa.field("sound", pa.string(), nullable=False),
        pa.field("recording_type", pa.string(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("channel", pa.int8(), nullable=False),
        pa.field("take", pa.int32(), nullable=False),
        pa.field("member", pa.string(), nullable=False),
        pa.field("n_bytes", pa.int64(), nullable=False),
        pa.field("crc32", pa.uint32(), nullable=True),
        pa.field("block", pa.int32(), nullable=False),
    ],
    metadata={"toyadmos_index": str(SCHEMA_VERSION)},
)
"""Columns of an index, sorted by recording_id.

sound is ``normal``, ``anomalous`` or ``noise``; recording_type ``IND`` or ``CNT``. case is 0 for a noise recording
that is not of one case: it serves the cases in serves, or where that is empty, every case without noise of its own.
crc32 is null where only reading the file would tell (a tree).
"""


def write_index(index: pa.Table, path: Path) -> None:
    """Write an index as Parquet, atomically."""
    with write_file(path) as file:
        pq.write_table(index.cast(INDEX_SCHEMA), file, compression="zstd")


def read_index(path: Path) -> pa.Table:
    """Read an index that `write_index` wrote.

    Raises:
        DatasetError: The file is not an index, or one of a newer version of this package.
    """
    try:
        table = pq.read_table(open_in_own_memory(path))
    except (OSError, pa.ArrowException) as error:
        raise_shortage(error, path)
        raise DatasetError(
            "This index cannot be read.", where=path, expected="a Parquet file", actual=error, remedy=_AGAIN
        ) from error
    version = (table.schema.metadata or {}).get(b"toyadmos_index")
    if version != str(SCHEMA_VERSION).encode():
        raise DatasetError(
            "This is not an index that this version can read.",
            where=path,
            expected=f"toyadmos_index version {SCHEMA_VERSION}",
            actual="no version" if version is None else f"version {version.decode()}",
            remedy=_AGAIN,
        )
    return table.cast(INDEX_SCHEMA)
