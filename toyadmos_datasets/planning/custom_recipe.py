"""A user's own recipe: completed from the index, and checked by the rules of every protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.channel_choices import STACK
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.planning.content_split import same_sound_notes
from toyadmos_datasets.planning.custom_table import (
    SIDE_COLUMNS,
    CustomTable,
    check_rows,
    require_disjoint_splits,
    takes_in_several_splits,
)
from toyadmos_datasets.planning.events import NONE_JOINED, EqualEvents, Numbers, contiguous, events_of
from toyadmos_datasets.values.prepare_command import OWN_PROTOCOL
from toyadmos_datasets.values.recipe import IS_EXCLUDED, RECIPE_SCHEMA, Recipe, unmarked
from toyadmos_datasets.values.recipe_parameters import check_parameters
from toyadmos_datasets.values.recipe_rows import MIXING

OWN = OWN_PROTOCOL
"""What stands in the place of the protocols among a recipe's parameters."""


def require_no_choice_beside(options: PlanOptions, path: Path) -> None:
    """Refuse options that choose examples beside a recipe that says which.

    Raises:
        OptionError: There is one.
    """
    plain = PlanOptions(toy=options.toy)
    fine = {name: getattr(options, name) for name in ("snr_reference", "weighting", "shared_noise")}
    fine["channels"] = options.channels if options.channels == STACK else None
    if options != replace(plain, **fine):
        raise OptionError(
            "A recipe of your own says itself which examples there are.",
            where=f"--recipe {path}",
            expected="no other choice than --channels stack, --snr-reference, --weighting, --shared-noise",
            actual="other options that choose examples",
            remedy="Leave out either the recipe or those options.",
        )


def complete_custom_recipe(
    examples: Recipe | pa.Table, index: pa.Table, options: PlanOptions, path: Path, *, joined: EqualEvents = NONE_JOINED
) -> Recipe:
    """Check a user's recipe against the index and make it whole.

    Columns that are left out follow from the recordings' names (label, toy, case, channel, recording_type,
    condition, take, event_id), are counted (draw) or empty; those that are there have to agree.

    Args:
        examples: As `read_examples` gives them; a recipe comes back as it is, if it passes.
        index: Every recording of the source.
        options: Toy, and for a table without parameters of its own what else holds for all examples.
        path: Where it is from, for errors.
        joined: Events that carry the same sound, which no two splits of a config may have.

    Raises:
        DatasetError: A written recipe lacks parameters that rendering needs.
        PlanError: A rule is broken; names the first row that breaks it.
    """
    table = examples.planned if isinstance(examples, Recipe) else examples
    parameters: dict[str, Any] = options.as_parameters() | {"protocols": [OWN]}
    if isinstance(examples, Recipe):
        _require_its_own_parameters(examples, options, path)
        check_parameters(examples.parameters, where=path)
        parameters = examples.parameters
    own = CustomTable(table=table.combine_chunks(), events=events_of(index, joined), path=path)
    whole = _completed(own, options.toy)
    is_noise_shared = any(parameters.get(name) for name in ("is_noise_shared", "is_faithful"))
    require_disjoint_splits(own, whole, is_noise_shared=is_noise_shared)
    notes = _notes(own, whole, is_noise_shared=is_noise_shared)
    if isinstance(examples, Recipe):
        return replace(examples, notes=tuple(dict.fromkeys((*examples.notes, *notes))))
    note = f"The recipe is the user's own ({path.name}); no protocol has made it."
    rows, excluded = unmarked(_in_order(_marked(own, whole), own.event))
    return Recipe(examples=rows, parameters=parameters, notes=(note, *notes), excluded=excluded)


def _marked(own: CustomTable, whole: pa.Table) -> pa.Table:
    """Say which rows are left out: those that the table says so of, such as a recipe that was changed by hand."""
    given = own.table[IS_EXCLUDED.name] if IS_EXCLUDED.name in own.table.column_names else None
    return whole.append_column(IS_EXCLUDED, pa.repeat(False, len(whole)) if given is None else given)


def _notes(own: CustomTable, whole: pa.Table, *, is_noise_shared: bool) -> list[str]:
    """Say which events carry the same sound, and which noise may."""
    noise = np.unique(own.noise_event[own.has_noise])
    notes = same_sound_notes(own.events, np.unique(own.event), "events", "they stand in one split")
    rule = "all splits share them" if is_noise_shared else "they are one recording for every split"
    notes += same_sound_notes(own.events, noise, "noise recordings", rule)
    return notes if is_noise_shared else [*notes, *takes_in_several_splits(own, whole)]


