"""What can be heard of a machine's parts, damaged or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from toyadmos_datasets.corpus.damage import NORMAL_STATE, damage_of
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


CURVE_AT: Final = 0.30
"""Point of the lap, 0 to 1, at which the train passes the damaged place of a curve."""

STRAIGHT_AT: Final = 0.54
"""Point of the lap at which it passes the damaged place of a straight track."""

_UNDER_VOLTAGE: Final = Effect(speed=0.91, loudness=0.86, hiss=0.9)
_OVER_VOLTAGE: Final = Effect(speed=1.08, loudness=1.1, hiss=1.08)

_CAR: Final = {
    ("shaft", "Bent"): Effect(
        unevenness=0.012, modulations=(Modulation(cycle="wheel", depth=0.45),), wander=1.3, hiss=1.1
    ),
    ("gears", "Deformed"): Effect(
        modulations=(
            Modulation(cycle="wheel", depth=0.3, per_cycle=2),
            Modulation(cycle="wheel", depth=0.22, per_cycle=3),
        ),
        hiss=1.3,
    ),
    ("gears", "Melted"): Effect(
        knocks=(Knock(cycle="wheel", weight=0.065, tone_hz=2900, decay_s=0.0016, place="front"),), loudness=0.9
    ),
    ("tires", "Coiled (plastic ribbon)"): Effect(
        rubs=(Rub(cycle="wheel", weight=0.022, share=0.3, centre_hz=1500, width_hz=700),), speed=0.985
    ),
    ("tires", "Coiled (steel ribbon)"): Effect(
        rubs=(Rub(cycle="wheel", weight=0.016, share=0.2, centre_hz=6200, width_hz=900),),
        knocks=(Knock(cycle="wheel", weight=0.03, tone_hz=5200, decay_s=0.003),),
        speed=0.98,
    ),
    ("voltage", "Under voltage"): _UNDER_VOLTAGE,
    ("voltage", "Over voltage"): _OVER_VOLTAGE,
}


def _metallic_object(weight: float, tone_hz: float) -> Effect:
    """An object on the belt strikes the head pulley and, fainter, the tail pulley once a revolution."""
    return Effect(
        knocks=(
            Knock(cycle="round", weight=weight, tone_hz=tone_hz, decay_s=0.012, place="front"),
            Knock(cycle="round", weight=0.6 * weight, tone_hz=1.15 * tone_hz, decay_s=0.010, place="back"),
        )
    )


_CONVEYOR: Final = {
    ("tension_pulley", "Excessive tension"): Effect(
        speed=0.965, loudness=1.2, squeals=(Squeal(cycle="wheel", weight=0.008, harmonic=27.4, place="front"),)
    ),
    ("tension_pulley", "Aging"): Effect(
        wander=3.5,
        modulations=(Modulation(cycle="round", depth=0.25),),
        rattles=(Rattle(per_s=3, weight=0.06, tone_hz=520, decay_s=0.008),),
    ),
    ("tail_pulley", "Excessive tension"): Effect(
        speed=0.975, loudness=1.1, squeals=(Squeal(cycle="round", weight=0.008, harmonic=41.7, place="back"),)
    ),
    ("tail_pulley", "Removed"): Effect(
        speed=1.03, loudness=0.85, hiss=0.9, rattles=(Rattle(per_s=9, weight=0.11, tone_hz=340, decay_s=0.01),)
    ),
    ("belt", "Attached metallic object 1"): _metallic_object(0.10, 2600),
    ("belt", "Attached metallic object 2"): _metallic_object(0.17, 1900),
    ("belt", "Attached metallic object 3"): _metallic_object(0.27, 1300),
    ("voltage", "Under voltage"): _UNDER_VOLTAGE,
    ("voltage", "Over voltage"): _OVER_VOLTAGE,
}


def _track(at: float) -> dict[str, Effect]:
    """What damage of the track at one point of the lap does, as axle after axle passes it."""
    return {
        "Disjointed": Effect(
            knocks=(_passing(at, weight=0.13, tone_hz=1700, decay_s=0.006, repeats=4, gap=0.022),),
        ),
        "Obstructing stone": Effect(
            knocks=(_passing(at, weight=0.26, tone_hz=420, decay_s=0.020, repeats=2, gap=0.03),), wander=1.2
        ),
        "Broken": Effect(
            knocks=(_passing(at, weight=0.13, tone_hz=2400, decay_s=0.008, repeats=8, gap=0.011),),
            rubs=(Rub(cycle="round", weight=0.014, share=0.1, centre_hz=3800, width_hz=2200, at=at, place="front"),),
        ),
    }


def _passing(at: float, *, weight: float, tone_hz: float, decay_s: Seconds, repeats: int, gap: float) -> Knock:
    return Knock(
        cycle="round", at=at, weight=weight, tone_hz=tone_hz, decay_s=decay_s, repeats=repeats, gap=gap, place="front"
    )


def _chipped_axle(place: Place, tone_hz: float) -> Effect:
    """A flat spot strikes the rail once a turn of the wheel and makes its carriage sway."""
    return Effect(
        knocks=(Knock(cycle="wheel", weight=0.05, tone_hz=tone_hz, decay_s=0.004, place=place),),
        modulations=(Modulation(cycle="wheel", depth=0.12),),
    )


_TRAIN: Final = {
    **{("straight_railway_track", state): effect for state, effect in _track(STRAIGHT_AT).items()},
    **{("curved_railway_track", state): effect for state, effect in _track(CURVE_AT).items()},
    ("first_carriage", "Chipped wheel axle"): _chipped_axle("front", 3100),
    ("last_carriage", "Chipped wheel axle"): _chipped_axle("back", 3600),
}

EFFECTS: Final[Mapping[str, Mapping[tuple[str, str], Effect]]] = MappingProxyType(
    {"ToyCar": _CAR, "ToyConveyor": _CONVEYOR, "ToyTrain": _TRAIN}
)
"""Toy, then part and state, to what is heard of it; a test holds it complete."""


def effect_of(toy: str, condition: str) -> Effect:
    """Return what a condition does to the sound of a toy, all its damaged parts together."""
    states = damage_of(toy, condition).states
    return combine([EFFECTS[toy][part, state] if state != NORMAL_STATE else NO_EFFECT for part, state in states])
