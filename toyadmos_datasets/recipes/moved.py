"""Which stage moved, where the same recipe gave other bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa

from toyadmos_datasets.recipes.fingerprint import ShardPrint
from toyadmos_datasets.values.dataset import Manifest
from toyadmos_datasets.values.shared_recipe import SharedRecipe

Stage: TypeAlias = Literal["source", "resampling", "mixing", "sound", "encoding", "columns", "writing"]

_WHAT: dict[Stage, str] = {
    "source": "The source moved: its recordings are not the ones that the recipe was made from.",
    "resampling": "Resampling moved: the same recordings became other samples.",
    "mixing": "Mixing moved: the same resampled recordings were added up to other samples.",
    "sound": "Source, resampling or mixing moved: the file does not say what the recordings were, so which is unknown.",
    "encoding": "Encoding moved: the samples are the same, and the audio files that hold them are not.",
    "columns": "The columns moved: the audio is the same, and what is said beside it is not.",
    "writing": "Writing moved: audio and columns are the same, and the Parquet files that hold them are not.",
}
_DEPENDS_ON: dict[Stage, tuple[str, ...]] = {
    "source": (),
    "resampling": ("soxr",),
    "mixing": ("numpy", "toyadmos-datasets"),
    "sound": ("soxr", "numpy", "toyadmos-datasets"),
    "encoding": ("libsndfile",),
    "columns": ("toyadmos-datasets", "numpy"),
    "writing": ("pyarrow", "toyadmos-datasets"),
}
"""Whose version matters: libsndfile has libFLAC inside or beside it, and does not tell its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Where bytes began to differ.

    Attributes:
        stage: The first stage that gave something else.
        what: The same in a sentence.
        versions: What that stage depends on: name, version then, version now.
        n_examples: Examples whose samples differ.
        examples: Some of them: config, split, event and channel.
        shards: Shards whose bytes differ.
    """

    stage: Stage
    what: str
    versions: tuple[tuple[str, str, str], ...]
    n_examples: int
    examples: tuple[str, ...]
    shards: tuple[str, ...]


def differing_shards(shared: SharedRecipe, manifest: Manifest) -> list[str]:
    """Return the paths of shards whose hashes are not those of the shared recipe."""
    then = {shard.path: shard.sha256 for shard in shared.shards}
    now = {shard.path: shard.sha256 for shard in manifest.audio_shards}
    return [path for path in dict.fromkeys([*then, *now]) if then.get(path) != now.get(path)]


def what_moved(shared: SharedRecipe, manifest: Manifest, prints: Sequence[ShardPrint], digests: pa.Array) -> Moved:
    """Find the first stage whose result differs.

    Args:
        shared: What was made elsewhere.
        manifest: What was made here, from the same recipe.
        prints: The hashes of what was made here.
        digests: Its samples' hashes, in the order of the recipe's rows.
    """
    rows = [
        number
        for number, pair in enumerate(zip(shared.digests.to_pylist(), digests.to_pylist(), strict=True))
        if pair[0] != pair[1]
    ]
    stage = _sound_stage(shared, manifest) if rows else _file_stage(shared, prints)
    shown = shared.recipe.examples.take(pa.array(rows[:20], pa.int64())).to_pylist()
    examples = [f"{one['config']}/{one['split']}: {one['event_id']}, channel {one['channel']}" for one in shown]
    return Moved(
        stage=stage,
        what=_WHAT[stage],
        versions=tuple(
            (name, shared.versions.get(name, "unknown"), manifest.versions.get(name, "unknown"))
            for name in _DEPENDS_ON[stage]
        ),
        n_examples=len(rows),
        examples=tuple(examples),
        shards=tuple(differing_shards(shared, manifest)),
    )


def _sound_stage(shared: SharedRecipe, manifest: Manifest) -> Stage:
    pairs = [(shared.source.get(name), manifest.source.get(name)) for name in ("recordings_sha256", "resampled_sha256")]
    if any(None in pair for pair in pairs):
        return "sound"
    if pairs[0][0] != pairs[0][1]:
        return "source"
    return "resampling" if pairs[1][0] != pairs[1][1] else "mixing"


def _file_stage(shared: SharedRecipe, prints: Sequence[ShardPrint]) -> Stage:
    if [(shard.path, shard.n_rows) for shard in shared.shards] != [
        (one.shard.path, one.shard.n_rows) for one in prints
    ]:
        return "writing"
    if [shard.audio_sha256 for shard in shared.shards] != [one.audio_sha256 for one in prints]:
        return "encoding"
    if [shard.columns_sha256 for shard in shared.shards] != [one.columns_sha256 for one in prints]:
        return "columns"
    return "writing"
