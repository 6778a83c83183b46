"""Parameters of the synthesiser: how each machine sounds, and how each damage changes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from toyadmos_datasets.corpus.damage import NORMAL_STATE, damage_of
from toyadmos_datasets.simulation.sound_elements import Point, Resonances
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

_CAR_DAMAGE: Final = {
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


_CONVEYOR_DAMAGE: Final = {
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


_TRAIN_DAMAGE: Final = {
    **_track("straight_railway_track", STRAIGHT_AT),
    **_track("curved_railway_track", CURVE_AT),
    ("first_carriage", "Chipped wheel axle"): _chipped_axle("front", 3100),
    ("last_carriage", "Chipped wheel axle"): _chipped_axle("back", 3600),
}

DAMAGED_SOUNDS: Final[Mapping[str, Mapping[tuple[str, str], DamagedSound]]] = MappingProxyType(
    {"ToyCar": _CAR_DAMAGE, "ToyConveyor": _CONVEYOR_DAMAGE, "ToyTrain": _TRAIN_DAMAGE}
)
"""Toy, then part and state, to what is heard of it; a test holds it complete."""


def damaged_sound(toy: str, condition: str) -> DamagedSound:
    """Return what a condition does to the sound of a toy, all its damaged parts together."""
    states = damage_of(toy, condition).states
    return combined(DAMAGED_SOUNDS[toy][part, state] for part, state in states if state != NORMAL_STATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One case of a toy.

    Attributes:
        shaft_hz: Revolutions of the motor's shaft a second.
        wheel_ratio: Turns of a wheel or pulley a turn of the shaft.
        round_hz: Laps, or revolutions of the belt, a second.
        teeth: Teeth of the pinion: gears mesh at this harmonic of the shaft.
        spin_up_s: Time constant of starting.
        wander: Standard deviation of the slow change of speed, a share of it.
        tone: RMS of the motor's tone at the reference distance.
        fall: How fast harmonics fall: amplitude of the k-th is k to the minus this.
        wear: RMS of the broadband noise of wear.
        body: Where motor and frame ring.
        surface: Where wheels, belt or rails ring.
        impacts: Blows that an undamaged machine makes.
        microphones: Positions of channels 1 to 4.
        front_at: Where the motor is, for a toy that stays in place.
        back_at: Where the other end is.
        track_m: Half the length and half the width of the oval, for a toy that goes round on it.
    """

    shaft_hz: float
    wheel_ratio: float
    round_hz: float
    teeth: int
    spin_up_s: Seconds
    wander: float
    tone: float
    fall: float
    wear: float
    body: Resonances
    surface: Resonances
    impacts: tuple[Impact, ...]
    microphones: tuple[Point, Point, Point, Point]
    front_at: Point = (0.0, 0.0, 0.0)
    back_at: Point = (0.0, 0.0, 0.0)
    track_m: tuple[float, float] | None = None

    @property
    def round_ratio(self) -> float:
        """Laps, or revolutions of the belt, a turn of the shaft."""
        return self.round_hz / self.shaft_hz


_PLASTIC: Final = Machine(
    shaft_hz=188.0,
    wheel_ratio=1 / 4.2,
    round_hz=5.0,
    teeth=8,
    spin_up_s=0.22,
    wander=0.004,
    tone=0.041,
    fall=0.75,
    wear=0.006,
    body=((760, 90, 5), (1530, 160, 4), (4100, 400, 2)),
    surface=((1900, 600, 3), (4800, 1500, 1.5)),
    impacts=(Impact(random_per_s=4, weight=0.03, tone_hz=2100, decay_s=0.003),),
    front_at=(0.0, -0.06, 0.03),
    back_at=(0.0, 0.07, 0.02),
    microphones=((0.0, -0.45, 0.15), (0.5, 0.1, 0.2), (-0.15, 0.6, 0.25), (-0.7, -0.1, 0.35)),
)
"""A car on rollers; its bearings rustle, those of steel hiss less and ring."""

_STEEL: Final = replace(_PLASTIC, wear=0.003, surface=((3400, 240, 6), (7200, 500, 5)))

