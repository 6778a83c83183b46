"""Untrusted Parquet files: checked for size before they are loaded, and for validity before they are used."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError, ToyAdmosError
from toyadmos_datasets.files.checked_json import checked, parse_json
from toyadmos_datasets.files.reading import MAX_RECIPE_BYTES, raise_system_fault
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


def require_rows(metadata: pq.FileMetaData, n_rows: int, *, where: object, remedy: str) -> None:
    """Raise if a footer counts other rows than the manifest, or a row group lacks columns.

    Args:
        metadata: The footer.
        n_rows: Rows, as the manifest has them.
        where: The shard, for the error.
        remedy: What to do, for the error.

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
    """Raise if reading a row group would take more memory than the file has bytes for it.

    Neither compression nor dictionaries are taken, by which few bytes become many, and `toyadmos prepare` uses neither.
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


Explain: TypeAlias = Callable[[str], ToyAdmosError]
"""Makes the error of what a file is to be out of what was found there."""

MAX_ROWS = 10_000_000
"""Ten times the rows of the recipe of a whole toy, with all microphones at ten SNRs."""

MAX_LOADED_BYTES: Bytes = 1 << 32
"""What a table may take in memory, its repeated texts written out."""

_STEP_ROWS = 1024

PARQUET_FAULTS = (OSError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What pyarrow raises where a file is not what it should be."""


def read_parquet(path: Path, unreadable: Explain, *, deltas: Collection[str] = ()) -> pa.Table:
    """Read a whole table from a file of which no hash was compared before.

    Counts and sizes in the footer are compared with bounds before any row is read. Texts are read as dictionaries, so
    that one long text that stands in every row is found before it is written out. What was read is validated in
    full: a damaged offset can end a process when it is used.

    Args:
        path: The file.
        unreadable: Makes the error.
        deltas: Columns of texts that are kept as differences, for which pyarrow makes no dictionaries: these are
            read a few rows at a time.

    Returns:
        The table with plain types: dictionaries are written out.

    Raises:
        ToyAdmosError: As `unreadable` makes it.
    """
    try:
        content = open_in_own_memory(path)
        metadata = pq.read_metadata(content)
        fault = footer_fault(metadata)
        if fault is not None:
            raise unreadable(fault)
        return _loaded(content, metadata.schema, deltas)
    except ToyAdmosError:
        raise
    except PARQUET_FAULTS as error:
        raise_system_fault(error, path)
        raise unreadable(f"{type(error).__name__}: {error}") from error


def footer_fault(metadata: pq.FileMetaData) -> str | None:
    """Say which count or size in a footer is out of bounds, or None.

    Nothing is asked of single columns: where what a footer says of one is damaged, pyarrow ends the process.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    n_rows = [group.num_rows for group in groups]
    if not 0 <= metadata.num_rows <= MAX_ROWS:
        return f"{metadata.num_rows} rows"
    if min(n_rows, default=0) < 0 or sum(n_rows) != metadata.num_rows:
        return f"{metadata.num_rows} rows in all, and {sum(n_rows)} in row groups"
    n_bytes = [group.total_byte_size for group in groups]
    if min(n_bytes, default=0) < 0 or sum(n_bytes) > MAX_LOADED_BYTES:
        return f"row groups of {sum(n_bytes)} bytes"
    return None


def _loaded(content: pa.BufferReader, schema: pq.ParquetSchema, deltas: Collection[str]) -> pa.Table:
    names = schema.to_arrow_schema().names
    if len(set(names)) < len(names):
        raise ValueError("two columns of one name")
    parquet = pq.ParquetFile(content, read_dictionary=[one for one in _texts_of(schema) if _top(one) not in deltas])
    table = parquet.read(columns=[name for name in names if name not in deltas])
    table.validate(full=True)
    n_bytes = _written_out_bytes(table)
    _require_room(n_bytes)
    table = _written_out(table)
    for place, name in enumerate(names):
        if name in deltas:
            table = table.add_column(place, parquet.schema_arrow.field(name), _in_steps(parquet, name, n_bytes))
    return table


def _in_steps(parquet: pq.ParquetFile, name: str, n_bytes: Bytes) -> pa.ChunkedArray:
    """Read a column a few rows at a time, until it and what was read before take too much memory."""
    chunks = []
    for batch in parquet.iter_batches(batch_size=_STEP_ROWS, columns=[name]):
        batch.validate(full=True)
        n_bytes += batch.nbytes
        _require_room(n_bytes)
        chunks.append(batch.column(0))
    return pa.chunked_array(chunks, parquet.schema_arrow.field(name).type)


def _require_room(n_bytes: Bytes) -> None:
    if n_bytes > MAX_LOADED_BYTES:
        raise ValueError(f"rows that take more than {MAX_LOADED_BYTES} bytes")


def _top(path: str) -> str:
    return path.partition(".")[0]


def _texts_of(schema: pq.ParquetSchema) -> list[str]:
    leaves = (schema.column(place) for place in range(len(schema)))
    return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


def _written_out_bytes(table: pa.Table) -> Bytes:
    chunks = [chunk for column in table.columns for chunk in column.chunks]
    n_bytes: Bytes = table.nbytes
    return n_bytes + sum(_text_bytes(chunk) for chunk in chunks)


def _text_bytes(values: pa.Array) -> Bytes:
    """Return the bytes of texts that are kept as a dictionary, each as often as it stands there."""
    while pa.types.is_list(values.type):
        values = values.flatten()
    if not pa.types.is_dictionary(values.type):
        return 0
    lengths = pc.binary_length(values.dictionary).cast(pa.int64())
    n_bytes: int | None = pc.sum(lengths.take(values.indices)).as_py()
    return n_bytes or 0


def _written_out(table: pa.Table) -> pa.Table:
    fields = [field.with_type(_plain(field.type)) for field in table.schema]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.list_(_plain(kind.value_type)) if pa.types.is_list(kind) else kind
