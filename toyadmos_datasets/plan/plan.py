"""From an index and options to a recipe."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.plan.events import events_of
from toyadmos_datasets.plan.joined import NONE_JOINED, Joined
from toyadmos_datasets.plan.one_side import Settled, moved_notes, same_sound_notes, settle
from toyadmos_datasets.plan.options import PlanOptions
from toyadmos_datasets.plan.protocols import protocol_named
from toyadmos_datasets.plan.rows import rows_of
from toyadmos_datasets.plan.scope import Scope
from toyadmos_datasets.plan.selection import scope_of
from toyadmos_datasets.values.recipe import Recipe


def plan(
    index: pa.Table, options: PlanOptions, *, activity: pa.Table | None = None, joined: Joined = NONE_JOINED
) -> Recipe:
    """Decide which examples a dataset has, from the index alone.

    All of it works on columns: no step takes the examples one by one.

    Args:
        index: Every recording of the source.
        options: What is asked for.
        activity: Where machines run in continuous recordings, `values.activity.ACTIVITY_SCHEMA`, for protocols
            that cut windows from them; None to count as if they always ran, which a note then says.
        joined: Events that carry the same sound, which no two splits of a config have.

    Raises:
        PlanError: The source has not what the protocol needs.
        OptionError: The options contradict each other.
    """
    events = events_of(index, joined)
    tables: list[pa.Table] = []
    notes: list[str] = []
    for name in options.protocols:
        scope = scope_of(events, options, protocol_named(name), activity)
        planned = protocol_named(name).plan(scope)
        settled = [settle(scope, layout) for layout in planned.layouts]
        for one in settled:
            tables += rows_of(scope, one.layout)
        notes += [*planned.notes, *_common_notes(scope), *_same_sound_notes(scope, settled)]
    return Recipe(
        examples=pa.concat_tables(tables), parameters=options.as_parameters(), notes=tuple(dict.fromkeys(notes))
    )


def windowed_recordings(recipe: Recipe) -> list[str]:
    """Return the recordings that windows are cut from, sorted: those whose activity a plan depends on."""
    windowed = recipe.examples.filter(pc.is_valid(recipe.examples["target_start"]))
    return sorted(pc.unique(pc.list_flatten(windowed["recording_ids"])).to_pylist())


def _common_notes(scope: Scope) -> list[str]:
    """Say what a reader must know whatever the protocol."""
    options, notes = scope.options, []
    if scope.is_noise_shared:
        notes.append("Train and test share one pool of noise recordings.")
    if options.n_draws > 1:
        notes.append(f"Every event that is mixed with noise is there with {options.n_draws} different draws of it.")
    if options.max_events is not None:
        notes.append(f"A quick look: at most {options.max_events} events a split, case and label.")
    if len(scope.incomplete):
        notes.append(
            f"{len(scope.incomplete)} events lack a microphone that was asked for (such as "
            f"{scope.events.name(scope.incomplete[0])})."
        )
    return notes


def _same_sound_notes(scope: Scope, settled: list[Settled]) -> list[str]:
    """Say which events and which noise carry the same sound, and what follows for the splits."""
    notes = same_sound_notes(scope.events, scope.targets, "events", "they stand in one split")
    notes += moved_notes(scope, settled)
    if any(mixture.has_noise for one in settled for config in one.layout.configs for mixture in config.mixtures):
        noise = np.unique(np.concatenate([scope.noise(case) for case in scope.cases]))
        rule = "all splits share them" if scope.is_noise_shared else "they are one recording for every split"
        notes += same_sound_notes(scope.events, noise, "noise recordings", rule)
    return notes
