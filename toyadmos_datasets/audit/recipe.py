"""Clips that a recipe plans: what can be told of them without any audio."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.audit.clips import CLIPS_SCHEMA
from toyadmos_datasets.corpus.toys import CHANNELS, CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.signal.pcm import Pcm
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.recipe import STACK, Recipe
from toyadmos_datasets.values.shared_recipe import SharedRecipe


def clips_of_recipe(recipe: Recipe) -> pa.Table:
    """Return what a recipe says of each example.

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
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(n_rows, field.type)
        for field in CLIPS_SCHEMA
    ]
    return pa.table(arrays, schema=CLIPS_SCHEMA)


def clips_of_shared_recipe(shared: SharedRecipe) -> pa.Table:
    """Return the same of a recipe that was shared, with the hash of the samples of each example.

    Digital silence of the usual length is known by its hash, and gets the peak that it has.
    """
    clips = clips_of_recipe(shared.recipe)
    silences = {_digest_of_zeros(shared, length_s) for length_s in _lengths_s(shared)}
    digests = shared.digests.to_pylist()
    peaks = [0.0 if one in silences else None for one in digests]
    known = {"digest": pa.array([one.hex() for one in digests], pa.string()), "peak": pa.array(peaks, pa.float64())}
    for name, column in known.items():
        clips = clips.set_column(CLIPS_SCHEMA.get_field_index(name), CLIPS_SCHEMA.field(name), column)
    return clips


def _lengths_s(shared: SharedRecipe) -> set[Seconds]:
    """Return the lengths that clips have: that of an IND recording, and of the windows that are asked for."""
    windows = pc.unique(shared.recipe.examples["target_length"]).drop_null().to_pylist()
    return {toy_named(shared.toy).clip_s, *(one / CORPUS_RATE_HZ for one in windows)}


def _digest_of_zeros(shared: SharedRecipe, length_s: Seconds) -> bytes:
    rate_hz, bit_depth = int(shared.request.get("rate_hz", 16_000)), int(shared.request.get("bit_depth", 16))
    n_channels = len(CHANNELS) if shared.recipe.parameters.get("channels") == STACK else 1
    zeros = np.zeros((int(length_s * rate_hz), n_channels), np.int16 if bit_depth == 16 else np.int32)
    return Pcm(samples=zeros, rate_hz=rate_hz, bit_depth=bit_depth).digest
