"""Whether anything stands on two sides of a split: an event, a noise recording, a stretch of noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.audit.collecting import Findings
from toyadmos_datasets.audit.names import noise_names
from toyadmos_datasets.audit.report import Severity


def check_splits(clips: pa.Table, findings: Findings, *, sharing_noise: Collection[str] = ()) -> None:
    """Find events, noise recordings and stretches of noise that two splits of one config have in common.

    Args:
        clips: Table with `CLIPS_SCHEMA`.
        findings: Where to put what is found.
        sharing_noise: Configs whose splits were asked to share their noise: then that is a problem to know of, and
            no leak.
    """
    for config, event_id, places in _on_two_sides(clips.filter(clips["event_id"].is_valid()), "event_id"):
        findings.add("leak", "An event stands on two sides.", f"{config}: {event_id} in {places}")
    noisy = _with_noise_events(clips)
    shared = [
        ("A noise recording", config, f"{event_id} in {places}")
        for config, event_id, places in _on_two_sides(noisy, "noise_event")
    ]
    shared += [("A stretch of noise", config, said) for config, said in _overlapping(noisy)]
    for what, config, said in shared:
        severity: Severity = "problem" if config in sharing_noise else "leak"
        asked = ", as was asked for" if config in sharing_noise else ""
        findings.add(severity, f"{what} stands on two sides{asked}.", f"{config}: {said}")


def _on_two_sides(clips: pa.Table, column: str) -> Iterator[tuple[str, str, str]]:
    """Yield config, value and places of every value that stands in two splits of one config."""
    first = clips.group_by(["config", column, "split"], use_threads=False).aggregate([("place", "first")])
    lists = [("split", "list"), ("place_first", "list")]
    sides = first.group_by(["config", column], use_threads=False).aggregate(lists)
    several = sides.filter(pc.greater(pc.list_value_length(sides["split_list"]), 1))
    for row in several.to_pylist():
        pairs = zip(row["split_list"], row["place_first_list"], strict=True)
        yield row["config"], row[column], " and ".join(f"{split} ({place})" for split, place in pairs)


def _with_noise_events(clips: pa.Table) -> pa.Table:
    """Return the clips that have noise, with the event that their noise is of."""
    noisy = clips.filter(pc.greater(pc.fill_null(pc.list_value_length(clips["noise_recording_ids"]), 0), 0))
    names = noise_names(noisy)
    ids = pc.list_element(noisy["noise_recording_ids"], 0).to_pylist()
    events = [one if (name := names[one]) is None else name.event_id for one in ids]
    return noisy.append_column("noise_event", pa.array(events, pa.string()))


def _overlapping(noisy: pa.Table) -> Iterator[tuple[str, str]]:
    """Yield config and place of stretches of one noise event that overlap although they are of two splits."""
    placed = noisy.filter(noisy["noise_start"].is_valid())
    by_noise: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    names = ["config", "noise_event", "split", "place", "noise_start", "n_samples"]
    for row in placed.select(names).to_pylist():
        by_noise[row["config"], row["noise_event"]].append(row)
    for (config, event_id), rows in by_noise.items():
        if len({row["split"] for row in rows}) > 1:
            for said in _meeting(rows):
                yield config, f"{event_id}, {said}"


def _meeting(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
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
