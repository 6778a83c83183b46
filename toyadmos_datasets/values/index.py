"""The index of recordings, known before any is decoded, and the activity of machines in continuous ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.corpus.noise_names import MAX_NOISE_TAKE
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.signal.randomness import text_hashes
from toyadmos_datasets.values.parquet_files import read_parquet

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


_SOUNDS = ["normal", "anomalous", "noise"]
_TYPES = ["IND", "CNT"]
_RANGES = {
    "case": (ALL_CASES, max(max(toy.cases) for toy in TOYS)),
    "channel": (min(CHANNELS), max(CHANNELS)),
    "take": (0, MAX_NOISE_TAKE),
    "n_bytes": (0, 1 << 53),
    "block": (0, 1 << 30),
}


def write_index(index: pa.Table, path: Path) -> None:
    """Write an index as Parquet, atomically."""
    with write_file(path) as file:
        pq.write_table(index.cast(INDEX_SCHEMA), file, compression="zstd")


def read_index(path: Path) -> pa.Table:
    """Read an index that `write_index` wrote.

    Raises:
        DatasetError: The file is not an index, damaged, or one of a newer version of this package.
    """
    table = read_parquet(path, lambda actual: _unreadable(path, "a Parquet file", actual))
    version = (table.schema.metadata or {}).get(b"toyadmos_index")
    if version != str(SCHEMA_VERSION).encode():
        actual = "no version" if version is None else f"version {ascii(version)[2:-1]}"
        raise _unreadable(path, f"toyadmos_index version {SCHEMA_VERSION}", actual)
    try:
        index = table.cast(INDEX_SCHEMA)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise _unreadable(path, "the columns of an index", f"{type(error).__name__}: {error}") from error
    for name, is_wrong in _faults(index):
        if pc.any(is_wrong).as_py():
            raise _unreadable(path, f"values that an index may have in the column {name!r}", "others")
    return index


def _faults(index: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """Yield for each rule of an index's rows the column, and where it is broken."""
    for field in INDEX_SCHEMA:
        if not field.nullable:
            yield field.name, pc.is_null(index[field.name])
    for name, (least, most) in _RANGES.items():
        yield name, pc.or_(pc.less(index[name], least), pc.greater(index[name], most))
    for name, known in (("sound", _SOUNDS), ("recording_type", _TYPES), ("toy", [toy.name for toy in TOYS])):
        yield name, pc.invert(pc.is_in(index[name], value_set=pa.array(known)))
    for name in ("recording_id", "event_id", "member"):
        yield name, pc.equal(index[name], "")


def _unreadable(path: Path, expected: str, actual: str) -> DatasetError:
    return DatasetError(
        "This is not an index that this version can read.",
        where=path,
        expected=expected,
        actual=actual,
        remedy=_AGAIN,
    )


ACTIVITY_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("stop", pa.int64(), nullable=False),
    ]
)
"""A row a run of a machine in one recording: its first sample and the one after its last, at 48 kHz.

Runs of a recording neither overlap nor touch. A recording without a row is all rest.
"""


def event_identities(event_ids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Return what draws of events derive from: a hash of each event_id's bytes."""
    if not len(event_ids):
        return np.empty(0, dtype=np.uint64)
    texts = pa.concat_arrays(event_ids.chunks) if isinstance(event_ids, pa.ChunkedArray) else event_ids
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return text_hashes(np.frombuffer(data or b"", dtype=np.uint8), bounds)
