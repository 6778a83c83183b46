"""The clips of a config, as they stand in its shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from toyadmos_datasets.values.manifest import LABELS, STEMS, Shard
from toyadmos_datasets.values.shards import clip_rows, row_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip with what is known of it.

    Attributes:
        split: ``train``.
        label: ``normal`` or ``anomalous``.
        columns: Every column but audio.
        content: The bytes of its audio file.
        name: What that file is called in the dataset.
    """

    split: str
    label: str
    columns: dict[str, Any]
    content: bytes
    name: str


def clips_of(folder: Path, shards: Sequence[Shard]) -> Iterator[Clip]:
    """Yield the clips of some shards, in order; memory holds a row group."""
    for shard in shards:
        for row in clip_rows(folder, [shard], is_wanted=lambda name: name not in STEMS):
            audio, label = row.pop("audio"), LABELS[row["label"]]
            columns = row | {"label": label}
            yield Clip(split=shard.split, label=label, columns=columns, content=audio["bytes"], name=audio["path"])


def lengths_of(folder: Path, shards: Sequence[Shard]) -> tuple[int, int]:
    """Return the lengths of the shortest and of the longest clip, samples."""
    groups = [group["n_samples"] for shard in shards for group in row_groups(folder, shard, ["n_samples"])]
    return min(pc.min(one).as_py() for one in groups), max(pc.max(one).as_py() for one in groups)
