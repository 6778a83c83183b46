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
        metadata: The footer of a file whose hash was compared before: pyarrow ends the process where what a footer
            says of a column is damaged.
        n_rows: Rows, as the manifest has them.
        where: The shard, for the error.
        remedy: What to do, for the error.

    Raises:
        DatasetError: The footer says something else than a shard's can.
    """
    require_rows(metadata, n_rows, where=where, remedy=remedy)
    for group in _groups(metadata):
        _raise_for(_fault_of_group(group), where=where, remedy=remedy)


def require_rows(metadata: pq.FileMetaData, n_rows: int, *, where: object, remedy: str) -> None:
    """Raise if a footer counts other rows than the manifest, or a row group lacks columns; args as above.

    Raises:
        DatasetError: It does.
    """
    groups = _groups(metadata)
    counts = [group.num_rows for group in groups]
    fault = None
    if metadata.num_rows != n_rows or sum(counts) != n_rows or min(counts, default=0) < 0:
        fault = f"{metadata.num_rows} rows of {n_rows}, in row groups of {sum(counts)}"
    elif any(group.num_columns != metadata.num_columns for group in groups):
        fault = "a row group that lacks columns"
    _raise_for(fault, where=where, remedy=remedy)


def require_bounded_group(parquet: pq.ParquetFile, number: int, *, where: object, remedy: str) -> None:
    """Do for one row group what `require_bounded` does, of a file whose hash nobody has compared.

    One row is read before the footer is asked about columns: that finds out by an error what would end the process.

    Raises:
        DatasetError: The footer says something else than a shard's can.
        OSError: It is damaged.
    """
    next(parquet.iter_batches(batch_size=1, row_groups=[number], use_threads=False), None)
    _raise_for(_fault_of_group(parquet.metadata.row_group(number)), where=where, remedy=remedy)


def _groups(metadata: pq.FileMetaData) -> list[pq.RowGroupMetaData]:
    return [metadata.row_group(number) for number in range(metadata.num_row_groups)]


def _raise_for(fault: str | None, *, where: object, remedy: str) -> None:
    if fault is not None:
        raise DatasetError(
            "A shard is damaged.",
            where=where,
            expected="the rows of the manifest, in Parquet as toyadmos prepare writes it",
            actual=fault,
            remedy=remedy,
        )


def _fault_of_group(group: pq.RowGroupMetaData) -> str | None:
    for column in (group.column(place) for place in range(group.num_columns)):
        if column.compression != "UNCOMPRESSED" or not _ENCODINGS.issuperset(column.encodings):
            return f"compression {column.compression}, encodings {', '.join(column.encodings)}"
        if not 0 <= column.num_values <= MAX_CHUNK_VALUES or not 0 <= column.total_uncompressed_size <= MAX_CHUNK_BYTES:
            return f"{column.num_values} values, {column.total_uncompressed_size} bytes in a piece of a column"
    return None
