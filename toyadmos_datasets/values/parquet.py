"""Reading of Parquet files that may be anybody's: bounded before they are loaded, valid before they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.files.looking import raise_shortage
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.own_memory import open_in_own_memory

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
        raise_shortage(error, path)
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
