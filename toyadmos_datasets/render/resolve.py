"""From a recipe and recordings to numbers: where each noise begins, which gains, how much headroom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import PlanError, SilentSignalError
from toyadmos_datasets.render.references import reference_levels
from toyadmos_datasets.render.stretches import (
    Numbers,
    Stretches,
    StretchLevels,
    measure_stretches,
    recording_numbers,
    shortest,
)
from toyadmos_datasets.signal.levels import db_to_gain
from toyadmos_datasets.signal.mixing import headroom_for
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe

RESOLVED_SCHEMA = RECIPE_SCHEMA.append(pa.field("n_samples", pa.int64())).append(pa.field("noise_start", pa.int64()))
"""A recipe's columns with both gains filled in (noise_gain_db is null for clean), and places in output samples."""

GAIN_DECIMALS = 6
"""Gains that follow from levels are rounded so that the last bit of a logarithm cannot move a sample."""


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
class _Parts:
    """The parts of every example.

    Attributes:
        targets: The target of each example.
        noisy: Which examples have noise, shape (n_noisy,).
        noises: The noise of each of these.
    """

    targets: Stretches
    noisy: Numbers
    noises: Stretches


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
        catalogue: What is known of the ingested recordings, sorted by recording_id.
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
    examples = recipe.examples
    parts = _parts(examples, catalogue, rate_hz)
    targets, noises = _measured(parts, catalogue, rate_hz, workers=workers, progress=progress)
    _refuse_silence(parts, targets, noises, catalogue)
    references_db = reference_levels(examples, targets, recipe.parameters.get("snr_reference", "corpus"))
    target_gains_db, noise_gains_db = _gains(examples, parts, noises, references_db)
    if headroom_db is None:
        bound = _peak_bound(parts, targets, noises, target_gains_db, noise_gains_db)
        headroom_db = headroom_for(bound, bit_depth)
    noise_start = np.full(len(examples), np.nan)
    noise_start[parts.noisy] = parts.noises.start
    found = {
        "target_start": parts.targets.start,
        "target_gain_db": target_gains_db,
        "noise_gain_db": noise_gains_db,
        "n_samples": parts.targets.n_samples,
        "noise_start": noise_start,
    }
    columns = [
        _column(found[field.name], field) if field.name in found else examples[field.name] for field in RESOLVED_SCHEMA
    ]
    return Resolved(examples=pa.table(columns, schema=RESOLVED_SCHEMA), headroom_db=headroom_db)


