"""Computes the numbers of a mix from recipe and recordings: positions of noise, gains, headroom."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.engine import Engine
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.rendering.example_health import HeardStretches, health_of, heard_stretches
from toyadmos_datasets.rendering.exclusion import ExclusionRequest, SkippedEvent, exclude_examples, unmixable_of
from toyadmos_datasets.rendering.mixing_rules import MixingRules, rules_of
from toyadmos_datasets.rendering.stretches import Parts, Stretches, StretchLevels, floats, measure_stretches, place
from toyadmos_datasets.signal.levels import db_to_gain, power_to_db
from toyadmos_datasets.signal.mixing import headroom_for
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe
from toyadmos_datasets.values.recording_store import recording_hashes

GROUP = ("config", "case", "channel")
"""What the examples of one mean level have in common."""


def reference_levels(examples: pa.Table, targets: StretchLevels, rules: MixingRules) -> npt.NDArray[np.float64]:
    """Return the level that each example's SNR is relative to, dB re full scale; NaN where none was asked for.

    For the reference ``corpus`` it is the mean power of the normal IND clips of the same config, case and
    channel, so that the noise does not tell a damaged clip that is louder from a normal one. Where a config has
    none of them, its normal clips of any recording type stand in.

    Raises:
        PlanError: A config has no normal clip of a case and channel at all.
    """
    has_snr = pc.is_valid(examples["snr_db"]).to_numpy()
    if rules.snr_reference == "corpus":
        return _mean_levels(examples, targets.level_db, has_snr)
    return np.where(has_snr, targets.compared_db(rules), np.nan)


def _mean_levels(
    examples: pa.Table, levels_db: npt.NDArray[np.float64], has_snr: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    groups = _group_numbers(examples)
    is_normal = pc.equal(examples["label"], "normal").to_numpy()
    is_ind = pc.equal(examples["recording_type"], "IND").to_numpy()
    means_db = np.full(len(examples), np.nan)
    for group in np.unique(groups[has_snr]):
        members = groups == group
        normal = members & is_normal
        chosen = normal & is_ind if (normal & is_ind).any() else normal
        if not chosen.any():
            raise _no_reference(examples.slice(int(np.flatnonzero(members)[0]), 1).to_pylist()[0])
        powers = 10 ** (levels_db[chosen] / 10)
        means_db[members & has_snr] = power_to_db(math.fsum(powers) / len(powers))
    return means_db


def _group_numbers(examples: pa.Table) -> npt.NDArray[np.int64]:
    numbers = np.zeros(len(examples), dtype=np.int64)
    for name in GROUP:
        encoded = pc.dictionary_encode(examples[name].combine_chunks())
        numbers = numbers * len(encoded.dictionary) + encoded.indices.to_numpy()
    return numbers


def _no_reference(example: dict[str, object]) -> PlanError:
    return PlanError(
        "The level that the SNR is relative to does not exist: there is no normal clip to take it from.",
        where=f"config {example['config']}, case {example['case']}, channel {example['channel']}",
        expected="normal clips of the same config, case and channel",
        actual="anomalous ones only",
        remedy="Take the level of the clips themselves: --snr-reference clip",
    )


RESOLVED_SCHEMA = pa.schema(
    [
        *RECIPE_SCHEMA,
        pa.field("n_samples", pa.int64()),
        pa.field("noise_start", pa.int64()),
        pa.field("reference_level_db", pa.float64()),
        pa.field("target_level_db", pa.float64()),
        pa.field("target_active_level_db", pa.float64()),
        pa.field("noise_level_db", pa.float64()),
        pa.field("health", pa.list_(pa.string())),
        pa.field("recording_hashes", pa.list_(pa.string())),
        pa.field("noise_recording_hashes", pa.list_(pa.string())),
    ]
)
"""A recipe's columns with both gains filled in (noise_gain_db is null for clean), places in output samples, the level
that an SNR is relative to, and what is known of the parts as recorded: levels (dB re full scale, -inf for digital
zeros, never weighted), what is odd, and whose content they are."""

GAIN_DECIMALS = 6
"""Gains and levels that are stored are rounded so that the last bit of a logarithm cannot move a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Examples with every number that rendering needs.

    Attributes:
        examples: Table with `RESOLVED_SCHEMA`.
        headroom_db: Attenuation of every example.
        recipe: The same examples, and what was left out.
        skipped: Events that were left out because they cannot be mixed.
    """

    examples: pa.Table
    headroom_db: Decibels
    recipe: Recipe
    skipped: tuple[SkippedEvent, ...] = ()


def resolve(
    recipe: Recipe,
    catalogue: pa.Table,
    *,
    rate_hz: Hertz,
    bit_depth: int = 16,
    headroom_db: Decibels | None = None,
    leaving_out: ExclusionRequest | None = None,
    workers: int = 1,
    engine: Engine | None = None,
    progress: Progress,
) -> Resolved:
    """Work out the numbers of every example.

    Args:
        recipe: The examples; those left out before count for the numbers too.
        catalogue: What is known of the ingested recordings, sorted by recording_id.
        rate_hz: Their rate.
        bit_depth: Of the output; the largest positive integer is a little under full scale.
        headroom_db: A headroom of the user's choice; None for the whole number of dB that follows from
            the largest sum of peaks.
        leaving_out: What more is left out; None for nothing.
        workers: How many tasks run at once.
        engine: Where they run; None for this machine.
        progress: Told about the measuring.

    Raises:
        DatasetError: A recording is not in the store.
        PlanError: A noise recording is shorter than the clip it is for, or nothing is left of a split or a class.
        SilentSignalError: An SNR is asked for that does not exist, because one side of it is digital silence.
    """
    examples = recipe.planned
    rules = rules_of(recipe.parameters, rate_hz)
    parts = place(examples, catalogue, rules)
    heard = heard_stretches(examples, parts.targets, catalogue)
    measured = _measured(parts, heard, catalogue, rules, workers=workers, engine=engine, progress=progress)
    targets, noises = measured.compared
    references_db = reference_levels(examples, targets, rules)
    health = health_of(examples, heard, measured.windows, catalogue)
    noise_level_db = parts.of_noisy(measured.noises.level_db)
    kept = exclude_examples(
        recipe,
        leaving_out or ExclusionRequest(),
        health=health,
        noise_level_db=noise_level_db,
        unmixable=unmixable_of(
            examples, parts, noises=noises, references_db=references_db, catalogue=catalogue, rules=rules
        ),
        rules=rules,
    )
    target_gains_db, noise_gains_db = _gains(examples, parts, noises.compared_db(rules), references_db)
    if headroom_db is None:
        bound = _peak_bound(parts, targets, noises, target_gains_db, noise_gains_db)
        headroom_db = headroom_for(bound, bit_depth)
    found = {
        "target_start": parts.targets.start,
        "target_gain_db": target_gains_db,
        "noise_gain_db": noise_gains_db,
        "n_samples": parts.targets.n_samples,
        "noise_start": parts.of_noisy(parts.noises.start),
        "reference_level_db": np.round(references_db, GAIN_DECIMALS),
        "target_level_db": np.round(measured.targets.level_db, GAIN_DECIMALS),
        "target_active_level_db": np.round(measured.targets.active_level_db, GAIN_DECIMALS),
        "noise_level_db": np.round(noise_level_db, GAIN_DECIMALS),
        "health": health,
    } | _hashes(examples, catalogue)
    columns = [
        _column(found[field.name], field) if field.name in found else examples[field.name] for field in RESOLVED_SCHEMA
    ]
    resolved = pa.table(columns, schema=RESOLVED_SCHEMA).take(pa.array(kept.rows))
    return Resolved(examples=resolved, headroom_db=headroom_db, recipe=kept.recipe, skipped=kept.skipped)


def _column(values: npt.NDArray[np.generic] | pa.Array, field: pa.Field) -> pa.Array:
    """Return values as Arrow has them; NaN becomes null."""
    return pa.array(values, from_pandas=True).cast(field.type)


def _hashes(examples: pa.Table, catalogue: pa.Table) -> dict[str, pa.Array]:
    """Return the hash of each recording beside its id, for targets and noises."""
    ids, hashes = catalogue["recording_id"].combine_chunks(), pa.array(recording_hashes(catalogue), pa.string())
    found = {}
    for name in ("recording_ids", "noise_recording_ids"):
        lists = examples[name].combine_chunks()
        offsets = np.append(0, pc.list_value_length(lists).to_numpy().cumsum()).astype(np.int32)
        places = pc.index_in(lists.flatten(), value_set=ids)
        found[name.replace("ids", "hashes")] = pa.ListArray.from_arrays(offsets, hashes.take(places))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """How loud the parts are.

    Attributes:
        targets: The targets as recorded.
        noises: The noises as recorded.
        windows: The windows of single microphones, `HeardStretches.windows`.
        compared: Targets and noises as an SNR takes their frequencies; the same where it takes all alike.
    """

    targets: StretchLevels
    noises: StretchLevels
    windows: StretchLevels
    compared: tuple[StretchLevels, StretchLevels]


def _measured(
    parts: Parts,
    heard: HeardStretches,
    catalogue: pa.Table,
    rules: MixingRules,
    *,
    workers: int,
    engine: Engine | None,
    progress: Progress,
) -> _Measured:
    """Measure all parts together, so that all workers have something to do till the end."""

    def levels_of(rules: MixingRules, *stretches: Stretches) -> list[StretchLevels]:
        """Measure some stretches by some rules."""
        together = functools.reduce(operator.add, stretches)
        levels = measure_stretches(together, catalogue, rules, workers=workers, engine=engine, progress=progress)
        ends = np.cumsum([len(one) for one in stretches])
        return [levels[np.arange(end - len(one), end)] for one, end in zip(stretches, ends, strict=True)]

    plain = replace(rules, weighting=None)
    targets, noises, windows = levels_of(plain, parts.targets, parts.noises, heard.windows())
    compared = [targets, noises] if plain == rules else levels_of(rules, parts.targets, parts.noises)
    return _Measured(targets=targets, noises=noises, windows=windows, compared=(compared[0], compared[1]))


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
    levels_db = parts.of_noisy(noise_levels_db)
    has_snr = ~np.isnan(snr_db) & ~np.isnan(levels_db)
    target_gains_db[has_snr] = 0.0
    is_mixable = has_snr & np.isfinite(references_db) & np.isfinite(levels_db)
    found = references_db[is_mixable] - levels_db[is_mixable] - snr_db[is_mixable]
    noise_gains_db[is_mixable] = np.round(found, GAIN_DECIMALS)
    return target_gains_db, noise_gains_db


def _peak_bound(
    parts: Parts,
    targets: StretchLevels,
    noises: StretchLevels,
    target_gains_db: npt.NDArray[np.float64],
    noise_gains_db: npt.NDArray[np.float64],
) -> float:
    """Return a bound on the magnitude of all examples: the largest sum of the parts' peaks with their gains.

    Integers as they were recorded fit, the lowest one too. What cannot be mixed has no gain and is not counted.
    """
    peaks = targets.peak * db_to_gain(target_gains_db)
    bounds = np.where(target_gains_db == 0, 0.0, peaks)
    bounds[parts.noisy] = peaks[parts.noisy] + noises.peak * db_to_gain(noise_gains_db[parts.noisy])
    return float(np.nan_to_num(bounds).max(initial=0.0))
