"""Events: what happened once, whatever number of microphones heard it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.signal.randomness import derived_generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One physical event.

    Attributes:
        event_id: Its identity.
        case: Case, 0 for noise that serves all cases.
        sound: ``normal``, ``anomalous`` or ``noise``.
        recording_type: ``IND`` or ``CNT``.
        condition: ``normal``, ``ab01`` ..
        take: Number of the take.
        recording_ids: Channel to recording, of the channels that there are.
    """

    event_id: str
    case: int
    sound: str
    recording_type: str
    condition: str
    take: int
    recording_ids: dict[int, str]

    def recordings_on(self, channel: int) -> list[str] | None:
        """Return the recordings that make up a channel (0 is the mix of all four), or None if one is missing."""
        channels = (channel,) if channel else CHANNELS
        if any(one not in self.recording_ids for one in channels):
            return None
        return [self.recording_ids[one] for one in channels]


def events_of(index: pa.Table) -> list[Event]:
    """Gather recordings into events, sorted by event_id."""
    by_event: dict[str, dict[int, str]] = defaultdict(dict)
    facts: dict[str, dict[str, object]] = {}
    names = ("event_id", "case", "sound", "recording_type", "condition", "take")
    for row in index.select([*names, "channel", "recording_id"]).to_pylist():
        by_event[row["event_id"]][row["channel"]] = row["recording_id"]
        facts[row["event_id"]] = {name: row[name] for name in names}
    return [Event(**facts[key], recording_ids=by_event[key]) for key in sorted(by_event)]  # type: ignore[arg-type]


def shuffled(events: Iterable[Event], seed: int, *purpose: str) -> list[Event]:
    """Put events in a random order that each event's own draw decides.

    More or fewer events do not change the order of the others.
    """
    keyed = [(derived_generator(seed, *purpose, event.event_id).random(), event.event_id, event) for event in events]
    return [event for *_, event in sorted(keyed, key=lambda one: one[:2])]


def channels_chosen(choice: str, events: Sequence[Event]) -> list[int]:
    """Return the channels that a choice stands for: 0 for ``mix``, those there are for ``all``."""
    if choice == "mix":
        return [0]
    if choice == "all":
        return sorted({channel for event in events for channel in event.recording_ids})
    return [int(choice)]


def require_channels(events: Sequence[Event], channels: Sequence[int]) -> list[Event]:
    """Return the events that lack one of the channels; for the mix that is an error.

    Raises:
        PlanError: The mix of four microphones is asked for and an event lacks one.
    """
    incomplete = [event for event in events if any(event.recordings_on(channel) is None for channel in channels)]
    if 0 in channels and incomplete:
        event = incomplete[0]
        raise PlanError(
            f"{len(incomplete)} events cannot be mixed, because a microphone is missing.",
            where=event.event_id,
            expected=f"channels {', '.join(map(str, CHANNELS))}",
            actual=f"channels {', '.join(map(str, sorted(event.recording_ids)))}",
            remedy="Complete the source, or choose one microphone, for instance: --channels 1",
        )
    return incomplete
