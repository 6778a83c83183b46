"""What the machines are: one row a case, from which the synthesiser makes their sound.

The numbers are plausible ones for toys of this size, not measurements: what the corpus publishes are the
motors, bearings, scales and sizes that tell the cases apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.simulation.damage_table import Impact
from toyadmos_datasets.simulation.microphones import Point
from toyadmos_datasets.simulation.sound_elements import Resonance
from toyadmos_datasets.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Oval:
    """A track of two straights and two half circles, centred on the table.

    Attributes:
        straight_m: Length of a straight.
        radius_m: Radius of the half circles.
        train_share: Distance of the last carriage behind the locomotive, a share of the lap.
    """

    straight_m: float
    radius_m: float
    train_share: float = 0.12

    def at(self, laps: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return where a point is after so many laps, metres right and away."""
        half, bend = self.straight_m / 2, math.pi * self.radius_m
        along = np.mod(laps, 1.0) * 2 * (self.straight_m + bend)
        second = along >= self.straight_m + bend
        along = np.where(second, along - self.straight_m - bend, along)
        angle = np.clip(along - self.straight_m, 0, None) / self.radius_m
        right = np.minimum(along, self.straight_m) - half + self.radius_m * np.sin(angle)
        away = -self.radius_m * np.cos(angle)
        # The second half of the lap is the first one turned by half a circle.
        sign = np.where(second, -1.0, 1.0)
        return sign * right, sign * away


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One case of a toy.

    Attributes:
        shaft_hz: Revolutions of the motor's shaft a second.
        wheel_ratio: Turns of a wheel or pulley a turn of the shaft.
        round_ratio: Laps, or revolutions of the belt, a turn of the shaft.
        teeth: Teeth of the pinion: gears mesh at this harmonic of the shaft.
        spin_up_s: Time constant of starting.
        wander: Standard deviation of the slow change of speed, a share of it.
        tone: RMS of the motor's tone at the reference distance.
        fall: How fast harmonics fall: amplitude of the k-th is k to the minus this.
        wear: RMS of the broadband noise of wear.
        body: Where motor and frame ring.
        surface: Where wheels, belt or rails ring.
        impacts: Blows that an undamaged machine makes.
        front_at: Where the motor is, for a toy that stays in place.
        back_at: Where the other end is.
        oval: The track, for a toy that moves.
        microphones: Positions of channels 1 to 4.
    """

    shaft_hz: float
    wheel_ratio: float
    round_ratio: float
    teeth: int
    spin_up_s: Seconds
    wander: float
    tone: float
    fall: float
    wear: float
    body: tuple[Resonance, ...]
    surface: tuple[Resonance, ...]
    microphones: tuple[Point, Point, Point, Point]
    impacts: tuple[Impact, ...]
    front_at: Point = (0.0, 0.0, 0.0)
    back_at: Point = (0.0, 0.0, 0.0)
    oval: Oval | None = None


def _rings(*rows: tuple[float, float, float]) -> tuple[Resonance, ...]:
    return tuple(Resonance(centre_hz=centre, width_hz=width, gain=gain) for centre, width, gain in rows)


def _car(shaft_hz: float, *, steel: bool, body: tuple[Resonance, ...]) -> Machine:
    """A car on rollers; steel bearings hiss less and ring, plastic ones rustle."""
    return Machine(
        shaft_hz=shaft_hz,
        wheel_ratio=1 / 4.2,
        round_ratio=1 / 40,
        teeth=8,
        spin_up_s=0.22,
        wander=0.004,
        tone=0.041,
        fall=0.75,
        wear=0.003 if steel else 0.006,
        body=body,
        surface=_rings((3400, 240, 6), (7200, 500, 5)) if steel else _rings((1900, 600, 3), (4800, 1500, 1.5)),
        impacts=(Impact(random_per_s=4, weight=0.03, tone_hz=2100, decay_s=0.003),),
        front_at=(0.0, -0.06, 0.03),
        back_at=(0.0, 0.07, 0.02),
        microphones=((0.0, -0.45, 0.15), (0.5, 0.1, 0.2), (-0.15, 0.6, 0.25), (-0.7, -0.1, 0.35)),
    )


def _conveyor(shaft_hz: float, *, length_m: float, belt_hz: float, body: tuple[Resonance, ...]) -> Machine:
    """A belt between a driven pulley in front and a tail pulley at the back."""
    return Machine(
        shaft_hz=shaft_hz,
        wheel_ratio=1 / 14,
        round_ratio=belt_hz / shaft_hz,
        teeth=10,
        spin_up_s=0.16,
        wander=0.003,
        tone=0.0385,
        fall=0.9,
        wear=0.005,
        body=body,
        surface=_rings((650, 160, 3), (2600, 900, 2)),
        impacts=(
            # The belt's seam.
            Impact(cycle="round", phases=(0.25,), weight=0.035, tone_hz=800, decay_s=0.006, place="front"),
            Impact(random_per_s=3, weight=0.025, tone_hz=900, decay_s=0.005),
        ),
        front_at=(-length_m / 2, 0.0, 0.08),
        back_at=(length_m / 2, 0.0, 0.08),
        microphones=(
            (-length_m / 2 - 0.25, -0.3, 0.2),
            (length_m / 2 + 0.3, -0.35, 0.25),
            (0.1, 0.6, 0.3),
            (-0.2, -0.8, 0.45),
        ),
    )


def _train(shaft_hz: float, *, lap_hz: float, oval: Oval, body: tuple[Resonance, ...]) -> Machine:
    """A train on an oval of sections, whose joints tick, with a microphone on each side."""
    joints = tuple(0.02 + section / 14 for section in range(14))
    right, away = oval.straight_m / 2 + oval.radius_m + 0.22, oval.radius_m + 0.2
    return Machine(
        shaft_hz=shaft_hz,
        wheel_ratio=1 / 9.3,
        round_ratio=lap_hz / shaft_hz,
        teeth=12,
        spin_up_s=0.2,
        wander=0.006,
        tone=0.036,
        fall=0.85,
        wear=0.0045,
        body=body,
        surface=_rings((1250, 260, 4), (3300, 700, 2.5)),
        impacts=(
            Impact(cycle="round", phases=joints, weight=0.035, tone_hz=1500, decay_s=0.004),
            Impact(cycle="round", phases=joints, weight=0.035, tone_hz=1600, decay_s=0.004, place="front"),
            Impact(random_per_s=5, weight=0.03, tone_hz=1100, decay_s=0.004),
        ),
        oval=oval,
        microphones=((0.05, -away, 0.3), (right, 0.03, 0.3), (-0.04, away + 0.1, 0.35), (-right - 0.1, -0.02, 0.4)),
    )


_HO: Final = Oval(straight_m=0.5, radius_m=0.32)
_N: Final = Oval(straight_m=0.4, radius_m=0.22)

MACHINES: Final[Mapping[str, Mapping[int, Machine]]] = MappingProxyType(
    {
        "ToyCar": {
            1: _car(188.0, steel=False, body=_rings((760, 90, 5), (1530, 160, 4), (4100, 400, 2))),
            2: _car(194.0, steel=True, body=_rings((790, 90, 5), (1610, 160, 4), (4300, 400, 2))),
            3: _car(305.0, steel=False, body=_rings((900, 110, 5), (2450, 220, 5), (5100, 500, 2))),
            4: _car(317.0, steel=True, body=_rings((930, 110, 5), (2540, 220, 5), (5300, 500, 2))),
        },
        "ToyConveyor": {
            1: _conveyor(104.0, length_m=0.35, belt_hz=1.30, body=_rings((420, 60, 5), (1180, 140, 4), (2900, 300, 2))),
            2: _conveyor(88.0, length_m=0.50, belt_hz=1.05, body=_rings((330, 50, 5), (960, 120, 4), (2300, 300, 2))),
            3: _conveyor(76.0, length_m=0.70, belt_hz=0.85, body=_rings((260, 45, 5), (790, 110, 4), (1900, 250, 2))),
        },
        "ToyTrain": {
            1: _train(112.0, lap_hz=0.46, oval=_HO, body=_rings((510, 60, 5), (1340, 150, 4))),
            2: _train(98.0, lap_hz=0.42, oval=_HO, body=_rings((440, 60, 5), (1120, 150, 4))),
            3: _train(154.0, lap_hz=0.58, oval=_N, body=_rings((820, 90, 5), (1980, 200, 4))),
            4: _train(139.0, lap_hz=0.53, oval=_N, body=_rings((740, 90, 5), (1760, 200, 4))),
        },
    }
)
"""Toy and case to the machine; cars are motor torque-tuned 2 (1, 2) or plasma dash (3, 4), bearing plastic or steel."""
