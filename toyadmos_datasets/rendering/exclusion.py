"""Examples that are left out after planning: unwanted ones, and those that cannot be mixed.

Whole events are left out, with all their microphones, configs and draws; of a continuous recording, the window. It
happens after the splits were drawn, and what is left out still counts for reference levels and headroom, so that all
other examples stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import PlanError, SilentSignalError
from toyadmos_datasets.rendering.example_health import exclusion_units
from toyadmos_datasets.rendering.mixing_rules import MixingRules
from toyadmos_datasets.rendering.stretches import Decibel, Flags, Numbers, Parts, StretchLevels
from toyadmos_datasets.values.health import OPTION, SILENT, Exclusion
from toyadmos_datasets.values.recipe import Recipe

SKIPPED_NAMED = 3
"""How many names a sentence has at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionRequest:
    """What is to be left out.

    Attributes:
        exclusion: What the user wants left out; the flag ``silent`` stands for what cannot be mixed too.
        is_skipping: Whether what cannot be mixed is listed as skipped instead of raised.
    """

    exclusion: Exclusion = field(default_factory=Exclusion)
    is_skipping: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmixable:
    """Examples whose ratio of target and noise does not exist.

    Attributes:
        rows: The examples, ascending.
        faults: Why, a sentence each.
        wheres: What has no level there: a stretch of a recording, or the clips that a mean is of.
    """

    rows: Numbers
    faults: tuple[str, ...]
    wheres: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedEvent:
    """An event that was left out because it cannot be mixed.

    Attributes:
        recording_id: Its recording, the first of several.
        reason: Why.
    """

    recording_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionResult:
    """What became of a recipe.

    Attributes:
        recipe: The same with more left out.
        rows: Which of its planned examples are kept, ascending.
        skipped: Events that could not be mixed.
    """

    recipe: Recipe
    rows: Numbers
    skipped: tuple[SkippedEvent, ...] = ()


def unmixable_of(
    examples: pa.Table,
    parts: Parts,
    *,
    noises: StretchLevels,
    references_db: Decibel,
    catalogue: pa.Table,
    rules: MixingRules,
) -> Unmixable:
    """Find the examples that are asked for at an SNR and have silence on either side of it."""
    noise_db = parts.of_noisy(noises.compared_db(rules))
    has_snr = pc.is_valid(examples["snr_db"]).to_numpy() & ~np.isnan(noise_db)
    rows = np.flatnonzero(has_snr & (np.isneginf(references_db) | np.isneginf(noise_db)))
    is_of_clip = rules.snr_reference != "corpus"
    ids = catalogue["recording_id"]
    place_of_noise = np.zeros(len(examples), dtype=np.int64)
    place_of_noise[parts.noisy] = np.arange(len(parts.noisy))
    faults, wheres = [], []
    for row in rows.tolist():
        is_reference = bool(np.isneginf(references_db[row]))
        if is_reference and not is_of_clip:
            one = examples.slice(row, 1).to_pylist()[0]
            faults.append("The normal clips that an SNR is relative to are digital silence.")
            wheres.append(f"config {one['config']}, case {one['case']}, channel {one['channel']}")
            continue
        stretches, place = (parts.targets, row) if is_reference else (parts.noises, int(place_of_noise[row]))
        recording_id = ids[int(stretches.recordings[place, 0])].as_py()
        faults.append(f"The {'target' if is_reference else 'noise'} of a mixture is digital silence.")
        wheres.append(f"{recording_id}, {stretches.n_samples[place]} samples from {stretches.start[place]}")
    return Unmixable(rows=rows, faults=tuple(faults), wheres=tuple(wheres))