_CONVEYOR: Final = Machine(
    shaft_hz=104.0,
    wheel_ratio=1 / 14,
    round_hz=1.3,
    teeth=10,
    spin_up_s=0.16,
    wander=0.003,
    tone=0.0385,
    fall=0.9,
    wear=0.005,
    body=((420, 60, 5), (1180, 140, 4), (2900, 300, 2)),
    surface=((650, 160, 3), (2600, 900, 2)),
    impacts=(
        # The belt's seam.
        Impact(cycle="round", phases=(0.25,), weight=0.035, tone_hz=800, decay_s=0.006, place="front"),
        Impact(random_per_s=3, weight=0.025, tone_hz=900, decay_s=0.005),
    ),
    front_at=(-0.25, 0.0, 0.08),
    back_at=(0.25, 0.0, 0.08),
    microphones=((-0.5, -0.3, 0.2), (0.55, -0.35, 0.25), (0.1, 0.6, 0.3), (-0.2, -0.8, 0.45)),
)
"""A belt between a driven pulley in front and a tail pulley at the back."""

LAST_CARRIAGE_BEHIND: Final = 0.12
"""Distance of the last carriage behind the locomotive, a share of the lap."""


def _train(shaft_hz: float, lap_hz: float, *, half_length_m: float, half_width_m: float, body: Resonances) -> Machine:
    """A train on an oval of sections, whose joints tick, with a microphone on each side."""
    right, away = half_length_m + 0.22, half_width_m + 0.2
    joints = tuple(0.02 + section / 14 for section in range(14))
    behind = tuple(joint + LAST_CARRIAGE_BEHIND for joint in joints)
    return Machine(
        shaft_hz=shaft_hz,
        wheel_ratio=1 / 9.3,
        round_hz=lap_hz,
        teeth=12,
        spin_up_s=0.2,
        wander=0.006,
        tone=0.036,
        fall=0.85,
        wear=0.0045,
        body=body,
        surface=((1250, 260, 4), (3300, 700, 2.5)),
        impacts=(
            Impact(cycle="round", phases=behind, weight=0.035, tone_hz=1500, decay_s=0.004),
            Impact(cycle="round", phases=joints, weight=0.035, tone_hz=1600, decay_s=0.004, place="front"),
            Impact(random_per_s=5, weight=0.03, tone_hz=1100, decay_s=0.004),
        ),
        track_m=(half_length_m, half_width_m),
        microphones=((0.05, -away, 0.3), (right, 0.03, 0.3), (-0.04, away + 0.1, 0.35), (-right - 0.1, -0.02, 0.4)),
    )


_HO: Final = _train(112.0, 0.46, half_length_m=0.57, half_width_m=0.32, body=((510, 60, 5), (1340, 150, 4)))
_N: Final = _train(154.0, 0.58, half_length_m=0.42, half_width_m=0.22, body=((820, 90, 5), (1980, 200, 4)))

MACHINES: Final[Mapping[str, Mapping[int, Machine]]] = MappingProxyType(
    {
        "ToyCar": {
            1: _PLASTIC,
            2: replace(_STEEL, shaft_hz=194.0, body=((790, 90, 5), (1610, 160, 4), (4300, 400, 2))),
            3: replace(_PLASTIC, shaft_hz=305.0, body=((900, 110, 5), (2450, 220, 5), (5100, 500, 2))),
            4: replace(_STEEL, shaft_hz=317.0, body=((930, 110, 5), (2540, 220, 5), (5300, 500, 2))),
        },
        "ToyConveyor": {
            1: _CONVEYOR,
            2: replace(_CONVEYOR, shaft_hz=88.0, round_hz=1.05, body=((330, 50, 5), (960, 120, 4), (2300, 300, 2))),
            3: replace(_CONVEYOR, shaft_hz=76.0, round_hz=0.85, body=((260, 45, 5), (790, 110, 4), (1900, 250, 2))),
        },
        "ToyTrain": {
            1: _HO,
            2: replace(_HO, shaft_hz=98.0, round_hz=0.42, body=((440, 60, 5), (1120, 150, 4))),
            3: _N,
            4: replace(_N, shaft_hz=139.0, round_hz=0.53, body=((740, 90, 5), (1760, 200, 4))),
        },
    }
)
"""Toy and case to the machine; cars are motor torque-tuned 2 (1, 2) or plasma dash (3, 4), bearing plastic or steel."""
