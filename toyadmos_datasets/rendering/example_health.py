"""Oddities in an example's own stretch of its recordings, from levels in the store.

A flag is about the sound of one microphone; an example of several has the flags of all of them. Whole recordings are
judged by what was measured when they were ingested, windows by their own level and peak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.rendering.stretches import (
    NO_RECORDING,
    Flags,
    Numbers,
    Stretches,
    StretchLevels,
    recording_numbers,
    stretches_of,
)
from toyadmos_datasets.signal.levels import FULL_SCALE, SILENT_BELOW_DB
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.health import HEALTH_FLAGS, SILENT, Health, HealthCount
from toyadmos_datasets.values.recording_store import recording_hashes

ONSET_S: Seconds = 0.82
"""When the machine starts in an IND clip, seconds after its beginning.

Source:
    Mean over 6459 IND clips of ToyCar, channel 1 (sd 0.07): tudorcoroian17/ssm-mcu-asd-ind, finding 325.
"""

TAIL_S: Seconds = 0.45
"""When it stops, seconds before the end of the clip; the same source."""

DROPOUT_BELOW = 0.5
"""An IND clip has a dropout when its machine is active for less than this part of the time that clips of its toy have.

For the car that is 44 % of the clip, against 88 % in a clip as it should be. The store keeps the share of active frames
and not where they are, so that a gap shorter than half of the run is not seen, and a knock that stands 30 dB above the
machine is taken for one.
"""

LENGTH_TOLERANCE = 0.01
"""A recording is short or long when its length differs by more than this part from the usual length of its type.

Every IND and CNT recording that was seen has its type's length to the sample; microphones of one take may differ by
a few samples.
"""

_LARGEST = (FULL_SCALE - 1) / FULL_SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardStretches:
    """Every microphone of every example: what `health` is about, an element of every column each.

    Attributes:
        example: Row of the example.
        recording: Row of the catalogue.
        start: First sample of the stretch.
        n_samples: Its length.
        is_window: Whether it is a part of the recording.
    """

    example: Numbers
    recording: Numbers
    start: Numbers
    n_samples: Numbers
    is_window: Flags

    def windows(self) -> Stretches:
        """Return the stretches that the store has not measured."""
        recording, start, n_samples = (one[self.is_window] for one in (self.recording, self.start, self.n_samples))
        return stretches_of(recording[:, np.newaxis], start, n_samples)


def heard_stretches(examples: pa.Table, targets: Stretches, catalogue: pa.Table) -> HeardStretches:
    """Take examples apart into microphones; where no window was asked for, each is heard to its end."""
    example, place = np.nonzero(targets.recordings != NO_RECORDING)
    recording = targets.recordings[example, place]
    is_window = pc.is_valid(examples["target_start"]).to_numpy()[example]
    whole = catalogue["n_samples"].to_numpy()[recording]
    return HeardStretches(
        example=example,
        recording=recording,
        start=targets.start[example],
        n_samples=np.where(is_window, targets.n_samples[example], whole),
        is_window=is_window,
    )


def health_of(examples: pa.Table, heard: HeardStretches, windows: StretchLevels, catalogue: pa.Table) -> pa.Array:
    """Return the flags of every example, a list of `HEALTH_FLAGS` each.

    Args:
        examples: The examples.
        heard: Their microphones.
        windows: What was measured of `heard.windows()`.
        catalogue: What is known of the recordings.
    """
    level_db, peak = (catalogue[name].to_numpy()[heard.recording].copy() for name in ("level_db", "peak"))
    whole_peak = peak.copy()
    level_db[heard.is_window], peak[heard.is_window] = windows.level_db, windows.peak
    is_silent, is_faint = np.isneginf(level_db), level_db < SILENT_BELOW_DB
    is_short, is_long = _odd_lengths(examples, heard)
    found = {
        "silent": is_silent,
        "near_silent": is_faint & ~is_silent,
        # Samples at full scale were counted as recorded, over all of the recording: the loudest windows have them.
        "clipped": _has_flag(catalogue, "clipped")[heard.recording] & (peak >= np.minimum(whole_peak, _LARGEST)),
        "dc": _has_flag(catalogue, "dc")[heard.recording] & ~is_silent,
        "dropout": _dropouts(examples, heard, catalogue) & ~is_faint,
        "duplicate": _duplicates(examples, heard, catalogue) & ~is_silent,
        "short": is_short,
        "long": is_long,
    }
    flags = np.zeros((len(examples), len(HEALTH_FLAGS)), dtype=np.bool_)
    for number, name in enumerate(HEALTH_FLAGS):
        flags[heard.example[found[name]], number] = True
    offsets = np.append(0, flags.sum(axis=1).cumsum()).astype(np.int32)
    names = pa.array(HEALTH_FLAGS).take(pa.array(np.nonzero(flags)[1]))
    return pa.ListArray.from_arrays(offsets, names)


def stored_health(examples: pa.Table, catalogue: pa.Table) -> pa.Table:
    """Return the examples of whole recordings that the store has, with `health`, as far as that tells before mixing."""
    ids = examples["recording_ids"].combine_chunks()
    is_known = pc.is_null(examples["target_start"]).to_numpy()
    there = pc.is_in(ids.flatten(), value_set=catalogue["recording_id"].combine_chunks())
    is_known[pc.list_parent_indices(ids).filter(pc.invert(there)).to_numpy()] = False
    known = examples.filter(pa.array(is_known))
    recordings = recording_numbers(known["recording_ids"], catalogue)
    nothing = np.zeros(len(known), dtype=np.int64)
    heard = heard_stretches(known, stretches_of(recordings, nothing, nothing), catalogue)
    none = StretchLevels(level_db=np.empty(0), active_level_db=np.empty(0), peak=np.empty(0))
    return known.append_column("health", health_of(known, heard, none, catalogue))


def summary_of(examples: pa.Table, excluded: pa.Table | None = None) -> Health:
    """Count the examples that have a flag, by label and condition.

    Args:
        examples: The examples, with what `resolve` or `stored_health` says of them.
        excluded: What is left out already.
    """
    health, n = examples["health"].combine_chunks(), len(examples)
    parents, words = pc.list_parent_indices(health).to_numpy(), health.flatten()
    rows = {("target", flag): parents[pc.equal(words, flag).to_numpy(zero_copy_only=False)] for flag in HEALTH_FLAGS}
    if "noise_level_db" in examples.column_names:
        rows["noise", SILENT] = np.flatnonzero(np.isneginf(examples["noise_level_db"].to_numpy()))
    counts = [
        HealthCount(flag=flag, part=part, **one)
        for flag in HEALTH_FLAGS
        for part in ("target", "noise")
        if (part, flag) in rows
        for one in _by_condition(examples.take(pa.array(rows[part, flag])))
    ]
    pieces = exclusion_units(examples)
    is_odd = np.isin(pieces, pieces[np.concatenate(list(rows.values()))])
    left = examples.slice(0, 0) if excluded is None else excluded
    return Health(
        counts=tuple(counts),
        n_events=len(pc.unique(examples["event_id"].filter(pa.array(is_odd)))),
        n_clips=int(is_odd.sum()),
        n_clips_in_all=n,
        n_left_out_events=len(pc.unique(left["event_id"])),
        n_left_out_clips=len(left),
    )


def _by_condition(examples: pa.Table) -> list[dict[str, Any]]:
    grouped = examples.group_by(["label", "condition"], use_threads=False)
    counted = grouped.aggregate([("event_id", "count_distinct"), ("event_id", "count")])
    return [
        {
            "label": one["label"],
            "condition": one["condition"],
            "n_events": one["event_id_count_distinct"],
            "n_clips": one["event_id_count"],
        }
        for one in counted.sort_by([("label", "descending"), ("condition", "ascending")]).to_pylist()
    ]


def exclusion_units(examples: pa.Table) -> Numbers:
    """Number what is left out as a whole: events, and of continuous recordings the windows."""
    is_window = pc.is_valid(examples["target_length"]).to_numpy()
    start = np.where(is_window, pc.fill_null(examples["target_start"], -1).to_numpy(), -1)
    _, place = np.unique(start, return_inverse=True)
    codes: Numbers = event_ranks(examples) * (place.max(initial=0) + 1) + place
    return codes


def event_ranks(examples: pa.Table) -> Numbers:
    """Return the place of each example's event among all events in the order of their names, from 1."""
    events = examples["event_id"].combine_chunks().dictionary_encode()
    ranks: Numbers = pc.rank(events.dictionary).to_numpy().astype(np.int64)[events.indices.to_numpy()]
    return ranks