def exclude_examples(
    recipe: Recipe,
    asked: ExclusionRequest,
    *,
    health: pa.Array,
    noise_level_db: Decibel,
    unmixable: Unmixable,
    rules: MixingRules,
) -> ExclusionResult:
    """Decide what is left out.

    Args:
        recipe: The examples, and what was left out before.
        asked: What is to be left out.
        health: The flags of every planned example.
        noise_level_db: Level of the noise of each, dB re full scale; NaN where there is none.
        unmixable: Those that cannot be mixed.
        rules: How recordings are compared.

    Raises:
        SilentSignalError: An example cannot be mixed, and nothing says to leave it out.
        PlanError: Nothing is left of a split or a class.
    """
    examples = recipe.planned
    pieces = exclusion_units(examples)
    before = np.arange(len(examples)) >= len(recipe.examples)
    is_silent = np.isneginf(noise_level_db) | _marked(len(examples), unmixable.rows)
    reasons = reasons_of(examples, asked.exclusion, health, is_silent)
    is_out = np.logical_or.reduce([before, *reasons.values()])
    left = [number for number, row in enumerate(unmixable.rows.tolist()) if not is_out[row]]
    skipped: tuple[SkippedEvent, ...] = ()
    if left:
        if not asked.is_skipping:
            raise _silence(unmixable, left[0], rules)
        reasons["no ratio of target and noise"] = _whole(_marked(len(examples), unmixable.rows[left]), pieces) & ~is_out
        skipped = _skipped(examples, unmixable, left, pieces)
        is_out |= reasons["no ratio of target and noise"]
    told = {reason: rows & ~before for reason, rows in reasons.items()}
    _require_something(examples, before, is_out, told)
    notes = [_note(examples, is_out & ~before, told)] if (is_out & ~before).any() else []
    notes += _strange_names(examples, asked.exclusion.ids)
    changed = Recipe(
        examples=examples.filter(pa.array(~is_out)),
        parameters=recipe.parameters,
        notes=(*recipe.notes, *notes),
        excluded=examples.filter(pa.array(is_out)),
    )
    return ExclusionResult(recipe=changed, rows=np.flatnonzero(~is_out), skipped=skipped)


def reasons_of(
    examples: pa.Table, exclusion: Exclusion, health: pa.Array, is_silent: Flags | None = None
) -> dict[str, Flags]:
    """Return which examples each flag leaves out, and which the names do, whole events.

    Args:
        examples: The examples.
        exclusion: Flags and names.
        health: The flags of every example.
        is_silent: Examples that the flag ``silent`` stands for beside those that have it: zeros for a noise.
    """
    pieces, parents, words = exclusion_units(examples), pc.list_parent_indices(health), health.flatten()
    rows = {flag: _marked(len(health), parents.filter(pc.equal(words, flag)).to_numpy()) for flag in exclusion.flags}
    if SILENT in rows and is_silent is not None:
        rows[SILENT] |= is_silent
    if exclusion.ids:
        rows["named"] = _named(examples, exclusion.ids)
    return {reason: _whole(marked, pieces) for reason, marked in rows.items()}


def _named(examples: pa.Table, ids: Sequence[str]) -> Flags:
    names = pa.array(ids, pa.string())
    found = pc.is_in(examples["event_id"], value_set=names).to_numpy().copy()
    for column in ("recording_ids", "noise_recording_ids"):
        lists = examples[column].combine_chunks()
        found[pc.list_parent_indices(lists).filter(pc.is_in(lists.flatten(), value_set=names)).to_numpy()] = True
    return found  # type: ignore[no-any-return]  # pyarrow has no annotations


def _strange_names(examples: pa.Table, ids: Sequence[str]) -> list[str]:
    """Say which names stand for nothing here: a list may be of a whole toy, and a dataset of one case."""
    if not ids:
        return []
    lists = [examples[name].combine_chunks().flatten() for name in ("recording_ids", "noise_recording_ids")]
    known = pc.unique(pa.chunked_array([examples["event_id"].combine_chunks(), *lists]))
    names = pa.array(ids, pa.string())
    strange = names.filter(pc.invert(pc.is_in(names, value_set=known))).to_pylist()
    shown = ", ".join(strange[:SKIPPED_NAMED])
    return [f"{len(strange)} of the {len(ids)} names of {OPTION} are not in this dataset: {shown}"] if strange else []


