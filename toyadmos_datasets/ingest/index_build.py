"""The index of a source: a row for every recording, errors in names, and oddities."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.name_errors import ignoring, names_error, showable
from toyadmos_datasets.corpus.toys import ALL_CASES, RecordingType, Sound
from toyadmos_datasets.errors import IndexConflictError, ToyAdmosError
from toyadmos_datasets.ingest.name_columns import read_names
from toyadmos_datasets.ingest.oddities import oddities_of, refuse_oddities
from toyadmos_datasets.values.source import Member, Oddity, Source


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


_EVENTS_APART = 16
"""More than the highest channel, so that event and channel make one number."""


def conflicts_among(table: pa.Table) -> list[IndexConflictError]:
    """Return an error for every file whose recording another file stands for too.

    Args:
        table: `INDEX_SCHEMA`, sorted.
    """
    ids = table["recording_id"].combine_chunks()
    found = _repeated(table, _folded(ids), "have the same identifier")
    event = pc.dictionary_encode(table["event_id"].combine_chunks()).indices.to_numpy()
    place = pa.array(event.astype(np.int64) * _EVENTS_APART + table["channel"].to_numpy())
    found = _repeated(table, place, "are the same channel of one event") | found
    return [found[number] for number in sorted(found)]


def _repeated(table: pa.Table, identities: pa.Array, what: str) -> dict[int, IndexConflictError]:
    counts = identities.value_counts()
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(repeated):
        return {}
    rows = np.flatnonzero(pc.is_in(identities, value_set=repeated).to_numpy(zero_copy_only=False)).tolist()
    first: dict[object, int] = {}
    found = {}
    for row, identity in zip(rows, identities.take(pa.array(rows)).to_pylist(), strict=True):
        earlier = first.setdefault(identity, row)
        if earlier != row:
            path, other = (showable(table["member"][one].as_py()) for one in (row, earlier))
            found[row] = IndexConflictError(
                f"Two files {what}.",
                where=path,
                expected="one file for each recording",
                actual=f"{other} as well",
                remedy="Move one of the two out of the source, or leave it out: the same command with "
                f"{ignoring(path.rpartition('/')[2])}",
            )
    return found


def _folded(recording_ids: pa.Array) -> pa.Array:
    """Make identifiers equal that some file systems cannot hold side by side."""
    lower = pc.utf8_lower(recording_ids)
    odd = np.flatnonzero(pc.invert(pc.string_is_ascii(recording_ids)).to_numpy(zero_copy_only=False))
    if not len(odd):
        return lower
    folded = [unicodedata.normalize("NFC", one).casefold() for one in recording_ids.take(pa.array(odd)).to_pylist()]
    is_odd = np.zeros(len(recording_ids), dtype=np.bool_)
    is_odd[odd] = True
    return pc.replace_with_mask(lower, pa.array(is_odd), pa.array(folded, pa.string()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Indexed:
    """Members of a source, read by their names.

    Attributes:
        table: Recordings whose names can be read: `INDEX_SCHEMA`, sorted by recording_id.
        faults: What makes an index of all members impossible, an error a file, ordered by member; a member is in
            `table` all the same where only its identifier stands twice.
        oddities: What is not as published and is read all the same.
    """

    table: pa.Table
    faults: tuple[ToyAdmosError, ...]
    oddities: tuple[Oddity, ...]


def index_members(members: Sequence[Member]) -> Indexed:
    """Read the names of members, and go on after one that cannot be read.

    Args:
        members: WAV files, in any order.
    """
    table, unread = read_names(members)
    table = table.sort_by([("recording_id", "ascending"), ("member", "ascending")])
    faults = sorted([*unread, *conflicts_among(table)], key=lambda fault: str(fault.where))
    return Indexed(table=table, faults=tuple(faults), oddities=oddities_of(table))


def build_index(members: Sequence[Member]) -> pa.Table:
    """List the recordings that members of a source are.

    Args:
        members: WAV files, in any order.

    Returns:
        Table of `INDEX_SCHEMA`, sorted by recording_id whatever the order of the members.

    Raises:
        NameGrammarError: Names are unknown, or contradict themselves or their folders; it lists all of them.
        IndexConflictError: Two members have one identifier, or identifiers that only differ in their
            letters' case, or are the same channel of one event.
    """
    indexed = index_members(members)
    if indexed.faults:
        raise names_error(indexed.faults)
    return indexed.table


def survey_source(source: Source) -> Indexed:
    """List the recordings of a source, all that is wrong with their names, and all that is odd about it."""
    indexed = index_members(source.members())
    return replace(indexed, oddities=(*source.oddities, *indexed.oddities))


def index_source(source: Source, *, strict: bool = False) -> Indexed:
    """List the recordings of a source, and all that is odd about it.

    Args:
        source: Where the recordings are.
        strict: Refuse what is not as published.

    Returns:
        The index; its oddities are those of the source too.

    Raises:
        NameGrammarError: As `build_index`.
        IndexConflictError: As `build_index`.
        OddSourceError: Something is not as published, and that was asked for.
    """
    indexed = survey_source(source)
    require_sound(indexed, source.location, strict=strict)
    return indexed


def require_sound(indexed: Indexed, location: str, *, strict: bool = False) -> None:
    """Raise where members cannot be indexed by their names, or with `strict` where anything is not as published."""
    if indexed.faults:
        raise names_error(indexed.faults)
    if strict:
        refuse_oddities(indexed.oddities, location)