def _has_flag(catalogue: pa.Table, name: str) -> Flags:
    lists = catalogue["flags"].combine_chunks()
    has = np.zeros(len(catalogue), dtype=np.bool_)
    has[pc.list_parent_indices(lists).filter(pc.equal(lists.flatten(), name)).to_numpy()] = True
    return has


def _dropouts(examples: pa.Table, heard: HeardStretches, catalogue: pa.Table) -> Flags:
    is_ind = pc.equal(examples["recording_type"], "IND").to_numpy()[heard.example]
    usual = {toy: 1 - (ONSET_S + TAIL_S) / toy_named(toy).clip_s for toy in pc.unique(examples["toy"]).to_pylist()}
    toys = examples["toy"].combine_chunks().dictionary_encode()
    usual_share = np.array([usual[toy] for toy in toys.dictionary.to_pylist()])[toys.indices.to_numpy()][heard.example]
    share = catalogue["active_share"].to_numpy()[heard.recording]
    found: Flags = is_ind & ~heard.is_window & (share < DROPOUT_BELOW * usual_share)
    return found


def _duplicates(examples: pa.Table, heard: HeardStretches, catalogue: pa.Table) -> Flags:
    """Mark recordings whose content an event has that comes first by its name; zeros are no content."""
    _, content = np.unique(np.array(recording_hashes(catalogue)), return_inverse=True)
    mine, whose = content[heard.recording], event_ranks(examples)[heard.example]
    first = np.full(content.max(initial=0) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, mine, whose)
    has_content = ~np.isneginf(catalogue["level_db"].to_numpy()[heard.recording])
    found: Flags = has_content & (whose != first[mine])
    return found


def _odd_lengths(examples: pa.Table, heard: HeardStretches) -> tuple[Flags, Flags]:
    """Mark whole recordings that are shorter, and longer, than most of their type; of equally many, the longest."""
    types = examples["recording_type"].combine_chunks().dictionary_encode().indices.to_numpy()[heard.example]
    is_short, is_long = np.zeros_like(heard.is_window), np.zeros_like(heard.is_window)
    for one in np.unique(types):
        mine = (types == one) & ~heard.is_window
        _, first = np.unique(heard.recording[mine], return_index=True)
        lengths, counts = np.unique(heard.n_samples[mine][first], return_counts=True)
        if not len(lengths):
            continue
        usual = lengths[counts == counts.max()][-1]
        is_short |= mine & (heard.n_samples < usual * (1 - LENGTH_TOLERANCE))
        is_long |= mine & (heard.n_samples > usual * (1 + LENGTH_TOLERANCE))
    return is_short, is_long