def _marked(n: int, rows: Numbers) -> Flags:
    marked = np.zeros(n, dtype=np.bool_)
    marked[rows] = True
    return marked


def _whole(rows: Flags, pieces: Numbers) -> Flags:
    """Mark all examples of a piece of which one is marked."""
    return np.isin(pieces, pieces[rows])


def _silence(unmixable: Unmixable, number: int, rules: MixingRules) -> SilentSignalError:
    n = len(unmixable.rows)
    where = " where the machine is active" if rules.snr_reference == "active" else ""
    what = "zeros only" if rules.weighting is None else f"nothing that the {rules.weighting}-weighting lets through"
    return SilentSignalError(
        unmixable.faults[number],
        where=unmixable.wheres[number],
        expected="sound, so that the ratio of target and noise exists",
        actual=f"{what}{where}, and {n} {'clip' if n == 1 else 'clips'} of this dataset that cannot be mixed",
        remedy=f"Leave out the events that cannot be mixed: {OPTION} {SILENT}; or list them as skipped: --skip-bad",
    )


def _skipped(
    examples: pa.Table, unmixable: Unmixable, left: Sequence[int], pieces: Numbers
) -> tuple[SkippedEvent, ...]:
    """Return each event once, with the first reason."""
    first = {int(pieces[unmixable.rows[number]]): number for number in reversed(left)}
    ids = examples["recording_ids"]
    found = [
        SkippedEvent(
            recording_id=ids[int(unmixable.rows[number])][0].as_py(),
            reason=f"{unmixable.faults[number]} ({unmixable.wheres[number]})",
        )
        for number in first.values()
    ]
    return tuple(sorted(found, key=lambda one: (one.recording_id, one.reason)))


def _note(examples: pa.Table, is_out: Flags, reasons: dict[str, Flags]) -> str:
    n_events, n_clips = _n_events(examples, is_out), int(is_out.sum())
    events = "1 event" if n_events == 1 else f"{n_events} events"
    clips = "1 clip" if n_clips == 1 else f"{n_clips} clips"
    were = "was" if n_events == 1 else "were"
    return f"{events} ({clips}) {were} left out after the splits were drawn: {_counted(examples, reasons)}."


def _counted(examples: pa.Table, reasons: dict[str, Flags]) -> str:
    counts = {reason: _n_events(examples, rows) for reason, rows in reasons.items()}
    return ", ".join(f"{reason} {n}" for reason, n in counts.items() if n)


def _n_events(examples: pa.Table, rows: Flags) -> int:
    return len(pc.unique(examples["event_id"].filter(pa.array(rows))))


def _require_something(examples: pa.Table, before: Flags, is_out: Flags, reasons: dict[str, Flags]) -> None:
    """Raise where nothing is left of a class in a split, or of a split.

    Raises:
        PlanError: It names config, split and class, and what has taken the events away.
    """
    names = ["config", "split", "label"]
    kept = {tuple(one.values()) for one in _distinct(examples, names, ~is_out)}
    for one in _distinct(examples, names, ~before):
        if tuple(one.values()) in kept:
            continue
        mine = np.logical_and.reduce([pc.equal(examples[name], one[name]).to_numpy() for name in names])
        taken = {reason: rows & mine for reason, rows in reasons.items()}
        raise PlanError(
            f"Nothing is left of the {one['label']} clips of a split.",
            where=f"config {one['config']}, split {one['split']}",
            expected=f"at least one of {int((mine & ~before).sum())} clips",
            actual=f"all left out, by events: {_counted(examples, taken)}",
            remedy=f"Leave out less with {OPTION}, or choose other cases or channels: --cases, --channels",
        )


def _distinct(examples: pa.Table, names: list[str], rows: Flags) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (
        examples.select(names).filter(pa.array(rows)).group_by(names).aggregate([]).to_pylist()
    )
    return found
