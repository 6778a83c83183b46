"""What the footer of somebody's Parquet file says, looked at before Arrow reads what it promises."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.checked import checked
from toyadmos_datasets.files.json import parse_json
from toyadmos_datasets.units import Bytes

MAX_FOOTER_BYTES: Bytes = 1 << 24
"""Ten times the footer of a shard with a thousand row groups."""

FEATURES_KEY = b"huggingface"
"""Where in the metadata of a file's schema `datasets` keeps the features."""

MAX_CHUNK_BYTES: Bytes = 1 << 31
"""Of a column in a row group: Arrow's offsets into a piece of clips have 32 bits."""

MAX_CHUNK_VALUES = 1 << 29
"""Of a column in a row group: log-mel features of 32 clips of ten minutes, 128 bands every 8 ms, are 300 million."""

_ENCODINGS = frozenset({"PLAIN", "RLE", "BIT_PACKED", "DELTA_LENGTH_BYTE_ARRAY"})
"""By which a value takes as many bytes in a file as in memory, but for nulls and lengths of lists."""

_TAIL_BYTES = 8
"""The length of the footer, four bytes, little-endian, and the mark ``PAR1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Info:
    features: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Features:
    info: _Info


def require_short_footer(file: IO[bytes], *, where: object, remedy: str) -> None:
    """Raise if a Parquet file's footer is longer than any that this package writes; the file is at its start then.

    Source:
        apache/parquet-format, "File Format": the last eight bytes of a file.

    Raises:
        DatasetError: It is, or the file is shorter than a footer's end.
        OSError: It cannot be read; a file system of fsspec may raise anything else.
    """
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(n_bytes - _TAIL_BYTES, 0))
    tail = file.read(_TAIL_BYTES)
    file.seek(0)
    told = int.from_bytes(tail[:4], "little")
    if len(tail) < _TAIL_BYTES or told > MAX_FOOTER_BYTES:
        raise DatasetError(
            "A shard is damaged.",
            where=where,
            expected=f"Parquet with a footer of at most {MAX_FOOTER_BYTES} bytes",
            actual=f"one of {told} bytes" if len(tail) == _TAIL_BYTES else f"{len(tail)} bytes",
            remedy=remedy,
        )


def features_in(schema: pa.Schema, *, where: object, remedy: str) -> dict[str, dict[str, Any]]:
    """Return the features that `datasets` keeps in a schema, by column.

    Raises:
        DatasetError: There are none, or they are damaged.
    """
    what = "The features of a shard are damaged."
    content = parse_json((schema.metadata or {}).get(FEATURES_KEY, b""), where=where, remedy=remedy, what=what)
    return checked(_Features, content, what=what, where=where, remedy=remedy).info.features


def require_bounded(metadata: pq.FileMetaData, n_rows: int, *, where: object, remedy: str) -> None:
    """Raise if reading a row group would take more memory than the file has bytes for it.

    Neither compression nor dictionaries are taken, by which few bytes become many, and `toyadmos prepare` uses neither.

    Args:
        metadata: The footer.
        n_rows: Rows, as the manifest has them.
        where: The shard, for the error.
        remedy: What to do, for the error.

    Raises:
        DatasetError: The footer says something else than a shard's can.
    """
    fault = _fault_of(metadata, n_rows)
    if fault is not None:
        raise DatasetError(
            "A shard is damaged.",
            where=where,
            expected=f"{n_rows} rows, in Parquet as toyadmos prepare writes it",
            actual=fault,
            remedy=remedy,
        )


def _fault_of(metadata: pq.FileMetaData, n_rows: int) -> str | None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    counts = [group.num_rows for group in groups]
    if metadata.num_rows != n_rows or sum(counts) != n_rows or min(counts, default=0) < 0:
        return f"{metadata.num_rows} rows, in row groups of {sum(counts)}"
    return next((fault for group in groups if (fault := _fault_of_group(group)) is not None), None)


def _fault_of_group(group: pq.RowGroupMetaData) -> str | None:
    for column in (group.column(place) for place in range(group.num_columns)):
        if column.compression != "UNCOMPRESSED" or not _ENCODINGS.issuperset(column.encodings):
            return f"compression {column.compression}, encodings {', '.join(column.encodings)}"
        if not 0 <= column.num_values <= MAX_CHUNK_VALUES or not 0 <= column.total_uncompressed_size <= MAX_CHUNK_BYTES:
            return f"{column.num_values} values, {column.total_uncompressed_size} bytes in a piece of a column"
    return None
