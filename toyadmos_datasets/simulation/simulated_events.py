"""The events of a corpus of each size; each happens once and four microphones record it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from toyadmos_datasets.corpus.damage import conditions_of, damage_of
from toyadmos_datasets.corpus.names import NOISE, NORMAL, RecordingName
from toyadmos_datasets.corpus.toys import CHANNELS, CORPUS_RATE_HZ, RecordingType, toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import Bytes, Seconds

Patterns: TypeAlias = Literal["a part", "a state", "all"]

WAV_HEADER_BYTES: Bytes = 44

RESTING_CASE = 1
RESTING_SHARE = {"normal": 0.01, "anomalous": 0.06}
"""The case with IND takes in which the machine never runs, and the share of them; one at least.

Source:
    ToyCar, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): of case 1, 14 of 1350 normal and 16
    of 264 anomalous IND clips have an RMS below 0.001. The other cases have fewer. For the other toys nothing is known.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSize:
    """How many recordings of which length a corpus of one toy has; four channels each.

    Attributes:
        name: What ``--size`` calls it.
        cases: How many of the toy's cases, from the first.
        normal_takes: IND clips of the undamaged toy, a case.
        patterns: Which rows of the damage table: for every part one that damages it alone (``a part``), for
            every state of every part the one that has nothing else (``a state``), or ``all``.
        anomalous_takes: IND clips a pattern and case; the corpus has about five.
        clip_s: Length of an IND clip; None for the corpus' own.
        continuous_takes: CNT recordings a case.
        noise_takes: Noise recordings a case, or for all cases where the toy has one set for all.
        continuous_s: Length of CNT and noise recordings; the corpus' are ten minutes.
        block_bytes: A solid block of the archive ends before it exceeds this.
        volume_bytes: Largest volume; smaller where that would give fewer than three.
    """

    name: str
    cases: int
    normal_takes: int
    patterns: Patterns
    anomalous_takes: int
    clip_s: Seconds | None
    continuous_takes: int
    noise_takes: int
    continuous_s: Seconds
    block_bytes: Bytes
    volume_bytes: Bytes


SIZES: Final[Mapping[str, CorpusSize]] = MappingProxyType(
    {
        size.name: size
        for size in (
            CorpusSize(
                name="tiny",
                cases=2,
                normal_takes=5,
                patterns="a part",
                anomalous_takes=2,
                clip_s=2.2,
                continuous_takes=1,
                noise_takes=4,
                continuous_s=6.0,
                block_bytes=8_000_000,
                volume_bytes=16_000_000,
            ),
            CorpusSize(
                name="small",
                cases=2,
                normal_takes=24,
                patterns="a state",
                anomalous_takes=2,
                clip_s=None,
                continuous_takes=1,
                noise_takes=4,
                continuous_s=30.0,
                block_bytes=32_000_000,
                volume_bytes=100_000_000,
            ),
            CorpusSize(
                name="medium",
                cases=4,
                normal_takes=100,
                patterns="all",
                anomalous_takes=2,
                clip_s=None,
                continuous_takes=2,
                noise_takes=8,
                continuous_s=60.0,
                block_bytes=64_000_000,
                volume_bytes=700_000_000,
            ),
        )
    }
)
"""Name to size.

Of the train, tree and volumes, one core (AMD EPYC) with one worker: tiny 45 MB of recordings in 3.6 s, small
450 MB in 47 s; medium, 4.4 GB, is reckoned from these at 8 minutes. The car and the conveyor take a fifth less.
"""


def size_named(name: str) -> CorpusSize:
    """Find a size.

    Raises:
        OptionError: There is no such size.
    """
    if name not in SIZES:
        raise OptionError(
            "There is no such size of a simulated corpus.",
            where="--size",
            expected=", ".join(SIZES),
            actual=ascii(name),
            remedy="Choose one of them, for instance: --size small",
        )
    return SIZES[name]


def chosen_conditions(toy: str, patterns: Patterns) -> tuple[str, ...]:
    """Return the damaged conditions that a size has, in the table's order."""
    conditions = conditions_of(toy)
    if patterns == "all":
        return conditions
    damages = [damage_of(toy, condition) for condition in conditions]
    alone = [damage for damage in damages if len(damage.damaged_parts) == 1]
    if patterns == "a state":
        return tuple(damage.condition for damage in alone)
    # The last state of a part is the one furthest from normal in most rows of the tables.
    last_of_part = {damage.damaged_parts[0]: damage.condition for damage in alone}
    return tuple(sorted(last_of_part.values()))


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
