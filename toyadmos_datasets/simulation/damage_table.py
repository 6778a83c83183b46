"""What each state of each part changes in the sound of a toy: one row of parameters a state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from toyadmos_datasets.corpus.damage import NORMAL_STATE, damage_of
from toyadmos_datasets.units import Seconds

Cycle: TypeAlias = Literal["wheel", "round"]
"""What comes back once a turn of a wheel or pulley, or once a round of the belt or the track."""

Place: TypeAlias = Literal["front", "back"]
"""Motor or locomotive, wheels or tail pulley or last carriage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """Blows on something that rings, at fixed points of a cycle or at random times.

    Attributes:
        weight: Peak at full speed, full scale 1 at the reference distance.
        tone_hz: Lowest mode of what is struck.
        decay_s: How long it rings.
        cycle: What has to come round.
        phases: Points of the cycle, 0 to 1, at which it is struck.
        random_per_s: Blows a second at full speed at times that nothing fixes, on average.
        place: Where it is heard from.
    """

    weight: float
    tone_hz: float
    decay_s: Seconds
    cycle: Cycle = "wheel"
    phases: tuple[float, ...] = ()
    random_per_s: float = 0.0
    place: Place = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseBand:
    """Noise while something touches, for a share of every cycle; a squeal where the band is thin.

    Attributes:
        rms: Level while it touches, at full speed.
        cycle: What has to come round.
        share: Part of the cycle for which it touches.
        centre_hz: Middle of the band.
        width_hz: Half the width of the band.
        phase: Middle of that part of the cycle, 0 to 1.
        place: Where it is heard from.
    """

    rms: float
    cycle: Cycle
    share: float
    centre_hz: float
    width_hz: float
    phase: float = 0.0
    place: Place = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sideband:
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
class DamagedSound:
    """How a state of a part changes the sound; as constructed, not at all.

    Attributes:
        speed: Factor on the rate of rotation.
        wander: Factor on the slow change of speed.
        tone: Factor on the motor's tone.
        wear: Factor on the broadband noise of wear.
        sidebands: Changes of loudness.
        impacts: Blows.
        bands: Noise during a part of a cycle.
    """

    speed: float = 1.0
    wander: float = 1.0
    tone: float = 1.0
    wear: float = 1.0
    sidebands: tuple[Sideband, ...] = ()
    impacts: tuple[Impact, ...] = ()
    bands: tuple[NoiseBand, ...] = ()


UNDAMAGED: Final = DamagedSound()


def combined(sounds: Iterable[DamagedSound]) -> DamagedSound:
    """Return what several damaged parts do together: factors multiply, sounds add."""
    sounds = tuple(sounds)
    together: dict[str, Any] = {}
    for field in fields(DamagedSound):
        values = [getattr(sound, field.name) for sound in sounds]
        together[field.name] = sum(values, ()) if isinstance(field.default, tuple) else math.prod(values, start=1.0)
    return DamagedSound(**together)


CURVE_AT: Final = 0.30
"""Point of the lap, 0 to 1, at which the train passes the damaged place of a curve."""

STRAIGHT_AT: Final = 0.54
"""Point of the lap at which it passes the damaged place of a straight track."""

_VOLTAGES: Final = {
    ("voltage", "Under voltage"): DamagedSound(speed=0.91, tone=0.86, wear=0.9),
    ("voltage", "Over voltage"): DamagedSound(speed=1.08, tone=1.1, wear=1.08),
}

_CAR: Final = {
    **_VOLTAGES,
    ("shaft", "Bent"): DamagedSound(sidebands=(Sideband(cycle="wheel", depth=0.5),), wander=1.3, wear=1.2),
    ("gears", "Deformed"): DamagedSound(
        sidebands=(Sideband(cycle="wheel", depth=0.4, per_cycle=2), Sideband(cycle="wheel", depth=0.3, per_cycle=3)),
        wear=1.6,
    ),
    ("gears", "Melted"): DamagedSound(
        impacts=(Impact(phases=(0,), weight=0.065, tone_hz=2900, decay_s=0.0016, place="front"),), tone=0.9
    ),
    ("tires", "Coiled (plastic ribbon)"): DamagedSound(
        bands=(NoiseBand(cycle="wheel", rms=0.022, share=0.3, centre_hz=1500, width_hz=700),), speed=0.985
    ),
    ("tires", "Coiled (steel ribbon)"): DamagedSound(
        bands=(NoiseBand(cycle="wheel", rms=0.016, share=0.2, centre_hz=6200, width_hz=900),),
        impacts=(Impact(phases=(0,), weight=0.03, tone_hz=5200, decay_s=0.003),),
        speed=0.98,
    ),
}


