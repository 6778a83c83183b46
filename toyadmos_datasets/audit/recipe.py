"""Clips that a recipe plans: what can be told of them without any audio."""

from __future__ import annotations

import pyarrow as pa

from toyadmos_datasets.audit.clips import CLIPS_SCHEMA
from toyadmos_datasets.values.recipe import Recipe


def clips_of_recipe(recipe: Recipe, digests: pa.Array | None = None) -> pa.Table:
    """Return what a recipe says of each example.

    Args:
        recipe: The recipe.
        digests: Hash of the samples of each example, where they are known, as text.

    Returns:
        Table with `CLIPS_SCHEMA`; what only the recordings tell is null.
    """
    n_rows = len(recipe.examples)
    columns = {name: recipe.examples[name] for name in recipe.examples.column_names}
    columns |= {
        "place": pa.array([f"row {number}" for number in range(n_rows)], pa.string()),
        # in samples at 48 kHz there, and of the dataset here
        "target_start": pa.nulls(n_rows, pa.int64()),
    }
    if digests is not None:
        columns["digest"] = digests
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(n_rows, field.type)
        for field in CLIPS_SCHEMA
    ]
    return pa.table(arrays, schema=CLIPS_SCHEMA)
