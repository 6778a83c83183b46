"""How a toy runs through a recording: switched on, up to speed, a slow wander, off again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.units import Hertz, Seconds

RATE_HZ: Hertz = 48_000
"""Rate of the corpus."""

Samples = npt.NDArray[np.float32]

ONSET_S, TAIL_S, SWITCH_SPREAD_S = 0.82, 0.45, 0.07
"""When an IND clip's machine starts, how long before the end it stands, and the standard deviation of both.

Source:
    ToyCar, IND, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): onset 0.82 s with a standard
    deviation of 0.07 s, silent tail 0.45 s. The spread of the tail is not published; it is that of the onset here.
"""

ROOMY_CLIP_S: Seconds = 5.0
"""A shorter clip has onset and tail in proportion, at most a fifth of it each."""

CONTROL_EVERY = 480
"""Speed and place change slowly: they are worked out every 10 ms and interpolated."""

_WANDER_POINTS_HZ = 3.0

_STANDS_BELOW = 0.02
"""Friction ends the coasting: below this share of its speed the machine stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time during which the motor has current, in seconds from the start of the recording."""

    on_s: Seconds
    off_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """The turning of the motor's shaft, sample by sample.

    Attributes:
        speed: Share of the full speed, 0 to about 1, float32, shape (n_samples,).
        turns: Revolutions of the shaft since the recording began, float64, shape (n_samples,).
    """

    speed: Samples
    turns: npt.NDArray[np.float64]


def started_and_stopped(duration_s: Seconds, *, spin_up_s: Seconds, draws: np.random.Generator) -> tuple[Stretch, ...]:
    """Draw when the switch goes on and off in a clip that holds one start and one stop.

    It goes off early enough for the machine to coast before it stands for the tail.
    """
    share = min(duration_s / ROOMY_CLIP_S, 1.0)
    onset_s, tail_s = (share * draws.normal(mean_s, SWITCH_SPREAD_S) for mean_s in (ONSET_S, TAIL_S))
    return (Stretch(on_s=onset_s, off_s=duration_s - tail_s - _coasting_s(spin_up_s)),)


def _coasting_s(spin_up_s: Seconds) -> Seconds:
    """Return how long a machine at full speed coasts: `move` stops it three times as fast as it starts."""
    return -math.log(_STANDS_BELOW) * spin_up_s / 3


def running_on(duration_s: Seconds) -> tuple[Stretch, ...]:
    """Return the stretch of a machine that ran before the recording and runs after it."""
    return (Stretch(on_s=-10.0, off_s=duration_s + 10.0),)


def with_a_rest(duration_s: Seconds, draws: np.random.Generator) -> tuple[Stretch, ...]:
    """Draw a rest, about a third of the recording, for a motor that must cool down.

    Source:
        ToyCar's motors rested ten minutes after every ten; its CNT recordings hold that silence.
    """
    rest_s = duration_s * draws.uniform(0.3, 0.4)
    from_s = draws.uniform(0.2 * duration_s, 0.8 * duration_s - rest_s)
    return (Stretch(on_s=-10.0, off_s=from_s), Stretch(on_s=from_s + rest_s, off_s=duration_s + 10.0))


def move(
    stretches: tuple[Stretch, ...],
    n_samples: int,
    *,
    shaft_hz: float,
    wander: float,
    spin_up_s: Seconds,
    draws: np.random.Generator,
) -> Motion:
    """Turn the shaft through a recording.

    Args:
        stretches: When the motor has current.
        n_samples: Length of the recording at 48 kHz.
        shaft_hz: Revolutions a second at full speed.
        wander: Standard deviation of the slow change of speed, a share of it.
        spin_up_s: Time constant with which it starts; it stops three times as fast.
        draws: Where the wander comes from.
    """
    control_s = control_samples(n_samples) / RATE_HZ
    speed = _drive(stretches, control_s, spin_up_s=spin_up_s) * (1 + wander * _slow_noise(control_s, draws))
    fine = on_every_sample(speed, n_samples)
    turns = np.cumsum(fine)
    turns *= shaft_hz / RATE_HZ
    return Motion(speed=fine.astype(np.float32), turns=turns)


def control_samples(n_samples: int) -> npt.NDArray[np.int64]:
    """Return the samples at which slow things are worked out, the last at or after the recording's end."""
    return np.arange(-(-n_samples // CONTROL_EVERY) + 1) * CONTROL_EVERY


def on_every_sample(slow: npt.NDArray[np.float64], n_samples: int) -> npt.NDArray[np.float64]:
    """Draw straight lines between values at the `control_samples`, shape (n_samples,)."""
    # np.interp searches for the neighbours of every sample; on an even grid they are known.
    ramp = np.arange(CONTROL_EVERY) / CONTROL_EVERY
    lines = np.diff(slow)[:, None] * ramp
    lines += slow[:-1, None]
    fine: npt.NDArray[np.float64] = lines.ravel()[:n_samples]
    return fine


def _drive(
    stretches: tuple[Stretch, ...], control_s: npt.NDArray[np.float64], *, spin_up_s: Seconds
) -> npt.NDArray[np.float64]:
    drive = np.zeros_like(control_s)
    for stretch in stretches:
        running_s = np.clip(control_s - stretch.on_s, 0, stretch.off_s - stretch.on_s)
        reached = 1 - np.exp(-running_s / spin_up_s)
        coasting_s = np.maximum(control_s - stretch.off_s, 0)
        drive += reached * np.exp(-coasting_s / (spin_up_s / 3))
    moving: npt.NDArray[np.float64] = np.maximum((drive - _STANDS_BELOW) / (1 - _STANDS_BELOW), 0.0)
    return moving


def _slow_noise(control_s: npt.NDArray[np.float64], draws: np.random.Generator) -> npt.NDArray[np.float64]:
    """Unit-variance noise that changes over about a second."""
    n_points = int(control_s[-1] * _WANDER_POINTS_HZ) + 6
    steps = draws.standard_normal(n_points)
    smooth = np.convolve(steps, (0.5, 0.7, 0.5), mode="same")
    noise: npt.NDArray[np.float64] = np.interp(control_s, np.arange(n_points) / _WANDER_POINTS_HZ, smooth)
    return noise
