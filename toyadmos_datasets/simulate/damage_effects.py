"""What every damaged state of every part does to the sound.

The numbers are chosen by ear and eye, so that a spectrogram shows each state and a simple detector has to
work for it; nothing here is measured on the corpus.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from toyadmos_datasets.corpus.damage import NORMAL_STATE, damage_of
from toyadmos_datasets.simulate.effects import (
    NO_EFFECT,
    Effect,
    Knock,
    Modulation,
    Place,
    Rattle,
    Rub,
    Squeal,
    combine,
)
from toyadmos_datasets.units import Seconds

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
