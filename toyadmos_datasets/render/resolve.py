"""From a recipe and recordings to numbers: where each noise begins, which gains, how much headroom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import SilentSignalError
from toyadmos_datasets.render.placing import Parts, floats, place
from toyadmos_datasets.render.references import reference_levels
from toyadmos_datasets.render.rules import MixingRules, rules_of
from toyadmos_datasets.render.stretches import StretchLevels, measure_stretches
from toyadmos_datasets.signal.levels import db_to_gain
from toyadmos_datasets.signal.mixing import headroom_for
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe

RESOLVED_SCHEMA = pa.schema(
    [
        *RECIPE_SCHEMA,
        pa.field("n_samples", pa.int64()),
        pa.field("noise_start", pa.int64()),
        pa.field("reference_level_db", pa.float64()),
    ]
)
"""A recipe's columns with both gains filled in (noise_gain_db is null for clean), places in output samples, and the
level that an SNR is relative to."""

GAIN_DECIMALS = 6
"""Gains and levels that are stored are rounded so that the last bit of a logarithm cannot move a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Examples with every number that rendering needs.

    Attributes:
        examples: Table with `RESOLVED_SCHEMA`.
        headroom_db: Attenuation of every example.
    """

    examples: pa.Table
    headroom_db: Decibels


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
    rules = rules_of(recipe.parameters, rate_hz)
    parts = place(examples, catalogue, rules)
    targets, noises = _measured(parts, catalogue, rules, workers=workers, progress=progress)
    _refuse_silence(parts, targets, noises, catalogue, rules)
    references_db = reference_levels(examples, targets, rules)
    target_gains_db, noise_gains_db = _gains(examples, parts, noises.compared_db(rules), references_db)
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
        "reference_level_db": np.round(references_db, GAIN_DECIMALS),
    }
    columns = [
        _column(found[field.name], field) if field.name in found else examples[field.name] for field in RESOLVED_SCHEMA
    ]
    return Resolved(examples=pa.table(columns, schema=RESOLVED_SCHEMA), headroom_db=headroom_db)


def _column(values: npt.NDArray[np.generic], field: pa.Field) -> pa.Array:
    """Return values as Arrow has them; NaN becomes null."""
    return pa.array(values, from_pandas=True).cast(field.type)


def _measured(
    parts: Parts, catalogue: pa.Table, rules: MixingRules, *, workers: int, progress: Progress
) -> tuple[StretchLevels, StretchLevels]:
    """Measure targets and noises together, so that all workers have something to do till the end."""
    together = parts.targets + parts.noises
    levels = measure_stretches(together, catalogue, rules, workers=workers, progress=progress)
    n_targets = len(parts.targets)
    return levels[np.arange(n_targets)], levels[np.arange(n_targets, len(together))]


def _refuse_silence(
    parts: Parts, targets: StretchLevels, noises: StretchLevels, catalogue: pa.Table, rules: MixingRules
) -> None:
    """Raise if a part of a mixture has no level.

    Raises:
        SilentSignalError: It names the recording and the stretch.
    """
    mixed = parts.targets[parts.noisy]
    for what, stretches, levels_db in (
        ("target", mixed, targets.compared_db(rules)[parts.noisy]),
        ("noise", parts.noises, noises.compared_db(rules)),
    ):
        silent = np.flatnonzero(np.isneginf(levels_db))
        if len(silent):
            one = silent[0]
            recording_id = catalogue["recording_id"][int(stretches.recordings[one, 0])].as_py()
            raise SilentSignalError(
                f"The {what} of a mixture is digital silence.",
                where=f"{recording_id}, {stretches.n_samples[one]} samples from {stretches.start[one]}",
                expected="sound, so that the ratio of the two exists",
                actual=_silence(rules),
                remedy="Leave the recording out of the source, or choose another seed: --seed",
            )


def _silence(rules: MixingRules) -> str:
    where = " where the machine is active" if rules.snr_reference == "active" else ""
    what = "zeros only" if rules.weighting is None else f"nothing that the {rules.weighting}-weighting lets through"
    return what + where


def _gains(
    examples: pa.Table,
    parts: Parts,
    noise_levels_db: npt.NDArray[np.float64],
    references_db: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the gains of targets and noises, NaN where there is no noise.

    With R the reference level, N the level of the stretch of noise and g its gain, all in dB, the SNR is
    R - (N + g), so g = R - N - SNR; the target keeps its level.
    """
    target_gains_db, noise_gains_db, snr_db = (
        floats(examples[name]).copy() for name in ("target_gain_db", "noise_gain_db", "snr_db")
    )
    levels_db = np.full(len(examples), np.nan)
    levels_db[parts.noisy] = noise_levels_db
    has_snr = ~np.isnan(snr_db) & ~np.isnan(levels_db)
    target_gains_db[has_snr] = 0.0
    noise_gains_db[has_snr] = np.round((references_db - levels_db - snr_db)[has_snr], GAIN_DECIMALS)
    return target_gains_db, noise_gains_db


def _peak_bound(
    parts: Parts,
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
