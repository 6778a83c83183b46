"""Whether anything stands on two sides of a split: an event, a noise recording, a stretch of noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import TEST, family_of
from toyadmos_datasets.auditing.findings import Findings, Severity


def check_splits(clips: pa.Table, findings: Findings, *, sharing_noise: Collection[str] = ()) -> None:
    """Find events, recordings, and stretches of noise that two splits have in common, whatever they are called.

    Args:
        clips: As `contents.with_events` returns them.
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
    first = clips.group_by(keys, use_threads=False).aggregate([("place", "first")])
    told: set[tuple[str, str]] = set()
    families = pa.array([family_of(one) for one in first["config"].to_pylist()], pa.string())
    for unit, how in (("config", ""), ("family", ", in two configs that differ in noise alone")):
        sides = first.append_column("family", families).group_by([unit, column], use_threads=False)
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
