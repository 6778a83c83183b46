"""The features that the metadata of somebody's table hold, as `datasets` has them."""

from __future__ import annotations

import datasets
import pyarrow as pa

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values.parquet_files import features_in

_REMEDY = "Prepare or share the dataset again."


def features_of(schema: pa.Schema, *, where: object) -> datasets.Features:
    """Return the features of a table.

    Args:
        schema: Of the table.
        where: The table, for the error.

    Raises:
        DatasetError: The metadata hold none, or what `datasets` does not take for features of these columns.
    """
    content = features_in(schema, where=where, remedy=_REMEDY)
    try:
        features = datasets.Features.from_arrow_schema(schema)
    except Exception as error:  # what datasets raises for features that are none is not known
        raise _damaged(where, error) from error
    if set(features) != set(schema.names) or set(content) != set(schema.names):
        raise _damaged(where, f"features of {', '.join(map(ascii, sorted(content)))}")
    return features


def _damaged(where: object, actual: object) -> DatasetError:
    return DatasetError(
        "The features of a shard are damaged.",
        where=where,
        expected="the features of its columns, as datasets writes them",
        actual=actual,
        remedy=_REMEDY,
    )
