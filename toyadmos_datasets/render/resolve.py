"""From a recipe and recordings to numbers: where each noise begins, which gains, how much headroom."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError, PlanError, SilentSignalError
from toyadmos_datasets.signal.levels import FULL_SCALE, Levels, db_to_gain, measure, power_to_db
from toyadmos_datasets.signal.mixing import headroom_for, sum_of
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe
from toyadmos_datasets.values.recordings import RecordingReader

RESOLVED_SCHEMA = RECIPE_SCHEMA.append(pa.field("n_samples", pa.int64())).append(pa.field("noise_start", pa.int64()))
"""A recipe's columns with both gains filled in (noise_gain_db is null for clean), and places in output samples."""

STRETCHES_A_TASK = 1000
GAIN_DECIMALS = 6
"""Gains that follow from levels are rounded so that the last bit of a logarithm cannot move a sample."""


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A stretch of the mean of some recordings.

    Attributes:
        recording_ids: Which recordings.
        start: First sample.
        n_samples: Length.
    """

    recording_ids: tuple[str, ...]
    start: int
    n_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Examples with every number that rendering needs.

    Attributes:
        examples: Table with `RESOLVED_SCHEMA`.
        headroom_db: Attenuation of every example.
    """

    examples: pa.Table
    headroom_db: Decibels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    stretches: tuple[Stretch, ...]
    catalogue: pa.Table
    rate_hz: Hertz


def resolve(
    recipe: Recipe,
    catalogue: pa.Table,
    *,
    rate_hz: Hertz,
    bit_depth: int = 16,
    headroom_db: Decibels | None = None,
    workers: int = 1,
    progress: Progress,
) -> Resolved:
    """Work out the numbers of every example.

    Args:
        recipe: The examples.
        catalogue: What is known of the ingested recordings.
        rate_hz: Their rate.
        bit_depth: Of the output; the largest positive integer is a little under full scale.
        headroom_db: A headroom of the user's choice; None for the whole number of dB that follows from
            the largest sum of peaks.
        workers: Number of processes.
        progress: Told about the measuring.

    Raises:
        DatasetError: A recording is not in the store.
        PlanError: A noise recording is shorter than the clip it is for.
        SilentSignalError: A target or a stretch of noise is digital silence, so that no SNR exists.
    """
    rows = recipe.examples.to_pylist()
    lengths = dict(zip(*(catalogue[name].to_pylist() for name in ("recording_id", "n_samples")), strict=True))
    for row in rows:
        _place(row, lengths, rate_hz)
    targets = [Stretch(tuple(row["recording_ids"]), row["target_start"], row["n_samples"]) for row in rows]
    noises = [_noise_stretch(row) for row in rows]
    distinct = sorted({*targets, *(noise for noise in noises if noise)})
    with progress.stage("Measuring levels", len(distinct), "stretches") as on_progress:
        measuring = run_tasks(
            _measure_stretches,
            _measuring_tasks(distinct, catalogue, rate_hz),
            workers=workers,
            on_progress=on_progress,
        )
        levels = {stretch: measured for some in measuring for stretch, measured in some}
    references = _reference_levels(rows, targets, levels, recipe.parameters.get("snr_reference", "corpus"))
    bound = 0.0
    for row, target, noise, reference_db in zip(rows, targets, noises, references, strict=True):
        _set_gains(row, target, noise, levels, reference_db)
        bound = max(bound, _peak_bound(row, levels[target], levels[noise] if noise else None))
    if headroom_db is None:
        headroom_db = headroom_for(bound, bit_depth)
    return Resolved(examples=pa.Table.from_pylist(rows, schema=RESOLVED_SCHEMA), headroom_db=headroom_db)


def _place(row: dict[str, Any], lengths: dict[str, int], rate_hz: Hertz) -> None:
    """Set where the target and the noise lie, in samples of the output.

    The microphones of one take may differ by a few samples; the shortest decides.
    """
    whole = min(_length(one, lengths) for one in row["recording_ids"])
    if row["target_start"] is None:
        row["target_start"], row["n_samples"] = 0, whole
    else:
        row["target_start"] = row["target_start"] * rate_hz // CORPUS_RATE_HZ
        row["n_samples"] = row["target_length"] * rate_hz // CORPUS_RATE_HZ
        if row["target_start"] + row["n_samples"] > whole:
            raise PlanError(
                "A window reaches past the end of its recording.",
                where=row["recording_ids"][0],
                expected=f"at most {whole} samples",
                actual=f"{row['n_samples']} samples from {row['target_start']} on",
                remedy="Make the recipe from the source that it is rendered from.",
            )
    row["noise_start"] = None
    if row["noise_recording_ids"]:
        n_noise = min(_length(one, lengths) for one in row["noise_recording_ids"])
        n_places = n_noise - row["n_samples"] + 1
        if n_places < 1:
            raise PlanError(
                "A noise recording is shorter than the clip it is mixed with.",
                where=row["noise_recording_ids"][0],
                expected=f"at least {row['n_samples']} samples, as long as {row['recording_ids'][0]}",
                actual=f"{n_noise} samples",
                remedy="Use longer noise recordings, or prepare without noise: --protocol basic",
            )
        row["noise_start"] = math.floor(row["noise_position"] * n_places)