def _column(values: npt.NDArray[np.generic], field: pa.Field) -> pa.Array:
    """Return values as Arrow has them; NaN becomes null."""
    return pa.array(values, from_pandas=True).cast(field.type)


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64, NaN where it is null."""
    return column.cast(pa.float64()).to_numpy()  # type: ignore[no-any-return]  # pyarrow has no annotations


def _parts(examples: pa.Table, catalogue: pa.Table, rate_hz: Hertz) -> _Parts:
    """Find where targets and noises lie, in samples of the output.

    Raises:
        DatasetError: A recording is not in the store.
        PlanError: A window or a clip does not fit its recordings.
    """
    lengths = catalogue["n_samples"].to_numpy()
    of_targets = recording_numbers(examples["recording_ids"], catalogue)
    whole = shortest(of_targets, lengths)
    windows = [_floats(examples[name]) for name in ("target_start", "target_length")]
    is_window = ~np.isnan(windows[0])
    start, length = (np.nan_to_num(one).astype(np.int64) * rate_hz // CORPUS_RATE_HZ for one in windows)
    targets = Stretches(recordings=of_targets, start=start, n_samples=np.where(is_window, length, whole))
    _require_windows_inside(targets, whole, examples)
    of_noises = recording_numbers(examples["noise_recording_ids"], catalogue)
    noisy = np.flatnonzero((of_noises >= 0).any(axis=1))
    n_samples, n_noise = targets.n_samples[noisy], shortest(of_noises[noisy], lengths)
    _require_long_noise(noisy, n_samples, n_noise, examples)
    position = _floats(examples["noise_position"])[noisy]
    noise_start = np.floor(position * (n_noise - n_samples + 1)).astype(np.int64)
    noises = Stretches(recordings=of_noises[noisy], start=noise_start, n_samples=n_samples)
    return _Parts(targets=targets, noisy=noisy, noises=noises)


def _require_windows_inside(targets: Stretches, whole: Numbers, examples: pa.Table) -> None:
    outside = np.flatnonzero(targets.start + targets.n_samples > whole)
    if len(outside):
        row = outside[0]
        raise PlanError(
            "A window reaches past the end of its recording.",
            where=_first(examples["recording_ids"], row),
            expected=f"at most {whole[row]} samples",
            actual=f"{targets.n_samples[row]} samples from {targets.start[row]} on",
            remedy="Make the recipe from the source that it is rendered from.",
        )


def _require_long_noise(noisy: Numbers, n_samples: Numbers, n_noise: Numbers, examples: pa.Table) -> None:
    short = np.flatnonzero(n_noise < n_samples)
    if len(short):
        one = short[0]
        row = noisy[one]
        raise PlanError(
            "A noise recording is shorter than the clip it is mixed with.",
            where=_first(examples["noise_recording_ids"], row),
            expected=f"at least {n_samples[one]} samples, as long as {_first(examples['recording_ids'], row)}",
            actual=f"{n_noise[one]} samples",
            remedy="Use longer noise recordings, or prepare without noise: --protocol basic",
        )


def _first(lists: pa.ChunkedArray, row: int) -> str:
    return str(lists[int(row)][0].as_py())


def _measured(
    parts: _Parts, catalogue: pa.Table, rate_hz: Hertz, *, workers: int, progress: Progress
) -> tuple[StretchLevels, StretchLevels]:
    """Measure targets and noises together, so that all workers have something to do till the end."""
    together = parts.targets + parts.noises
    levels = measure_stretches(together, catalogue, rate_hz, workers=workers, progress=progress)
    n_targets = len(parts.targets)
    return levels[np.arange(n_targets)], levels[np.arange(n_targets, len(together))]


def _refuse_silence(parts: _Parts, targets: StretchLevels, noises: StretchLevels, catalogue: pa.Table) -> None:
    """Raise if a part of a mixture has no level.

    Raises:
        SilentSignalError: It names the recording and the stretch.
    """
    mixed = parts.targets[parts.noisy]
    for what, stretches, levels_db in (
        ("target", mixed, targets.level_db[parts.noisy]),
        ("noise", parts.noises, noises.level_db),
    ):
        silent = np.flatnonzero(np.isneginf(levels_db))
        if len(silent):
            one = silent[0]
            recording_id = catalogue["recording_id"][int(stretches.recordings[one, 0])].as_py()
            raise SilentSignalError(
                f"The {what} of a mixture is digital silence.",
                where=f"{recording_id}, {stretches.n_samples[one]} samples from {stretches.start[one]}",
                expected="sound, so that the ratio of the two exists",
                actual="zeros only",
                remedy="Leave the recording out of the source, or choose another seed: --seed",
            )


def _gains(
    examples: pa.Table, parts: _Parts, noises: StretchLevels, references_db: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the gains of targets and noises, NaN where there is no noise.

    With R the reference level, N the level of the stretch of noise and g its gain, all in dB, the SNR is
    R - (N + g), so g = R - N - SNR; the target keeps its level.
    """
    target_gains_db, noise_gains_db, snr_db = (
        _floats(examples[name]).copy() for name in ("target_gain_db", "noise_gain_db", "snr_db")
    )
    levels_db = np.full(len(examples), np.nan)
    levels_db[parts.noisy] = noises.level_db
    has_snr = ~np.isnan(snr_db) & ~np.isnan(levels_db)
    target_gains_db[has_snr] = 0.0
    noise_gains_db[has_snr] = np.round((references_db - levels_db - snr_db)[has_snr], GAIN_DECIMALS)
    return target_gains_db, noise_gains_db


def _peak_bound(
    parts: _Parts,
    targets: StretchLevels,
    noises: StretchLevels,
    target_gains_db: npt.NDArray[np.float64],
    noise_gains_db: npt.NDArray[np.float64],
) -> float:
    """Return a bound on the magnitude of all examples: the largest sum of the parts' peaks with their gains.

    Integers as they were recorded fit, the lowest one too.
    """
    peaks = targets.peak * db_to_gain(target_gains_db)
    bounds = np.where(target_gains_db == 0, 0.0, peaks)
    bounds[parts.noisy] = peaks[parts.noisy] + noises.peak * db_to_gain(noise_gains_db[parts.noisy])
    return float(bounds.max(initial=0.0))
