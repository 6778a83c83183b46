"""What the machines are: one row a case, from which the synthesiser makes their sound.

The numbers are plausible ones for toys of this size, not measurements: what the corpus publishes are the
motors, bearings, scales and sizes that tell the cases apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from toyadmos_datasets.simulation.damage_table import Impact
from toyadmos_datasets.simulation.microphones import Point
from toyadmos_datasets.simulation.sound_elements import Resonances
from toyadmos_datasets.units import Seconds


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
