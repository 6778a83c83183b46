"""Clips of a prepared folder, decoded in workers, and of a recipe, as far as it tells without audio."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import (
    CLIPS_SCHEMA,
    FLOOR_DB,
    clips_table,
    measured,
    place_of_row,
    sketched,
)
from toyadmos_datasets.corpus.damage import damage_of, has_condition
from toyadmos_datasets.corpus.toys import CHANNELS, CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import WavError
from toyadmos_datasets.options.plan_options import STACK
from toyadmos_datasets.signal.clip_codec import Pcm, decode_pcm
from toyadmos_datasets.signal.levels import active_frames, energies_of
from toyadmos_datasets.units import Decibels, Seconds
from toyadmos_datasets.values.manifest import LABELS, STEMS, Manifest, Shard, check_shard_sizes
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.shards import clip_rows
from toyadmos_datasets.values.shared_recipe import SharedRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShardTask:
    folder: Path
    shard: Shard
    toy: str
    is_active: bool
    weighting: str | None


def clips_of_dataset(
    folder: Path, manifest: Manifest, parameters: Mapping[str, Any], progress: Progress, *, workers: int
) -> pa.Table:
    """Decode and measure every clip of a prepared folder.

    Args:
        folder: The folder.
        manifest: What is in it.
        parameters: Of its recipe; they say which levels its SNRs compare.
        progress: Told about the work.
        workers: Number of processes.

    Returns:
        Table with `CLIPS_SCHEMA`, in the order of the manifest.

    Raises:
        DatasetError: A shard is missing, was changed, or cannot be read.
    """
    check_shard_sizes(folder, manifest.audio_shards)
    is_active, weighting = parameters.get("snr_reference") == "active", parameters.get("weighting")
    tasks = [
        _ShardTask(folder=folder, shard=shard, toy=manifest.toy, is_active=is_active, weighting=weighting)
        for shard in manifest.audio_shards
    ]
    total = sum(shard.n_rows for shard in manifest.audio_shards)
    with progress.stage(f"Listening to {folder.name}", total, "clips") as on_progress:
        found = dict(run_tasks(measure_shard, tasks, workers=workers, on_progress=on_progress))
    return pa.concat_tables([CLIPS_SCHEMA.empty_table(), *(found[shard.path] for shard in manifest.audio_shards)])


def measure_shard(task: _ShardTask, watch: Watch) -> tuple[str, pa.Table]:
    """Return a shard's path and its clips."""
    shard, rows = task.shard, []
    known = [name for name in CLIPS_SCHEMA.names if name not in {"place", "config", "split"}]
    wanted = {*known, "audio", *STEMS, *toy_named(task.toy).parts}
    for number, row in enumerate(clip_rows(task.folder, [shard], is_wanted=wanted.__contains__)):
        place = place_of_row(shard.path, number)
        watch.advance(1, at=place)
        fixed: dict[str, str | None] = {
            "place": place,
            "config": shard.config,
            "split": shard.split,
            "label": LABELS[row["label"]],
            "damage_fault": _damage_fault(row, task.toy),
        }
        rows.append({name: row.get(name) for name in known} | fixed | _measured(row, place, task))
    return shard.path, clips_table(rows)


def _damage_fault(row: Mapping[str, Any], toy: str) -> str | None:
    """Say which part has another state than the damage table gives it for the clip's condition."""
    if not has_condition(toy, row["condition"]):
        return f"there is no condition {row['condition']}"
    states = damage_of(toy, row["condition"]).by_part
    wrong = [f"{part} is {row[part]} and not {state}" for part, state in states.items() if row.get(part) != state]
    return "; ".join(wrong) or None


def _measured(row: Mapping[str, Any], place: str, task: _ShardTask) -> dict[str, Any]:
    found, clip = measured(io.BytesIO(row["audio"]["bytes"]), name=place)
    if clip is None:
        return found
    stems: dict[str, Pcm] = {} if row.get("noise_recording_ids") else {"target": clip}
    for name in STEMS:
        if row.get(name) is None or (name in stems and row[name]["bytes"] == row["audio"]["bytes"]):
            continue
        try:
            stems[name] = decode_pcm(io.BytesIO(row[name]["bytes"]), name=f"{place}, {name}")
        except WavError as error:
            return found | {"fault": error.actual}
    for name, stem in stems.items():
        found |= sketched(stem, name)
    if stems.get("target") is clip and clip.n_channels == 1:  # measured as the clip
        levels = {"heard_target_db": found["level_db"], "heard_target_active_db": found["active_level_db"]}
        return found | ({} if _reaches_full_scale(clip) else levels)
    return found | _levels(stems, task) | {"stem_error": _stem_error(clip, stems)}


def _levels(stems: Mapping[str, Pcm], task: _ShardTask) -> dict[str, Decibels | None]:
    """Return the levels of the stems: those that the SNR compares where there are two, and those of all frequencies."""
    found: dict[str, Decibels | None] = {}
    plains = {name: energies_of(stem.samples.T, stem.rate_hz) for name, stem in stems.items()}
    active = active_frames(plains["target"].by_frame) if "target" in plains else None
    for name, stem in stems.items():
        plain = plains[name]
        if not _reaches_full_scale(stem):
            found[f"heard_{name}_db"] = max(plain.level_db(stem.full_scale), FLOOR_DB)
            if name == "target" and active is not None:
                found["heard_target_active_db"] = max(plain.level_over_db(active, stem.full_scale), FLOOR_DB)
        if len(stems) == len(STEMS):
            compared = energies_of(stem.samples.T, stem.rate_hz, task.weighting) if task.weighting else plain
            level_db = (
                compared.level_over_db(active, stem.full_scale)
                if active is not None and task.is_active
                else compared.level_db(stem.full_scale)
            )
            found[f"compared_{name}_db"] = max(level_db, FLOOR_DB)
    return found


def _reaches_full_scale(stem: Pcm) -> bool:
    return bool(stem.samples.max() >= stem.full_scale - 1 or stem.samples.min() <= -stem.full_scale)


def _stem_error(clip: Pcm, stems: Mapping[str, Pcm]) -> int | None:
    """Return how far the sum of the stems is from the clip; where that stands at full scale it may well be."""
    if stems.get("target") is None or stems["target"] is clip:
        return None
    if any(stem.samples.shape != clip.samples.shape for stem in stems.values()):
        return clip.full_scale
    whole = clip.samples.astype(np.int64)
    inside = (whole > -clip.full_scale) & (whole < clip.full_scale - 1)
    apart = whole - sum(stem.samples.astype(np.int64) for stem in stems.values())
    return int(np.abs(apart)[inside].max(initial=0))


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
