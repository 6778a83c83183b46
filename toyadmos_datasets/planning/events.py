"""Events of an index, as numbers that plans use, and which of them share their content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS
from toyadmos_datasets.signal.randomness import derived_words
from toyadmos_datasets.values.index import event_identities

CONTENT = ("source_crc32", "samples_crc32", "n_samples")
"""What two recordings of one content have in common; one CRC32 alone collides among 85 000 files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualEvents:
    """Events that are one event for every split, and noise that is one recording.

    Attributes:
        groups: Identities of the events of each group, sorted, and the groups by their first; no event is in two.
    """

    groups: tuple[tuple[str, ...], ...] = ()

    def with_pairs(self, pairs: Iterable[tuple[str, str]]) -> EqualEvents:
        """Return the groups that these pairs of events make of those there are."""
        first = {event: group[0] for group in self.groups for event in group}

        def root(event: str) -> str:
            """Return the event that stands for the group of another."""
            while first.setdefault(event, event) != event:
                first[event] = first[first[event]]
                event = first[event]
            return event

        for one, other in pairs:
            low, high = sorted((root(one), root(other)))
            first[high] = low
        members: dict[str, list[str]] = {}
        for event in sorted(first):
            members.setdefault(root(event), []).append(event)
        return EqualEvents(groups=tuple(tuple(group) for group in members.values() if len(group) > 1))


NONE_JOINED = EqualEvents()
"""What is known before any recording has been read."""


def find_equal_events(
    recording_ids: Sequence[str], index: pa.Table, catalogue: pa.Table, *, so_far: EqualEvents = NONE_JOINED
) -> EqualEvents:
    """Join the events of which any two recordings have the same content.

    Noise is joined with noise and targets with targets. Digital silence joins nothing: equal zeros prove nothing.

    Args:
        recording_ids: Recordings that a plan uses; what else the store holds has no say.
        index: Every recording of the source.
        catalogue: What is known of the ingested recordings; those that it lacks are passed over.
        so_far: Groups that stay together.
    """
    is_used = pc.is_in(catalogue["recording_id"], value_set=pa.array(recording_ids, pa.string()))
    heard = catalogue.filter(pc.and_(is_used, pc.greater(catalogue["peak"], 0.0)))
    place = pc.index_in(heard["recording_id"], value_set=index["recording_id"].combine_chunks())
    is_noise = pc.equal(index["sound"].take(place), "noise")
    keys = np.stack([column.to_numpy().astype(np.int64) for column in (is_noise, *(heard[name] for name in CONTENT))])
    order = np.lexsort(keys)
    is_same = (np.diff(keys[:, order], axis=1) == 0).all(axis=0)
    event = index["event_id"].take(place)
    one, other = (event.take(pa.array(some)).to_pylist() for some in (order[:-1][is_same], order[1:][is_same]))
    return so_far.with_pairs((a, b) for a, b in zip(one, other, strict=True) if a != b)


Numbers: TypeAlias = npt.NDArray[np.int64]
"""Places of events in `Events`, or of recordings in its `recording_id`."""

ABSENT = -1
"""Place of a recording that there is not."""

_N_CASES = 10
"""A case is one digit."""

