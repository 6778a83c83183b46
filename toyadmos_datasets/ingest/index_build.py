"""The index of a source: a row for every recording, what is wrong with names, and what is odd about them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.name_errors import ignoring, names_error, showable
from toyadmos_datasets.errors import IndexConflictError, ToyAdmosError
from toyadmos_datasets.ingest.name_columns import read_names
from toyadmos_datasets.ingest.oddities import oddities_of, refuse_oddities
from toyadmos_datasets.values.source import Member, Oddity, Source

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
