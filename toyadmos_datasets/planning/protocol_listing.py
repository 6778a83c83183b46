"""What each protocol would make of a source."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.options.catalogue import PROTOCOLS, Protocol
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.planning.recipe_plan import plan, windowed_recordings


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