_WAV_HEADER_BYTES = 44
_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Every event of a source, ordered by event_id; an event is known by its place.

    Attributes:
        event_id: Identities.
        sound: ``normal``, ``anomalous`` or ``noise``.
        recording_type: ``IND`` or ``CNT``.
        condition: ``normal``, ``ab01`` ..
        case: Case, 0 for noise that is not of one case.
        serves: Whether it is noise of a case, shape (n, 10): ``serves[event, case]``; nowhere true of other events,
            and of noise that serves every case without noise of its own.
        take: Number of the take.
        recording_id: Every recording of the source.
        recordings: Where in `recording_id` an event's channels are, `ABSENT` where one is missing, shape (n, 4).
        n_samples: Length by the size of the shortest file, samples at 48 kHz.
        identity: Hash of the event_id, what draws derive from.
        group: First of the events that carry the same sound; the event itself where no other does.
    """

    event_id: pa.Array
    sound: pa.Array
    recording_type: pa.Array
    condition: pa.Array
    case: npt.NDArray[np.int8]
    serves: npt.NDArray[np.bool_]
    take: npt.NDArray[np.int32]
    recording_id: pa.Array
    recordings: npt.NDArray[np.int64]
    n_samples: npt.NDArray[np.int64]
    identity: npt.NDArray[np.uint64]
    group: Numbers

    def where(self, *, sound: str | None = None, recording_type: str | None = None) -> Numbers:
        """Return the events of a sound and a recording type, where one is given."""
        is_wanted = np.ones(len(self.event_id), dtype=np.bool_)
        for column, value in ((self.sound, sound), (self.recording_type, recording_type)):
            if value is not None:
                is_wanted &= pc.equal(column, value).to_numpy(zero_copy_only=False)
        return np.flatnonzero(is_wanted)

    def serving(self, case: int, channels: Sequence[int] = ()) -> Numbers:
        """Return the noise events that serve a case, ascending.

        A case with noise of its own hears only that; any other hears the noise that names no case. Noise of
        several cases is returned for each of them, so the noise of two cases may be the same in whole or in part.

        Args:
            case: Number of the case.
            channels: Microphones that must have recorded the noise; what lacks one is as if it were not there.
        """
        noise = self.where(sound="noise")
        noise = noise[self.have(noise, channels)]
        own = noise[self.serves[noise, case]]
        return own if len(own) else noise[~self.serves[noise].any(axis=1)]

    def may_serve(self, noise: Numbers, cases: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
        """Tell whether noise events serve the cases beside them: they name that case, or none."""
        serves = self.serves[noise]
        named: npt.NDArray[np.bool_] = serves[np.arange(len(noise)), cases]
        return named | ~serves.any(axis=1)

    def name(self, number: np.integer | int) -> str:
        """Return an event's identity."""
        return str(self.event_id[int(number)].as_py())

    def have(self, numbers: Numbers, channels: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Tell which events have all of these microphones."""
        columns = [channel - 1 for channel in channels]
        complete: npt.NDArray[np.bool_] = (self.recordings[numbers][:, columns] != ABSENT).all(axis=1)
        return complete

    def shuffled(self, numbers: Numbers, seed: int, *purpose: str) -> Numbers:
        """Put events in a random order that each event's own draw decides.

        More or fewer events do not change the order of the others. Events that carry the same sound stand together,
        where the first of them would.
        """
        words = derived_words(seed, *purpose, of=self.identity[self.group[numbers]])
        return numbers[np.lexsort((numbers, words[:, 1], words[:, 0]))]

    def with_others(self, numbers: Numbers) -> Numbers:
        """Return those of some events that carry the same sound as another of them."""
        if (self.group[numbers] == numbers).all():
            return numbers[:0]
        _, place, counts = np.unique(self.group[numbers], return_inverse=True, return_counts=True)
        return numbers[counts[place] > 1]


def events_of(index: pa.Table, joined: EqualEvents = NONE_JOINED) -> Events:
    """Gather recordings into events, whatever their order in the index."""
    index = index.select(
        [
            "recording_id",
            "event_id",
            "sound",
            "recording_type",
            "condition",
            "case",
            "serves",
            "channel",
            "take",
            "n_bytes",
        ]
    ).combine_chunks()
    encoded = contiguous(index["event_id"]).dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    event = place[encoded.indices.to_numpy()]
    recordings = np.full((len(order), len(CHANNELS)), ABSENT, dtype=np.int64)
    recordings[event, index["channel"].to_numpy() - 1] = np.arange(len(index))
    first = recordings.max(axis=1)
    n_bytes = np.full(len(order), np.iinfo(np.int64).max)
    np.minimum.at(n_bytes, event, index["n_bytes"].to_numpy())
    event_id = encoded.dictionary.take(order)
    return Events(
        event_id=event_id,
        **{name: contiguous(index[name]).take(first) for name in ("sound", "recording_type", "condition")},
        case=index["case"].to_numpy()[first],
        serves=_served_by(index.select(["case", "sound", "serves"]).take(first)),
        take=index["take"].to_numpy()[first],
        recording_id=contiguous(index["recording_id"]),
        recordings=recordings,
        n_samples=np.maximum(n_bytes - _WAV_HEADER_BYTES, 0) // _SAMPLE_BYTES,
        identity=event_identities(event_id),
        group=_groups_of(event_id, joined),
    )


def contiguous(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _served_by(index: pa.Table) -> npt.NDArray[np.bool_]:
    """Return which case each row is noise of, shape (n, 10)."""
    serves = np.zeros((len(index), _N_CASES), dtype=np.bool_)
    case = index["case"].to_numpy()
    is_noise = pc.equal(index["sound"], "noise").to_numpy()
    serves[np.arange(len(index)), case] = is_noise & (case != ALL_CASES)
    several = contiguous(index["serves"])
    serves[pc.list_parent_indices(several).to_numpy(), pc.list_flatten(several).to_numpy()] = True
    return serves


def _groups_of(event_id: pa.Array, joined: EqualEvents) -> Numbers:
    """Return the first event of each event's group; events that the source has not are passed over."""
    group = np.arange(len(event_id))
    if not joined.groups:
        return group
    names = pa.array([name for names in joined.groups for name in names], pa.string())
    number = np.repeat(np.arange(len(joined.groups)), [len(names) for names in joined.groups])
    place = pc.fill_null(pc.index_in(names, value_set=event_id), ABSENT).to_numpy().astype(np.int64)
    number, place = number[place != ABSENT], place[place != ABSENT]
    first = np.full(len(joined.groups), len(event_id))
    np.minimum.at(first, number, place)
    group[place] = first[number]
    return group
