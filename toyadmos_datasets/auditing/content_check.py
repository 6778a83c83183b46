"""Recordings known by their content: which names stand for one recording."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.auditing.name_check import noise_names

_CRC32_DIGITS = 8


def with_events(clips: pa.Table) -> pa.Table:
    """Append what the clips' targets and noises are known by.

    ``noise_event`` is the take that the noise is of, whichever microphone heard it. ``target_content`` and
    ``noise_content`` are the events whose recordings have the same content, under the first of their names: the event
    itself, where no other has it or nothing is known of the content.
    """
    noise = _noise_events(clips)
    target = pc.coalesce(clips["event_id"], clips["place"])
    named = clips.append_column("noise_event", noise)
    for column, events, ids in (("target_content", target, "recording"), ("noise_content", noise, "noise_recording")):
        joined = one_of_each(events, clips[f"{ids}_hashes"])
        content = pa.array([joined.get(one, one) for one in events.to_pylist()], pa.string())
        named = named.append_column(column, content)
    return named


def _noise_events(clips: pa.Table) -> pa.ChunkedArray:
    """Return the take that each clip's noise is of, null where it has none; a name that is not the corpus's stays."""
    names = noise_names(clips)
    first = [ids[0] if ids else None for ids in clips["noise_recording_ids"].to_pylist()]
    events = [None if one is None else one if (name := names[one]) is None else name.event_id for one in first]
    return pa.chunked_array([pa.array(events, pa.string())])


def one_of_each(events: pa.ChunkedArray, hashes: pa.ChunkedArray) -> Mapping[str, str]:
    """Return, for every event that shares a recording's content with another, the first event of those that do.

    Args:
        events: An event of each clip, or null.
        hashes: The hashes of the clip's recordings, or null.
    """
    lists = hashes.combine_chunks()
    pairs = pa.table({"hash": lists.flatten(), "event": events.combine_chunks().take(pc.list_parent_indices(lists))})
    pairs = pairs.filter(pc.and_(pairs["hash"].is_valid(), pairs["event"].is_valid()))
    grouped = pairs.group_by("hash").aggregate([("event", "distinct")])
    shared = grouped.filter(pc.greater(pc.list_value_length(grouped["event_distinct"]), 1))
    return _joined(row["event_distinct"] for row in shared.to_pylist() if not is_silence(row["hash"]))


def _joined(groups: Iterable[list[str]]) -> dict[str, str]:
    """Join groups that have a member in common; return the first member, by name, for each."""
    root: dict[str, str] = {}

    def find(one: str) -> str:
        while (other := root.setdefault(one, one)) != one:
            one = other
        return one

    for group in groups:
        first = min(map(find, group))
        root |= {find(one): first for one in group}
    return {one: find(one) for one in root}


def is_silence(recording_hash: str) -> bool:
    """Tell whether a hash is that of digital zeros, which prove nothing when they are equal."""
    n_samples = int(recording_hash[2 * _CRC32_DIGITS :], 16)
    return int(recording_hash[_CRC32_DIGITS : 2 * _CRC32_DIGITS], 16) == zlib.crc32(bytes(2 * n_samples))


def source_of(recording_hash: str) -> str:
    """Return the part of a hash that is of the published file, at whatever rate it was read."""
    return recording_hash[:_CRC32_DIGITS]


def check_names_of_contents(clips: pa.Table, findings: Findings) -> None:
    """Tell which recordings have several names.

    Args:
        clips: As `with_events` returns them.
        findings: Where to put what is found.
    """
    for what, event, content in (
        ("A recording has several names.", "event_id", "target_content"),
        ("A noise recording has several names.", "noise_event", "noise_content"),
    ):
        known = clips.filter(clips[event].is_valid())
        names = known.group_by(content, use_threads=False).aggregate([(event, "distinct")])
        for row in names.filter(pc.greater(pc.list_value_length(names[f"{event}_distinct"]), 1)).to_pylist():
            findings.add("note", what, " = ".join(sorted(row[f"{event}_distinct"])))


def check_takes(clips: pa.Table, findings: Findings, *, sharing_noise: Iterable[str] = ()) -> None:
    """Tell where two splits hear one take of noise of two cases, which may be one recording.

    Args:
        clips: As `with_events` returns them.
        findings: Where to put what is found.
        sharing_noise: Configs whose splits were asked to share their noise.
    """
    noisy = clips.filter(clips["noise_event"].is_valid())
    names = {one.event_id: one for one in noise_names(noisy).values() if one is not None}
    mine = ["config", "split", "noise_event", "noise_content"]
    known: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in noisy.group_by(mine, use_threads=False).aggregate([("place", "first")]).to_pylist():
        name = names.get(row["noise_event"])
        if name is not None and row["config"] not in set(sharing_noise):
            known.setdefault((row["config"], name.toy, name.take), []).append(row)
    for (config, _, _), rows in known.items():
        if len({row["split"] for row in rows}) > 1 and len({row["noise_content"] for row in rows}) > 1:
            sides = sorted(f"{row['noise_event']} in {row['split']}" for row in rows)
            said = f"{config}: {', '.join(sides)}"
            findings.add("note", "A take of noise of several cases stands on two sides; it may be one recording.", said)


def pairs_of(lists: pa.ChunkedArray) -> tuple[np.ndarray[Any, np.dtype[np.int64]], pa.Array]:
    """Return the row of every element of a column of lists, and the elements."""
    whole = lists.combine_chunks()
    return pc.list_parent_indices(whole).to_numpy(), whole.flatten()
