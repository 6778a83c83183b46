"""Parts of an index: the recordings that are asked for, and the events that lack a microphone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import ALL_CASES, RecordingType, Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class IncompleteEvent:
    """An event that not every microphone of the source has recorded.

    Attributes:
        event_id: Which.
        missing_channels: The channels that other events have and this one lacks, in order.
    """

    event_id: str
    missing_channels: tuple[int, ...]


def select(
    index: pa.Table,
    *,
    cases: Collection[int] | None = None,
    channels: Collection[int] | None = None,
    sounds: Collection[Sound] | None = None,
    recording_types: Collection[RecordingType] | None = None,
) -> pa.Table:
    """Keep the recordings that all given conditions hold for.

    Args:
        index: Table of `INDEX_SCHEMA`.
        cases: Numbers of cases; noise that serves one of them, or is not of certain cases, stays.
        channels: Microphones.
        sounds: ``normal``, ``anomalous``, ``noise``.
        recording_types: ``IND``, ``CNT``.

    Returns:
        The rows that are left, in their order.
    """
    wanted = {
        "case": None if cases is None else {*cases, ALL_CASES},
        "channel": channels,
        "sound": sounds,
        "recording_type": recording_types,
    }
    for column, values in wanted.items():
        if values is not None:
            allowed = pa.array(sorted(values), type=index.schema.field(column).type)
            index = index.filter(pc.is_in(index[column], value_set=allowed))
    return index if cases is None else index.filter(_serves_one_of(index, cases))


def _serves_one_of(index: pa.Table, cases: Collection[int]) -> pa.Array:
    """Tell which rows do not name other cases only."""
    several = index["serves"].combine_chunks()
    is_wanted = pc.is_in(pc.list_flatten(several), value_set=pa.array(sorted(cases), pa.int8()))
    kept = pc.list_parent_indices(several).filter(is_wanted)
    names_none = pc.equal(pc.list_value_length(several), 0)
    return pc.or_(names_none, pc.is_in(pa.array(np.arange(len(index)), kept.type), value_set=kept))


def missing_channels(index: pa.Table) -> tuple[IncompleteEvent, ...]:
    """Find the events that lack a channel which the index has for others, ordered by event_id."""
    channels = set(pc.unique(index["channel"]).to_pylist())
    counted = index.group_by("event_id").aggregate([("channel", "count_distinct"), ("channel", "distinct")])
    incomplete = counted.filter(pc.less(counted["channel_count_distinct"], len(channels))).sort_by("event_id")
    return tuple(
        IncompleteEvent(event_id=event_id, missing_channels=tuple(sorted(channels.difference(present))))
        for event_id, present in zip(
            incomplete["event_id"].to_pylist(), incomplete["channel_distinct"].to_pylist(), strict=True
        )
    )
