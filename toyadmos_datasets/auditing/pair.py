"""Two datasets: whether either trains on anything that the other tests."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import TEST, WHOLE, Listen, Listener
from toyadmos_datasets.auditing.findings import CommonCount, Finding, Findings
from toyadmos_datasets.auditing.sound_check import alike_in
from toyadmos_datasets.auditing.split_check import is_silence, meeting, source_of, with_events

TESTED = (TEST, "eval", WHOLE)
"""Splits that are tested. What lies in no split may be learnt from and tested."""

Values: TypeAlias = Mapping[str, Mapping[str, str]]
"""A value, the configs that have it, and the first place in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One of two datasets.

    Attributes:
        word: What it is called: ``first`` or ``second``.
        clips: Table with `CLIPS_SCHEMA`, as `with_events` returns it.
        listener: Gives its sounds again; None for a recipe.
    """

    word: str
    clips: pa.Table
    listener: Listener | None

    def learnt(self) -> Half:
        """Return what is learnt from."""
        is_tested = pc.is_in(self.clips["split"], value_set=pa.array([one for one in TESTED if one != WHOLE]))
        return Half(word=self.word, clips=self.clips.filter(pc.invert(is_tested)), listener=self.listener)

    def tested(self) -> Half:
        """Return what is tested."""
        is_tested = pc.is_in(self.clips["split"], value_set=pa.array(TESTED))
        return Half(word=self.word, clips=self.clips.filter(is_tested), listener=self.listener)


@dataclass(slots=True, kw_only=True)
class _Common:
    """What one half learns from and the other tests, as it is found.

    Attributes:
        learner: The half that learns, of which what it learns from.
        tester: The half that tests, of which what it tests.
        findings: Where to put what is found.
        counts: By config of either and by `CommonCount`'s name of it.
    """

    learner: Half
    tester: Half
    findings: Findings
    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, kind: str, noun: str, configs: tuple[str, str], said: str) -> None:
        """Note one thing that both have."""
        self.counts[configs][kind] += 1
        what = f"The {self.learner.word} learns from {noun} that the {self.tester.word} tests."
        self.findings.add("leak", what, f"{configs[0]} and {configs[1]}: {said}")

    def rows(self) -> Iterator[CommonCount]:
        """Yield the counts, a pair of configs each."""
        for (learnt, tested), counts in self.counts.items():
            yield CommonCount(learner=self.learner.word, learnt_config=learnt, tested_config=tested, **counts)


def compare(
    first: pa.Table, second: pa.Table, listeners: tuple[Listener | None, Listener | None], *, is_one_corpus: bool
) -> tuple[tuple[CommonCount, ...], tuple[Finding, ...]]:
    """Find what one of two datasets learns from and the other tests, in both directions.

    Args:
        first: Clips, with `CLIPS_SCHEMA`.
        second: The other's.
        listeners: Give their sounds again.
        is_one_corpus: Whether equal names stand for equal recordings, as far as anything but their content tells.
    """
    findings = Findings()
    trusts_names = is_one_corpus and not _names_differ_in_content(first, second)
    if not trusts_names:
        what = "Equal names are not of equal recordings: the two are of other corpora. Only contents are compared."
        findings.add("note", what)
    named = _told_apart(with_events(pa.concat_tables([first, second])), len(first), trusts_names=trusts_names)
    halves = (
        Half(word="first", clips=named.slice(0, len(first)), listener=listeners[0]),
        Half(word="second", clips=named.slice(len(first)), listener=listeners[1]),
    )
    rows: list[CommonCount] = []
    for learner, tester in (halves, halves[::-1]):
        common = _Common(learner=learner.learnt(), tester=tester.tested(), findings=findings)
        _compare_values(common)
        _compare_stretches(common)
        _compare_sounds(common)
        rows += common.rows()
    _note_equal_files(first, second, findings)
    return tuple(rows), findings.all()


def _names_differ_in_content(first: pa.Table, second: pa.Table) -> bool:
    """Tell whether most recordings that both name were made of other files."""
    sources = []
    for clips in (first, second):
        ids, hashes = (clips[name].combine_chunks().flatten() for name in ("recording_ids", "recording_hashes"))
        known = len(ids) == len(hashes)
        sources.append(dict(zip(ids.to_pylist(), map(source_of, hashes.to_pylist()), strict=True)) if known else {})
    common = sources[0].keys() & sources[1].keys()
    n_other = sum(sources[0][one] != sources[1][one] for one in common)
    return bool(2 * n_other > len(common))


def _told_apart(named: pa.Table, n_first: int, *, trusts_names: bool) -> pa.Table:
    """Return the clips with contents that equal names make equal only where names are to be trusted.

    A clip without an event is known by its place, which says nothing of the other dataset's.
    """
    half = pa.array(["first "] * n_first + ["second "] * (len(named) - n_first), pa.string())
    for column, event in (("target_content", "event_id"), ("noise_content", "noise_event")):
        content = named[column].combine_chunks()
        is_known = named[event].combine_chunks().is_valid() if trusts_names else pa.scalar(value=False)
        told = pc.if_else(is_known, content, pc.binary_join_element_wise(half, content, ""))
        named = named.set_column(named.column_names.index(column), column, told)
    return named


def _compare_values(common: _Common) -> None:
    """Compare what equality of a value decides."""
    comparisons: tuple[tuple[str, str, Callable[[pa.Table], Values]], ...] = (
        ("n_events", "an event", _by_event),
        ("n_recordings", "a recording", lambda clips: _by_hash(clips, "recording_hashes")),
        ("n_clips", "a clip", _by_digest),
        ("n_noises", "noise of a take", _by_noise),
        ("n_noise_recordings", "a noise recording", lambda clips: _by_hash(clips, "noise_recording_hashes")),
    )
    for kind, noun, values_of in comparisons:
        learnt, tested = values_of(common.learner.clips), values_of(common.tester.clips)
        for value in (one for one in learnt if one in tested):
            for one, here in learnt[value].items():
                for other, there in tested[value].items():
                    said = f"{value} in {common.learner.word} ({here}) and {common.tester.word} ({there})"
                    common.add(kind, noun, (one, other), said)


def _by_event(clips: pa.Table) -> Values:
    """Return what is known of targets by their names, and by what their recordings share."""
    return _firsts(clips, pc.if_else(_is_noise(clips), pa.scalar(None, pa.string()), clips["target_content"]))


def _by_noise(clips: pa.Table) -> Values:
    """Return the same of noise; what lies in a folder of noise is known as an event is."""
    return _firsts(clips, pc.if_else(_is_noise(clips), clips["target_content"], clips["noise_content"]))


def _is_noise(clips: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(clips["label"], "noise"), fill_value=False)


def _by_digest(clips: pa.Table) -> Values:
    """Return clips by the hash of their samples; digital silence is no clip."""
    sounding = pc.fill_null(pc.greater(clips["peak"], 0), fill_value=True)
    return _firsts(clips, pc.if_else(sounding, clips["digest"], pa.scalar(None, pa.string())))


def _by_hash(clips: pa.Table, column: str) -> Values:
    lists = clips[column].combine_chunks()
    rows = pc.list_parent_indices(lists)
    found = _firsts(clips.take(rows), pa.chunked_array([lists.flatten()]))
    return {value: places for value, places in found.items() if not is_silence(value)}


def _firsts(clips: pa.Table, values: pa.ChunkedArray) -> Values:
    """Return the first place of every value in every config, in the order of the clips."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    columns = (values, clips["config"], clips["place"])
    for value, config, place in zip(*(column.to_pylist() for column in columns), strict=True):
        if value is not None:
            found[value].setdefault(config, place)
    return found


