"""The stage that indexes: the members of a source become a table of recordings, before any is decoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.names import SUFFIX, RecordingName, parse_member
from toyadmos_datasets.corpus.toys import ALL_CASES, RecordingType, Sound
from toyadmos_datasets.errors import IndexConflictError
from toyadmos_datasets.values.index import INDEX_SCHEMA
from toyadmos_datasets.values.source import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class IncompleteEvent:
    """An event that not every microphone of the source has recorded.

    Attributes:
        event_id: Which.
        missing_channels: The channels that other events have and this one lacks, in order.
    """

    event_id: str
    missing_channels: tuple[int, ...]


def build_index(members: Sequence[Member]) -> pa.Table:
    """List the recordings that members of a source are.

    Args:
        members: WAV files, in any order.

    Returns:
        Table of `INDEX_SCHEMA`, sorted by recording_id whatever the order of the members.

    Raises:
        NameGrammarError: A member's name is unknown, or contradicts itself or its folder.
        IndexConflictError: Two members have one identifier, or identifiers that only differ in their
            letters' case, or are the same channel of one event.
    """
    names = [parse_member(member.path) for member in members]
    recording_ids = [member.path.rpartition("/")[2].removesuffix(SUFFIX) for member in members]
    event_ids = [name.event_id for name in names]
    _require_distinct(members, list(map(_fold, recording_ids)), what="have the same identifier")
    channels = [(event_id, name.channel) for event_id, name in zip(event_ids, names, strict=True)]
    _require_distinct(members, channels, what="are the same channel of one event")
    return _to_table(members, names, recording_ids, event_ids).sort_by("recording_id")


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
        cases: Numbers of cases; noise that serves all cases stays with each of them.
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
    return index


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


def _to_table(
    members: Sequence[Member], names: Sequence[RecordingName], recording_ids: Sequence[str], event_ids: Sequence[str]
) -> pa.Table:
    columns = {
        "recording_id": recording_ids,
        "event_id": event_ids,
        "toy": [name.toy for name in names],
        "case": [name.case for name in names],
        "serves": [name.serves for name in names],
        "sound": [name.sound for name in names],
        "recording_type": [name.recording_type for name in names],
        "condition": [name.condition for name in names],
        "channel": [name.channel for name in names],
        "take": [name.take for name in names],
        "member": [member.path for member in members],
        "n_bytes": [member.n_bytes for member in members],
        "crc32": [member.crc32 for member in members],
        "block": [member.block for member in members],
    }
    return pa.table(columns, schema=INDEX_SCHEMA)


def _require_distinct(members: Sequence[Member], identities: Sequence[Hashable], *, what: str) -> None:
    if len(set(identities)) == len(identities):
        return
    seen: dict[Hashable, int] = {}
    for position, identity in enumerate(identities):
        earlier = seen.setdefault(identity, position)
        if earlier != position:
            raise IndexConflictError(
                f"Two files {what}.",
                where=members[position].path,
                expected="one file for each recording",
                actual=f"{members[earlier].path} as well",
                remedy="Move one of the two out of the source, then run the same command again.",
            )


def _fold(recording_id: str) -> str:
    """Make identifiers equal that some file systems cannot hold side by side."""
    return (recording_id if recording_id.isascii() else unicodedata.normalize("NFC", recording_id)).casefold()
