"""Makes a recipe from an index and options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.options.catalogue import PROTOCOLS, Protocol, protocol_named
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.planning.content_split import (
    SeparatedLayout,
    moved_notes,
    same_sound_notes,
    separate_equal_content,
)
from toyadmos_datasets.planning.event_selection import scope_of
from toyadmos_datasets.planning.events import ABSENT, NONE_JOINED, EqualEvents, Numbers, events_of
from toyadmos_datasets.planning.noise import NoisePool, split_noise
from toyadmos_datasets.planning.protocols import PLANNERS
from toyadmos_datasets.planning.split_layout import Config, Mixture, Scope, Split, SplitLayout, held_out_notes
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCount:
    """Examples of one config, split and label."""

    config: str
    split: str
    label: str
    n_events: int
    n_clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProtocol:
    """A protocol, and what it makes of a source.

    Attributes:
        name: As it is typed.
        task: What it is for.
        splits: The splits that its configs have; those in brackets where they are asked for.
        counts: Its examples on the source, with its own defaults; None where no source is given.
        is_upper_bound: Whether there may be fewer, because continuous recordings have not been heard.
        problem: Why the source does not do for it; None if it does.
    """

    name: str
    task: str
    splits: tuple[str, ...]
    counts: tuple[SplitCount, ...] | None = None
    is_upper_bound: bool = False
    problem: str | None = None


def list_protocols(index: pa.Table | None = None, toy: str | None = None) -> tuple[ListedProtocol, ...]:
    """List every protocol, with its counts on a source where one is given.

    Args:
        index: Every recording of the source.
        toy: ``ToyTrain``; goes with the index.
    """
    if index is None or toy is None:
        return tuple(ListedProtocol(name=one.name, task=one.task, splits=one.splits) for one in PROTOCOLS)
    return tuple(_counted(one, index, toy) for one in PROTOCOLS)


def count_examples(examples: pa.Table) -> tuple[SplitCount, ...]:
    """Count examples by config, split and label, in their order."""
    grouped = examples.group_by(["config", "split", "label"], use_threads=False).aggregate(
        [("event_id", "count"), ("event_id", "count_distinct")]
    )
    return tuple(
        SplitCount(
            config=row["config"],
            split=row["split"],
            label=row["label"],
            n_events=row["event_id_count_distinct"],
            n_clips=row["event_id_count"],
        )
        for row in grouped.to_pylist()
    )


def _counted(protocol: Protocol, index: pa.Table, toy: str) -> ListedProtocol:
    try:
        recipe = plan(index, PlanOptions(toy=toy, protocols=(protocol.name,)))
    except (PlanError, OptionError) as error:
        where = f" ({error.where})" if error.where else ""
        return ListedProtocol(
            name=protocol.name, task=protocol.task, splits=protocol.splits, problem=f"{error.what}{where}"
        )
    return ListedProtocol(
        name=protocol.name,
        task=protocol.task,
        splits=protocol.splits,
        counts=count_examples(recipe.examples),
        is_upper_bound=bool(windowed_recordings(recipe)),
    )


ROWS_A_PIECE = 1 << 19
"""Rows that are made at once: what is in the making takes about 100 MB, however many there are in all."""

_OF_CONFIG = ("config", "target_gain_db", "noise_gain_db", "snr_db")
_OF_SPLIT = pa.schema([field for field in RECIPE_SCHEMA if field.name not in _OF_CONFIG])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """Rows that several configs have in common.

    Attributes:
        shared: Columns of the recipe that no config changes.
        mixture: Which of its config's mixtures each row has.
    """

    shared: pa.Table
    mixture: npt.NDArray[np.int64]


def rows_of(scope: Scope, layout: SplitLayout) -> Iterator[pa.Table]:
    """Yield the rows of every config, in the recipe's order; configs share what they have in common.

    Raises:
        PlanError: There is too little noise.
    """
    is_noisy = any(one.has_noise for config in layout.configs for split in layout.splits for one in _of(config, split))
    pools = split_noise(scope, layout.splits) if is_noisy else {}
    made: dict[tuple[str, bool, int], list[_Piece]] = {}
    for config in layout.configs:
        for split in layout.splits:
            mixtures = _of(config, split)
            has_noise = mixtures[0].has_noise
            key = split.name, has_noise, len(mixtures)
            if key not in made:
                pool = pools[split.name] if has_noise else None
                made[key] = list(_pieces(scope, split, pool, n_mixtures=len(mixtures)))
            yield from (_rows(config.name, piece, mixtures) for piece in made[key])


def _of(config: Config, split: Split) -> tuple[Mixture, ...]:
    return config.mixtures_of(split.name)


def _rows(config: str, piece: _Piece, mixtures: tuple[Mixture, ...]) -> pa.Table:
    """Complete a piece to rows of one config."""
    n = len(piece.shared)
    columns = dict(zip(piece.shared.column_names, piece.shared.columns, strict=True))
    columns["config"] = pa.repeat(config, n)
    for name in ("target_gain_db", "noise_gain_db", "snr_db"):
        values = pa.array([getattr(mixture, name) for mixture in mixtures], pa.float64())
        columns[name] = pa.repeat(values[0], n) if len(mixtures) == 1 else values.take(pa.array(piece.mixture))
    return pa.table(columns, schema=RECIPE_SCHEMA)


def _pieces(scope: Scope, split: Split, pool: NoisePool | None, *, n_mixtures: int) -> Iterator[_Piece]:
    n_draws = scope.options.n_draws if pool else 1
    rows_a_target = n_draws * n_mixtures * len(scope.channels.numbers)
    step = max(ROWS_A_PIECE // rows_a_target, 1)
    for begin in range(0, len(split.targets), step):
        part = slice(begin, begin + step)
        starts = None if split.starts is None else split.starts[part]
        some = Split(name=split.name, targets=split.targets[part], starts=starts, length=split.length)
        yield _piece(scope, some, pool, n_draws=n_draws, n_mixtures=n_mixtures)


def _piece(scope: Scope, split: Split, pool: NoisePool | None, *, n_draws: int, n_mixtures: int) -> _Piece:
    """Make the rows of some targets: each target's draws, each draw's channels."""
    n_all = n_draws * n_mixtures
    targets = np.repeat(split.targets, n_all)
    starts = 0 if split.starts is None else np.repeat(split.starts, n_all)
    draws = np.tile(np.arange(n_all), len(split.targets))
    noise, position = (None, None) if pool is None else pool.draw(scope, targets, draws % n_draws, starts)
    channels = np.array(scope.channels.numbers)
    row, column = np.divmod(np.arange(len(targets) * len(channels)), len(channels))
    targets, channel = targets[row], channels[column]
    is_heard = scope.events.recordings[targets, channel - 1] != ABSENT
    is_heard |= channel == 0
    row, targets, channel = row[is_heard], targets[is_heard], channel[is_heard]
    shared = {
        **_facts(scope, split.name, targets),
        "channel": channel,
        "draw": draws[row],
        "recording_ids": _recordings(scope, targets, channel),
        "target_start": pa.nulls(len(row), pa.int64()) if isinstance(starts, int) else starts[row],
        "target_length": pa.nulls(len(row), pa.int64()) if split.length is None else pa.repeat(split.length, len(row)),
        "noise_recording_ids": _no_recordings(len(row)) if noise is None else _recordings(scope, noise[row], channel),
        "noise_position": pa.nulls(len(row), pa.float64()) if position is None else position[row],
    }
    columns = [pa.array(shared[field.name]).cast(field.type) for field in _OF_SPLIT]
    return _Piece(shared=pa.table(columns, schema=_OF_SPLIT), mixture=draws[row] // n_draws)


def _facts(scope: Scope, split: str, targets: Numbers) -> dict[str, pa.Array | npt.NDArray[np.integer]]:
    """Return the columns that say which event a row is of."""
    events, places = scope.events, pa.array(targets)
    return {
        "split": pa.repeat(split, len(targets)),
        "label": events.sound.take(places),
        "toy": pa.repeat(scope.options.toy, len(targets)),
        "case": events.case[targets],
        "recording_type": events.recording_type.take(places),
        "condition": events.condition.take(places),
        "take": events.take[targets],
        "event_id": events.event_id.take(places),
    }


def _recordings(scope: Scope, numbers: Numbers, channel: npt.NDArray[np.integer]) -> pa.ListArray:
    """Return the recordings of some events: of one channel each, or of the microphones that make up channel 0."""
    of_event = scope.events.recordings[numbers]
    if 0 in scope.channels.numbers:
        places = of_event[:, [microphone - 1 for microphone in scope.channels.together]]
    else:
        places = np.take_along_axis(of_event, channel[:, np.newaxis] - 1, axis=1)
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * places.shape[1]
    return pa.ListArray.from_arrays(offsets, scope.events.recording_id.take(pa.array(places.ravel())))


def _no_recordings(n: int) -> pa.ListArray:
    return pa.ListArray.from_arrays(np.zeros(n + 1, dtype=np.int32), pa.array([], pa.string()))


def plan(
    index: pa.Table, options: PlanOptions, *, activity: pa.Table | None = None, joined: EqualEvents = NONE_JOINED
) -> Recipe:
    """Decide which examples a dataset has, from the index alone.

    All of it works on columns: no step takes the examples one by one.

    Args:
        index: Every recording of the source.
        options: What is asked for.
        activity: Where machines run in continuous recordings, `values.index.ACTIVITY_SCHEMA`, for protocols
            that cut windows from them; None to count as if they always ran, which a note then says.
        joined: Events that carry the same sound, which no two splits of a config have.

    Raises:
        PlanError: The source lacks recordings that the protocol needs.
        OptionError: The options contradict each other.
    """
    events = events_of(index, joined)
    tables: list[pa.Table] = []
    notes: list[str] = []
    for name in options.protocols:
        scope = scope_of(events, options, protocol_named(name), activity)
        planned = PLANNERS[name](scope)
        settled = [separate_equal_content(scope, layout) for layout in planned.layouts]
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
    options, notes = scope.options, held_out_notes(scope)
    if options.balanced_test:
        notes.append("The test has as many normal as anomalous events of each case; the others are in no split.")
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


def _same_sound_notes(scope: Scope, settled: list[SeparatedLayout]) -> list[str]:
    """Say which events and which noise carry the same sound, and what follows for the splits."""
    notes = same_sound_notes(scope.events, scope.targets, "events", "they stand in one split")
    notes += moved_notes(scope, settled)
    if any(mixture.has_noise for one in settled for config in one.layout.configs for mixture in config.mixtures):
        noise = np.unique(np.concatenate([scope.noise(case) for case in scope.cases]))
        rule = "all splits share them" if scope.is_noise_shared else "they are one recording for every split"
        notes += same_sound_notes(scope.events, noise, "noise recordings", rule)
    return notes
