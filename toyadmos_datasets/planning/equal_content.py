"""Events that carry the same sound under several names: known once their recordings have been ingested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


def find_joined(
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
