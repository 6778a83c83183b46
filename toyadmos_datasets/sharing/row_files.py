"""The rows of a dataset without its audio, as Parquet files that people look at and plain `datasets` opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.values.columns import features_of
from toyadmos_datasets.values.manifest import Manifest
from toyadmos_datasets.values.parquet_files import FEATURES_KEY
from toyadmos_datasets.values.shards import columns_of_shard
from toyadmos_datasets.values.shared_recipe import SharedRecipe

ROWS_FOLDER = "rows"
"""Not `data`: what lies there is audio, which must not become public."""

DIGEST_COLUMN = "samples_digest"
_ANY_RATE_HZ = 16_000
"""The features of clips are left out, and with them their rate."""


def rows_path(config: str, split: str) -> str:
    """Name the file of a split."""
    return f"{ROWS_FOLDER}/{config}/{split}.parquet"


def is_rows_path(path: str) -> bool:
    """Whether a path is one of those that `rows_path` gives."""
    return path.startswith(f"{ROWS_FOLDER}/") and path.endswith(".parquet")


def row_files(folder: Path, manifest: Manifest, shared: SharedRecipe) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of a file for each split of each config of clips.

    Each row has all columns of the dataset but those that hold sound, and the hash of the clip's samples. Configs of
    features are left out: they are made of the audio.

    Args:
        folder: The prepared folder.
        manifest: Its manifest.
        shared: The recipe that was exported of it.

    Raises:
        DatasetError: A shard is missing or its columns cannot be read.
    """
    features = {
        name: feature
        for name, feature in features_of(manifest.schema_toy, _ANY_RATE_HZ).items()
        if feature["_type"] != "Audio"
    }
    for config, splits in manifest.audio_configs.items():
        for split, shards in splits.items():
            rows = pa.concat_tables([columns_of_shard(folder, shard, list(features)) for shard in shards])
            digests = dict(known_of_split(shared, config, split))[DIGEST_COLUMN]
            yield rows_path(config, split), _parquet_of(rows, features, digests)


def known_of_split(shared: SharedRecipe, config: str, split: str) -> Iterator[tuple[str, pa.Array]]:
    """Yield the columns of a split's rows that the recipe has, by name: its events, and the hashes of its clips."""
    examples = shared.recipe.examples
    is_here = pc.and_(pc.equal(examples["config"], config), pc.equal(examples["split"], split))
    for name in ("event_id", "channel", "condition", "snr_db"):
        yield name, examples[name].filter(is_here)
    digests = shared.digests.filter(is_here.combine_chunks()).to_pylist()
    yield DIGEST_COLUMN, pa.array([digest.hex() for digest in digests], pa.string())


def _parquet_of(rows: pa.Table, features: dict[str, Any], digests: pa.Array) -> bytes:
    told = features | {DIGEST_COLUMN: {"dtype": "string", "_type": "Value"}}
    metadata = {FEATURES_KEY: json.dumps({"info": {"features": told}})}
    described = rows.append_column(DIGEST_COLUMN, digests).replace_schema_metadata(metadata)
    file = BytesIO()
    pq.write_table(described, file, compression="zstd")
    return file.getvalue()
