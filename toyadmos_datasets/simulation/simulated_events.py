"""The events of a corpus: what happens once and is heard by four microphones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from toyadmos_datasets.corpus.names import NOISE, NORMAL, RecordingName
from toyadmos_datasets.corpus.toys import CHANNELS, RecordingType, toy_named
from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.simulation.sizes import CorpusSize, chosen_conditions
from toyadmos_datasets.units import Bytes, Seconds

WAV_HEADER_BYTES: Bytes = 44

RESTING_CASE = 1
RESTING_SHARE = {"normal": 0.01, "anomalous": 0.06}
"""The case with IND takes in which the machine never runs, and the share of them; one at least.

Source:
    ToyCar, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): of case 1, 14 of 1350 normal and 16
    of 264 anomalous IND clips have an RMS below 0.001. The other cases have fewer. For the other toys nothing is known.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One take, before it is synthesised.

    Attributes:
        names: Of its recordings, channel 1 to 4.
        duration_s: Length of each.
        is_at_rest: Whether the machine is never switched on, so that the recordings are near-silent.
    """

    names: tuple[RecordingName, ...]
    duration_s: Seconds
    is_at_rest: bool = False

    @property
    def name(self) -> RecordingName:
        """Name of the first channel: all but the channel is that of the event."""
        return self.names[0]

    @property
    def n_samples(self) -> int:
        """Length of each recording at 48 kHz."""
        return round(self.duration_s * CORPUS_RATE_HZ)

    @property
    def n_bytes(self) -> Bytes:
        """Size of its WAV files together."""
        return len(self.names) * (WAV_HEADER_BYTES + 2 * self.n_samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBlock:
    """Events of one folder that share a solid block of the archive."""

    events: tuple[Event, ...]

    @property
    def is_continuous(self) -> bool:
        """Whether these are CNT recordings, of the toy or of noise."""
        return self.events[0].name.recording_type == "CNT"

    @property
    def n_bytes(self) -> Bytes:
        """Size of its WAV files together."""
        return sum(event.n_bytes for event in self.events)

    @property
    def members(self) -> tuple[str, ...]:
        """Paths of its recordings in the order of their names, as 7-Zip sorts them."""
        return tuple(sorted(name.member for event in self.events for name in event.names))


def list_events(toy: str, size: CorpusSize) -> tuple[Event, ...]:
    """List every event of a corpus, folder by folder."""
    cases = toy_named(toy).cases[: size.cases]
    clip_s = size.clip_s or toy_named(toy).clip_s
    events: list[Event] = []
    for case in cases:
        anomalous = [
            event
            for condition in chosen_conditions(toy, size.patterns)
            for event in _takes(toy, case, condition, n_takes=size.anomalous_takes, duration_s=clip_s)
        ]
        normal = list(_takes(toy, case, NORMAL, n_takes=size.normal_takes, duration_s=clip_s))
        if case == RESTING_CASE:
            anomalous, normal = _some_at_rest(anomalous), _some_at_rest(normal)
        events += anomalous
        events += _takes(
            toy,
            case,
            NORMAL,
            n_takes=size.continuous_takes,
            duration_s=size.continuous_s,
            recording_type="CNT",
        )
        events += normal
    for case in toy_named(toy).noise_cases[: size.cases]:
        events += _takes(toy, case, NOISE, n_takes=size.noise_takes, duration_s=size.continuous_s, recording_type="CNT")
    return tuple(events)


def list_blocks(events: tuple[Event, ...], *, block_bytes: Bytes) -> tuple[EventBlock, ...]:
    """Divide events into solid blocks: one folder each, no larger than asked unless one event is."""
    blocks: list[EventBlock] = []
    waiting: list[Event] = []
    for event in events:
        full = sum(one.n_bytes for one in waiting) + event.n_bytes > block_bytes
        if waiting and (full or waiting[0].name.folder != event.name.folder):
            blocks.append(EventBlock(events=tuple(waiting)))
            waiting = []
        waiting.append(event)
    blocks.append(EventBlock(events=tuple(waiting)))
    return tuple(blocks)


def _some_at_rest(events: list[Event]) -> list[Event]:
    """Let the machine of a few events, evenly spread over them, never run."""
    n_resting = max(round(RESTING_SHARE[events[0].name.sound] * len(events)), 1)
    resting = {(2 * number + 1) * len(events) // (2 * n_resting) for number in range(n_resting)}
    return [replace(event, is_at_rest=number in resting) for number, event in enumerate(events)]


def _takes(
    toy: str, case: int, condition: str, *, n_takes: int, duration_s: Seconds, recording_type: RecordingType = "IND"
) -> Iterator[Event]:
    for take in range(1, n_takes + 1):
        names = tuple(
            RecordingName(
                toy=toy,
                case=case,
                condition=condition,
                recording_type=recording_type,
                channel=channel,
                take=take,
            )
            for channel in CHANNELS
        )
        yield Event(names=names, duration_s=duration_s)