def _metallic_object(weight: float, tone_hz: float) -> DamagedSound:
    """An object on the belt strikes the head pulley and, fainter, the tail pulley once a revolution."""
    head = Impact(cycle="round", phases=(0,), weight=weight, tone_hz=tone_hz, decay_s=0.012, place="front")
    tail = Impact(cycle="round", phases=(0.4,), weight=0.6 * weight, tone_hz=1.15 * tone_hz, decay_s=0.010)
    return DamagedSound(impacts=(head, tail))


_CONVEYOR: Final = {
    **_VOLTAGES,
    ("tension_pulley", "Excessive tension"): DamagedSound(
        speed=0.965,
        tone=1.2,
        bands=(NoiseBand(cycle="wheel", rms=0.008, share=0.5, centre_hz=2850, width_hz=25, place="front"),),
    ),
    ("tension_pulley", "Aging"): DamagedSound(
        wander=3.5,
        sidebands=(Sideband(cycle="round", depth=0.3),),
        impacts=(Impact(random_per_s=5, weight=0.1, tone_hz=520, decay_s=0.008),),
    ),
    ("tail_pulley", "Excessive tension"): DamagedSound(
        speed=0.975, tone=1.1, bands=(NoiseBand(cycle="round", rms=0.008, share=0.5, centre_hz=4340, width_hz=25),)
    ),
    ("tail_pulley", "Removed"): DamagedSound(
        speed=1.03, tone=0.85, wear=0.9, impacts=(Impact(random_per_s=9, weight=0.11, tone_hz=340, decay_s=0.01),)
    ),
    ("belt", "Attached metallic object 1"): _metallic_object(0.10, 2600),
    ("belt", "Attached metallic object 2"): _metallic_object(0.17, 1900),
    ("belt", "Attached metallic object 3"): _metallic_object(0.27, 1300),
}


def _track(part: str, at: float) -> dict[tuple[str, str], DamagedSound]:
    """What damage at one point of the track does, as axle after axle passes it."""

    def axles(n_axles: int, gap: float, **blow: float) -> tuple[Impact, ...]:
        phases = tuple(at + axle * gap for axle in range(n_axles))
        return (Impact(cycle="round", phases=phases, place="front", **blow),)

    grinding = NoiseBand(cycle="round", rms=0.014, share=0.1, centre_hz=3800, width_hz=2200, phase=at, place="front")
    return {
        (part, "Disjointed"): DamagedSound(impacts=axles(4, 0.022, weight=0.2, tone_hz=1700, decay_s=0.006)),
        (part, "Obstructing stone"): DamagedSound(
            impacts=axles(2, 0.03, weight=0.26, tone_hz=420, decay_s=0.020), wander=1.2
        ),
        (part, "Broken"): DamagedSound(
            impacts=axles(8, 0.011, weight=0.13, tone_hz=2400, decay_s=0.008), bands=(grinding,)
        ),
    }


def _chipped_axle(place: Place, tone_hz: float) -> DamagedSound:
    """A flat spot strikes the rail once a turn of the wheel and makes its carriage sway."""
    return DamagedSound(
        impacts=(Impact(phases=(0,), weight=0.05, tone_hz=tone_hz, decay_s=0.004, place=place),),
        sidebands=(Sideband(cycle="wheel", depth=0.12),),
    )


_TRAIN: Final = {
    **_track("straight_railway_track", STRAIGHT_AT),
    **_track("curved_railway_track", CURVE_AT),
    ("first_carriage", "Chipped wheel axle"): _chipped_axle("front", 3100),
    ("last_carriage", "Chipped wheel axle"): _chipped_axle("back", 3600),
}

DAMAGED_SOUNDS: Final[Mapping[str, Mapping[tuple[str, str], DamagedSound]]] = MappingProxyType(
    {"ToyCar": _CAR, "ToyConveyor": _CONVEYOR, "ToyTrain": _TRAIN}
)
"""Toy, then part and state, to what is heard of it; a test holds it complete."""


def damaged_sound(toy: str, condition: str) -> DamagedSound:
    """Return what a condition does to the sound of a toy, all its damaged parts together."""
    states = damage_of(toy, condition).states
    return combined(DAMAGED_SOUNDS[toy][part, state] for part, state in states if state != NORMAL_STATE)
