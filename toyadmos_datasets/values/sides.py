"""Validation of config and split names, and of the shards' paths that they become parts of."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.files.inside import unsafe_reason

SIDE = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Letters, digits, ``_``, ``.`` and ``-``, and neither a dot nor a dash at the start."""


def unusable_side(examples: pa.Table) -> str | None:
    """Return the first config or split of a recipe's rows whose name cannot be a part of a path, or None."""
    names = [name for column in ("config", "split") for name in pc.unique(examples[column]).to_pylist()]
    return next((name for name in names if not _is_usable(name)), None)


def shard_path(config: str, split: str, number: int, count: int) -> str:
    """Name a shard as the Hub does: ``data/clean/train-00000-of-00004.parquet``."""
    return f"data/{config}/{split}-{number:05d}-of-{count:05d}.parquet"


def is_shard_place(path: str, config: str, split: str) -> bool:
    """Whether a path is one that `shard_path` gives for this config and split."""
    numbers = re.fullmatch(r"data/.+-([0-9]{5,9})-of-([0-9]{5,9})\.parquet", path)
    if numbers is None or not _is_usable(config) or not _is_usable(split):
        return False
    return path == shard_path(config, split, int(numbers[1]), int(numbers[2]))


def _is_usable(name: str | None) -> bool:
    return name is not None and re.fullmatch(SIDE, name) is not None and unsafe_reason(name) is None
