"""Examples as users write them: a table in Parquet or CSV with some of a recipe's columns, read strictly."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values.own_memory import open_in_own_memory
from toyadmos_datasets.values.parquet import read_parquet
from toyadmos_datasets.values.recipe import FILE_SCHEMA, HEADER_KEY, Recipe, read_recipe
from toyadmos_datasets.values.shared_recipe import is_shared_recipe, read_shared_recipe

_MAGIC = b"PAR1"

REQUIRED = ("config", "split", "recording_ids")
"""Columns that nothing else tells."""

_REMEDY = "See docs/protocols.md for the columns, or look at a recipe.parquet that prepare wrote."


def read_examples(path: Path) -> Recipe | pa.Table:
    """Read a recipe, or a table that can become one.

    Args:
        path: Parquet, or CSV with a first line of names; lists have blanks between their words there.

    Returns:
        A recipe where a program has written one; else the columns that there are, with the types of
        `FILE_SCHEMA`, those of `REQUIRED` among them.

    Raises:
        DatasetError: The file cannot be read, or has a column that recipes have not, or one of another type.
    """
    if is_shared_recipe(path):
        return read_shared_recipe(path).recipe
    table = _read_table(path)
    if HEADER_KEY in (table.schema.metadata or {}):
        return read_recipe(path)
    known = ", ".join(FILE_SCHEMA.names)
    names = table.column_names
    strange = [name for name in names if name not in FILE_SCHEMA.names or names.count(name) > 1]
    if strange:
        raise _unreadable(path, f"columns of these, each once: {known}", f"a column {strange[0]!r}")
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        raise _unreadable(path, f"the columns {', '.join(REQUIRED)}", f"no column {absent[0]!r}")
    fields = [field for field in FILE_SCHEMA if field.name in names]
    return pa.table({field.name: _cast(path, table[field.name], field) for field in fields})


def _read_table(path: Path) -> pa.Table:
    unreadable = partial(_unreadable, path, "a table in Parquet or CSV (UTF-8)")
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                return read_parquet(path, unreadable)
        return _read_csv(open_in_own_memory(path))
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise unreadable(f"{type(error).__name__}: {error}") from error


def _read_csv(file: pa.BufferReader) -> pa.Table:
    """Read every column as text; what a text stands for is decided by the column's name."""
    head = pa_csv.open_csv(file).schema
    file.seek(0)
    kinds = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(head.names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    return pa_csv.read_csv(file, convert_options=kinds)


def _cast(path: Path, column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        if pa.types.is_list(field.type) and pa.types.is_string(column.type):
            column = pc.split_pattern(pc.fill_null(pc.utf8_trim_whitespace(column), ""), " ")
            column = pc.if_else(pc.equal(pc.list_element(column, 0), ""), pa.scalar([], pa.list_(pa.string())), column)
        cast = column.cast(field.type)
    except (pa.ArrowException, TypeError) as error:
        raise _unreadable(path, f"{field.type} in the column {field.name!r}", str(error).splitlines()[0]) from error
    if field.name == "noise_recording_ids" and cast.null_count:
        cast = pc.coalesce(cast, pa.scalar([], field.type))
    if not field.nullable and cast.null_count:
        raise _unreadable(path, f"a value in every row of the column {field.name!r}", f"{cast.null_count} rows without")
    return cast


def _unreadable(path: Path, expected: str, actual: str) -> DatasetError:
    return DatasetError(
        "This table cannot become a recipe.", where=path, expected=expected, actual=actual, remedy=_REMEDY
    )
