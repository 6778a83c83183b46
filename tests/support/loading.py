"""What tests of loading look at: the shards of a prepared folder, without `datasets`."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values.manifest import Shard, read_manifest


def stored(folder: Path, config: str = "clean", split: str = "train") -> list[dict[str, object]]:
    """Read what the shards hold, without datasets."""
    shards = read_manifest(folder).configs[config][split]
    return [row for shard in shards for row in pq.read_table(folder / shard.path)["audio"].to_pylist()]


def pcm(content: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(content), dtype="int16")[0]


def first_shard(folder: Path) -> tuple[Shard, Path]:
    """Return the first shard for training, and where it is."""
    shard = read_manifest(folder).configs["clean"]["train"][0]
    return shard, folder / shard.path


def outcome_of(act):
    """Return what comes back, or the error that comes instead."""
    try:
        return act()
    except DatasetError as error:
        return error


def measure_peak(row):
    return {"loudest": float(np.abs(row["audio"]["array"]).max())}