def _compare_stretches(common: _Common) -> None:
    """Compare where in a noise recording stretches lie, where both were made at one rate."""
    by_noise: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    names = ["noise_content", "rate_hz", "config", "place", "noise_start", "n_samples"]
    halves = (common.learner, common.tester)
    for half in halves:
        for row in half.clips.filter(half.clips["noise_start"].is_valid()).select(names).to_pylist():
            by_noise[row["noise_content"], row["rate_hz"]].append(row | {"split": half.word})
    for (content, _), rows in by_noise.items():
        sides = [
            dict.fromkeys((half.word, row["config"]) for row in rows if row["split"] == half.word) for half in halves
        ]
        for one, other in product(*sides):
            for said in meeting([row for row in rows if (row["split"], row["config"]) in {one, other}]):
                common.add("n_stretches", "a stretch of noise", (one[1], other[1]), f"{content}, {said}")


def _compare_sounds(common: _Common) -> None:
    """Compare the sounds themselves where names say that they are different."""
    halves = (common.learner, common.tester)
    if any(half.listener is None for half in halves):
        return
    together = pa.concat_tables([half.clips for half in halves])
    sides = pa.array([half.word for half in halves for _ in range(len(half.clips))], pa.string())
    group = pa.array([""] * len(together), pa.string())  # all are compared with all
    together = together.append_column("side", sides).append_column("group", group)
    for part, noun in (("target", "a sound"), ("noise", "a stretch of noise")):
        content = f"{part}_content"
        for alike in alike_in(together, part, ("group", "side"), content, _listen(halves, part), across=True):
            one, other = (together.slice(row, 1).to_pylist()[0] for row in (alike.one, alike.other))
            if one["digest"] == other["digest"]:
                continue
            said = f"{one[content]} ({one['place']}) = {other[content]} ({other['place']})"
            said += f", correlation {alike.correlation:.4f}"
            common.add("n_alike", f"{noun} under another name", (one["config"], other["config"]), said)


def _listen(halves: tuple[Half, Half], part: str) -> Listen:
    """Return what gives the sound of a row of both tables, one after the other."""
    n_first = len(halves[0].clips)
    heard = [half.listener.part(half.clips, part) for half in halves if half.listener is not None]
    return lambda row: heard[0](row) if row < n_first else heard[1](row - n_first)


def _note_equal_files(first: pa.Table, second: pa.Table, findings: Findings) -> None:
    """Tell of recordings that may be one although they were read at different rates: one CRC32 of the file is equal."""
    for column in ("recording_hashes", "noise_recording_hashes"):
        learnt, tested = (
            {source_of(one): one for one in pc.unique(clips[column].combine_chunks().flatten()).to_pylist()}
            for clips in (first, second)
        )
        known = set(tested.values())
        for source in learnt:
            if source in tested and learnt[source] not in known and not is_silence(learnt[source]):
                what = "A file of both has one CRC32, and was read at another rate: it may be one recording."
                findings.add("note", what, f"{source}, {column}")