def _length(recording_id: str, lengths: dict[str, int]) -> int:
    if recording_id not in lengths:
        raise DatasetError(
            "The recipe needs a recording that the store has not.",
            where=recording_id,
            expected="an ingested recording",
            actual="none",
            remedy="Prepare from a source that has it.",
        )
    return lengths[recording_id]


def _noise_stretch(row: dict[str, Any]) -> Stretch | None:
    if not row["noise_recording_ids"]:
        return None
    return Stretch(tuple(row["noise_recording_ids"]), row["noise_start"], row["n_samples"])


def _measuring_tasks(stretches: Sequence[Stretch], catalogue: pa.Table, rate_hz: Hertz) -> list[_Measuring]:
    tasks = []
    for start in range(0, len(stretches), STRETCHES_A_TASK):
        some = tuple(stretches[start : start + STRETCHES_A_TASK])
        needed = pa.array(sorted({one for stretch in some for one in stretch.recording_ids}))
        rows = catalogue.filter(pc.is_in(catalogue["recording_id"], value_set=needed))
        tasks.append(_Measuring(stretches=some, catalogue=rows, rate_hz=rate_hz))
    return tasks


def _measure_stretches(task: _Measuring, watch: Watch) -> list[tuple[Stretch, Levels]]:
    reader = RecordingReader(task.catalogue)
    measured = []
    for stretch in task.stretches:
        watch.advance(1, at=stretch.recording_ids[0])
        total = sum_of([reader.stretch(one, stretch.start, stretch.n_samples) for one in stretch.recording_ids])
        full_scale = FULL_SCALE * len(stretch.recording_ids)
        measured.append((stretch, measure(total, task.rate_hz, full_scale=full_scale)))
    return measured


def _reference_levels(
    rows: Sequence[dict[str, Any]], targets: Sequence[Stretch], levels: dict[Stretch, Levels], reference: str
) -> list[Decibels]:
    """Return the level that each example's SNR is relative to, dB re full scale.

    For the reference ``corpus`` it is the mean power of the normal IND clips of the same config, case and
    channel, so that the noise does not tell a damaged clip that is louder from a normal one.
    """
    if reference == "clip":
        return [levels[target].level_db for target in targets]
    if reference == "active":
        return [levels[target].active_level_db for target in targets]
    powers: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for row, target in zip(rows, targets, strict=True):
        if row["label"] == "normal":
            powers[_group(row)].append(10 ** (levels[target].level_db / 10))
    means = {group: power_to_db(math.fsum(some) / len(some)) for group, some in powers.items()}
    return [means[_group(row)] for row in rows]


def _group(row: dict[str, Any]) -> tuple[object, ...]:
    return row["config"], row["case"], row["channel"]


def _set_gains(
    row: dict[str, Any],
    target: Stretch,
    noise: Stretch | None,
    levels: dict[Stretch, Levels],
    reference_db: Decibels,
) -> None:
    """Fill in the gains of an example.

    With R the reference level, N the level of the stretch of noise and g its gain, all in dB, the SNR is
    R - (N + g), so g = R - N - SNR; the target keeps its level.
    """
    if noise is None:
        return
    for stretch, what in ((target, "target"), (noise, "noise")):
        if math.isinf(levels[stretch].level_db):
            raise SilentSignalError(
                f"The {what} of a mixture is digital silence.",
                where=f"{stretch.recording_ids[0]}, {stretch.n_samples} samples from {stretch.start}",
                expected="sound, so that the ratio of the two exists",
                actual="zeros only",
                remedy="Leave the recording out of the source, or choose another seed: --seed",
            )
    if row["snr_db"] is not None:
        row["target_gain_db"] = 0.0
        row["noise_gain_db"] = round(reference_db - levels[noise].level_db - row["snr_db"], GAIN_DECIMALS)


def _peak_bound(row: dict[str, Any], target: Levels, noise: Levels | None) -> float:
    """Return a bound on the magnitude of an example: the sum of its parts' peaks with their gains."""
    if noise is None and row["target_gain_db"] == 0:
        return 0.0  # integers as they were recorded fit, the lowest one too
    bound = target.peak * db_to_gain(row["target_gain_db"])
    return bound + (noise.peak * db_to_gain(row["noise_gain_db"]) if noise else 0.0)