def _require_its_own_parameters(recipe: Recipe, options: PlanOptions, path: Path) -> None:
    """Raise where options beside a written recipe contradict what it was made with, or no options can say it all."""
    if recipe.added:
        raise OptionError(
            "The recipe has grown: its configs were asked for one after the other.",
            where=f"--recipe {path}",
            expected="a recipe of one request",
            actual=f"one with {len(recipe.added)} additions",
            remedy="Export it and rebuild it: toyadmos recipe export DIR -o FILE, toyadmos recipe rebuild FILE",
        )
    if options != PlanOptions(toy=options.toy) or recipe.parameters.get("toy") != options.toy:
        raise OptionError(
            "The recipe was written with its own toy and options.",
            where=f"--recipe {path}",
            expected=f"--toy {recipe.parameters.get('toy')} and no other choice of examples or levels",
            actual=f"--toy {options.toy}, or more options",
            remedy="Leave those options out.",
        )


def _completed(own: CustomTable, toy: str) -> pa.Table:
    """Return all columns of a recipe, after checking every rule that holds for a single row."""
    check_rows(own)
    facts = _facts(own, toy)
    for name in facts:
        if name in own.table.column_names:
            told, known = own.table[name], facts[name].cast(RECIPE_SCHEMA.field(name).type)
            differs = pc.not_equal(told, known).to_numpy(zero_copy_only=False)
            own.refuse(differs, f"The column {name!r} contradicts the recordings.", known, told)
    columns = {**facts, **_mixing(own), "config": own.table["config"], "split": own.table["split"]}
    columns["recording_ids"] = own.table["recording_ids"]
    columns["noise_recording_ids"] = _noise_lists(own)
    for name in ("target_start", "target_length"):
        columns[name] = own.column(name)
    given = own.table["draw"] if "draw" in own.table.column_names else None
    columns["draw"] = _counted(columns) if given is None else given
    whole = [columns[field.name].cast(field.type) for field in RECIPE_SCHEMA]
    return pa.table(whole, schema=RECIPE_SCHEMA)


def _mixing(own: CustomTable) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Return gains, SNR and position; a clean target without a gain has 0 dB."""
    given = {name: own.column(name) for name in MIXING}
    clean = pc.if_else(pa.array(own.has_noise), pa.scalar(None, pa.float64()), 0.0)
    given["target_gain_db"] = pc.coalesce(given["target_gain_db"], clean)
    return given


def _facts(own: CustomTable, toy: str) -> dict[str, pa.Array]:
    """Return what the recordings' names say of each row."""
    places, n = pa.array(own.event), len(own.event)
    first = own.targets.of_rows(own.targets.channel)
    return {
        "label": own.events.sound.take(places),
        "toy": pa.repeat(toy, n),
        "case": pa.array(own.events.case[own.event]),
        "channel": pa.array(np.where(own.targets.lengths == 1, first, 0)),
        "recording_type": own.events.recording_type.take(places),
        "condition": own.events.condition.take(places),
        "take": pa.array(own.events.take[own.event]),
        "event_id": own.events.event_id.take(places),
    }


def _noise_lists(own: CustomTable) -> pa.ListArray:
    lists = own.column("noise_recording_ids")
    flat = pc.list_flatten(lists)
    flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
    offsets = np.append(0, own.noise.lengths.cumsum()).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, flat)


def _counted(columns: dict[str, Any]) -> pa.Array:
    """Number the examples that share config, split, event, window and channel, in the order of the table."""
    names = (*SIDE_COLUMNS, "event_id", "channel", "target_start")
    codes = [
        pc.fill_null(contiguous(columns[name]).dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
        for name in names
    ]
    order = np.lexsort(codes)
    is_first = np.append(True, (np.diff(np.stack(codes)[:, order], axis=1) != 0).any(axis=0))
    place = np.arange(len(order))
    draw = np.empty(len(order), dtype=np.int32)
    draw[order] = place - np.maximum.accumulate(np.where(is_first, place, 0))
    return pa.array(draw)


def _in_order(whole: pa.Table, event: Numbers) -> pa.Table:
    """Sort by config and split as they first appear, then event, window, draw and channel."""
    config, split = (
        contiguous(whole[name]).dictionary_encode().indices.to_numpy(zero_copy_only=False) for name in SIDE_COLUMNS
    )
    start, draw, channel = (
        pc.fill_null(whole[name], 0).to_numpy(zero_copy_only=False) for name in ("target_start", "draw", "channel")
    )
    return whole.take(np.lexsort((channel, draw, start, event, split, config)))
