"""Checks whether an event, a noise recording or a stretch of noise is in two splits."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import TEST, family_of, with_families
from toyadmos_datasets.auditing.findings import Findings, Severity
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


def check_splits(clips: pa.Table, findings: Findings, *, sharing_noise: Collection[str] = ()) -> None:
    """Find events, recordings, and stretches of noise that two splits have in common, whatever they are called.

    Args:
        clips: As `with_events` returns them.
        findings: Where to put what is found.
        sharing_noise: Configs whose splits were asked to share their noise: then that is a problem to know of, and
            no leak.
    """
    events = clips.filter(clips["event_id"].is_valid())
    noisy = clips.filter(clips["noise_event"].is_valid())
    for part, name, content, what in (
        (events, "event_id", "target_content", "An event"),
        (noisy, "noise_event", "noise_content", "A noise recording"),
    ):
        for shared in (*two_sided(part, name), *two_sided(part, content, name=name)):
            _add(findings, f"{what} stands on two sides", shared, sharing_noise if part is noisy else ())
    for shared in _overlapping(noisy):
        _add(findings, "A stretch of noise stands on two sides", shared, sharing_noise)
    _note_other_divisions(events, findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Something that several splits have.

    Attributes:
        configs: The configs that it is in.
        said: What it is, and in which splits and places.
        how: What there is to say beside: under several names, in several configs.
    """

    configs: tuple[str, ...]
    said: str
    how: str = ""


def _add(findings: Findings, what: str, shared: Shared, sharing_noise: Collection[str]) -> None:
    is_asked = set(shared.configs) <= set(sharing_noise)
    severity: Severity = "problem" if is_asked else "leak"
    asked = ", as was asked for" if is_asked else ""
    findings.add(severity, f"{what}{asked}{shared.how}.", f"{' and '.join(shared.configs)}: {shared.said}")


def two_sided(clips: pa.Table, column: str, *, name: str | None = None) -> Iterator[Shared]:
    """Yield every value that stands in two splits of one config, or of two configs that differ in noise alone.

    Args:
        clips: The clips, without those that have no value.
        column: The column of the value.
        name: The column of the names, where only a value that has several on its sides is asked for.
    """
    keys = ["config", column, "split"] + ([name] if name else [])
    first = with_families(clips.group_by(keys, use_threads=False).aggregate([("place", "first")]))
    told: set[tuple[str, str]] = set()
    for unit, how in (("config", ""), ("family", ", in two configs that differ in noise alone")):
        sides = first.group_by([unit, column], use_threads=False)
        lists = sides.aggregate(
            [(one, "list") for one in ("split", "place_first", "config", *([name] if name else []))]
        )
        for row in lists.filter(pc.greater(pc.list_value_length(lists["split_list"]), 1)).to_pylist():
            names = row[f"{name}_list"] if name else [row[column]]
            configs = tuple(dict.fromkeys(row["config_list"]))
            is_known = any((one, row[column]) in told for one in configs)
            if len(set(row["split_list"])) < 2 or is_known or (name and len(set(names)) < 2):
                continue
            told |= {(one, row[column]) for one in configs}
            places = _first_of_each(row["split_list"], row["place_first_list"])
            said = f"{' = '.join(sorted(set(names)))} in {' and '.join(places)}"
            yield Shared(configs=configs, said=said, how=", under several names" * bool(name) + how)


def _first_of_each(splits: Sequence[str], places: Sequence[str]) -> list[str]:
    first: dict[str, str] = {}
    for split, place in zip(splits, places, strict=True):
        first.setdefault(split, place)
    return [f"{split} ({place})" for split, place in first.items()]


def _note_other_divisions(events: pa.Table, findings: Findings) -> None:
    """Tell which configs test what others learn from, because they divide the events in another way."""
    distinct = events.group_by(["config", "split", "event_id"], use_threads=False).aggregate([])
    tested = pc.equal(distinct["split"], TEST)
    learnt_in, tested_in = (
        {config: set(mine["event_id"].to_pylist()) for config, mine in _by_config(distinct.filter(which))}
        for which in (pc.invert(tested), tested)
    )
    for one, other in product(learnt_in, tested_in):
        n = len(learnt_in[one] & tested_in[other]) if family_of(one) != family_of(other) else 0
        if n:
            said = f"{one} learns from {n} events that {other} tests"
            findings.add("note", "Two configs divide the events in different ways.", said)


def _by_config(clips: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for config in pc.unique(clips["config"]).to_pylist():
        yield config, clips.filter(pc.equal(clips["config"], config))


def _overlapping(noisy: pa.Table) -> Iterator[Shared]:
    """Yield stretches of one noise recording that overlap although they are of two splits."""
    placed = noisy.filter(noisy["noise_start"].is_valid())
    by_noise: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    names = ["config", "noise_content", "noise_event", "split", "place", "noise_start", "n_samples"]
    for row in placed.select(names).to_pylist():
        by_noise[row["config"], row["noise_content"]].append(row)
    for (config, _), rows in by_noise.items():
        if len({row["split"] for row in rows}) > 1:
            called = " = ".join(sorted({row["noise_event"] for row in rows}))
            for said in meeting(rows):
                yield Shared(configs=(config,), said=f"{called}, {said}")


def meeting(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield each stretch that overlaps one of another split which begins no later.

    Going through the stretches from left to right, it is enough to remember how far each split reaches.
    """
    furthest: dict[str, tuple[int, str]] = {}
    for number in np.argsort([row["noise_start"] for row in rows], kind="stable"):
        row = rows[number]
        start, end = row["noise_start"], row["noise_start"] + row["n_samples"]
        for split, (reach, place) in furthest.items():
            if split != row["split"] and reach > start:
                sides = f"{split} ({place}) and {row['split']} ({row['place']})"
                yield f"samples {start} to {min(end, reach)} in {sides}"
        if end > furthest.get(row["split"], (0, ""))[0]:
            furthest[row["split"]] = (end, row["place"])
