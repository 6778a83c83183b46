"""What can be heard of a machine's parts, damaged or not, and how several of them add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toyadmos_datasets.units import Seconds

Cycle: TypeAlias = Literal["shaft", "wheel", "round"]
"""What comes back once a turn of something: the motor's shaft, a wheel or pulley, the belt or the lap."""

Place: TypeAlias = Literal["front", "back"]
"""Motor or locomotive, wheels or tail pulley or last carriage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A blow at a fixed point of a cycle.

    Attributes:
        cycle: What has to come round.
        weight: Peak at full speed, full scale 1 at the reference distance.
        tone_hz: Lowest mode of what is struck.
        decay_s: How long it rings.
        at: Point of the cycle, 0 to 1; None for one that differs from take to take.
        repeats: Blows one after the other, as of the axles of a carriage.
        gap: Their distance, a share of the cycle.
        place: Where it is heard from.
    """

    cycle: Cycle
    weight: float
    tone_hz: float
    decay_s: Seconds
    at: float | None = None
    repeats: int = 1
    gap: float = 0.0
    place: Place = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rub:
    """Noise while something touches, for a share of every cycle.

    Attributes:
        cycle: What has to come round.
        weight: RMS while it touches, at full speed.
        share: Part of the cycle for which it touches.
        centre_hz: Middle of its band.
        width_hz: Half the width of its band.
        at: Middle of that part of the cycle, 0 to 1; None for one that differs from take to take.
        place: Where it is heard from.
    """

    cycle: Cycle
    weight: float
    share: float
    centre_hz: float
    width_hz: float
    at: float | None = None
    place: Place = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Squeal:
    """A thin tone that follows the speed and comes and goes with a cycle.

    Attributes:
        cycle: What it comes and goes with.
        weight: RMS at its loudest.
        harmonic: Its pitch, in revolutions of the shaft; need not be whole.
        place: Where it is heard from.
    """

    cycle: Cycle
    weight: float
    harmonic: float
    place: Place = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rattle:
    """Blows at times that nothing fixes, as of something loose.

    Attributes:
        per_s: How many a second at full speed, on average.
        weight: Their peak.
        tone_hz: Lowest mode of what is struck.
        decay_s: How long it rings.
        place: Where it is heard from.
    """

    per_s: float
    weight: float
    tone_hz: float
    decay_s: Seconds
    place: Place = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Modulation:
    """Loudness that changes with a cycle, which puts sidebands beside every harmonic.

    Attributes:
        cycle: What it changes with.
        depth: Largest change, a share of the loudness.
        per_cycle: How often it changes in one cycle.
    """

    cycle: Cycle
    depth: float
    per_cycle: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a state of a part changes the sound; as constructed, not at all.

    Attributes:
        speed: Factor on the rate of rotation.
        loudness: Factor on the motor's tone.
        hiss: Factor on the broadband noise of wear.
        wander: Factor on the slow change of speed.
        unevenness: Speed that changes within a wheel's turn, a share of it: shifts harmonics to and fro.
        modulations: Loudness that changes with a cycle.
        knocks: Blows at fixed points of a cycle.
        rubs: Noise during a part of a cycle.
        squeals: Thin tones.
        rattles: Blows at no fixed time.
    """

    speed: float = 1.0
    loudness: float = 1.0
    hiss: float = 1.0
    wander: float = 1.0
    unevenness: float = 0.0
    modulations: tuple[Modulation, ...] = ()
    knocks: tuple[Knock, ...] = ()
    rubs: tuple[Rub, ...] = ()
    squeals: tuple[Squeal, ...] = ()
    rattles: tuple[Rattle, ...] = ()


NO_EFFECT = Effect()


def combine(effects: Sequence[Effect]) -> Effect:
    """Return one effect that stands for all: factors multiply, sounds add."""
    return Effect(
        speed=math.prod(one.speed for one in effects),
        loudness=math.prod(one.loudness for one in effects),
        hiss=math.prod(one.hiss for one in effects),
        wander=math.prod(one.wander for one in effects),
        unevenness=sum(one.unevenness for one in effects),
        modulations=tuple(each for one in effects for each in one.modulations),
        knocks=tuple(each for one in effects for each in one.knocks),
        rubs=tuple(each for one in effects for each in one.rubs),
        squeals=tuple(each for one in effects for each in one.squeals),
        rattles=tuple(each for one in effects for each in one.rattles),
    )
