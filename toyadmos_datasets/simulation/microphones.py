"""Four microphones: every sound reaches each of them later and fainter with its distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.simulation.motion import RATE_HZ, Samples, control_samples, on_every_sample

Point: TypeAlias = tuple[float, float, float]
"""Position in metres: right, away, up."""

Path: TypeAlias = Callable[[npt.NDArray[np.float64]], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]
"""Turns of the shaft to the position on the table at that time, metres right and away."""

SOUND_SPEED = 343.0
"""Metres a second in air at 20 degrees Celsius."""

SELF_NOISE = 10 ** (-87 / 20)
"""RMS of what a microphone and its amplifier add, full scale 1: 1.5 steps of 16 bits.

Source:
    A ToyCar at rest, IND, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): near -87 dBFS.
"""

REFERENCE_M = 0.5
"""Distance at which a sound has the level it was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedSound:
    """A sound and where it comes from.

    Attributes:
        sound: float32, shape (n_samples,).
        at: A fixed position, or the path that the toy moves along.
    """

    sound: Samples
    at: Point | Path


def record(
    sources: Sequence[PlacedSound],
    microphones: Sequence[Point],
    *,
    turns: npt.NDArray[np.float64] | None,
    noise: Callable[[int], np.random.Generator],
) -> list[Samples]:
    """Return what each microphone hears of all sources together, float32, each of shape (n_samples,).

    Args:
        sources: Sounds of the same length.
        microphones: Their positions, one a channel.
        turns: Revolutions of the shaft, for sources that move; None if none does.
        noise: Channel to the generator of that microphone's own noise.
    """
    recordings = []
    for channel, microphone in zip(CHANNELS, microphones, strict=True):
        heard = noise(channel).standard_normal(len(sources[0].sound), dtype=np.float32)
        heard *= SELF_NOISE
        for source in sources:
            if callable(source.at):
                if turns is None:
                    raise TypeError("a source that moves needs the turns of its shaft")
                heard += _from_a_moving(source.sound, source.at, turns, microphone)
            else:
                heard += from_a_fixed(source.sound, distance_m(source.at, microphone))
        recordings.append(heard)
    return recordings


def distance_m(a: Point, b: Point) -> float:
    """Return the distance of two points."""
    return float(np.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True))))


def from_a_fixed(sound: Samples, away_m: float) -> Samples:
    """Delay and attenuate by a distance that does not change."""
    delay = away_m / SOUND_SPEED * RATE_HZ
    whole, part = int(delay), delay - int(delay)
    gain = REFERENCE_M / away_m
    heard = np.zeros_like(sound)
    heard[whole:] = sound[: len(sound) - whole] * np.float32(gain * (1 - part))
    heard[whole + 1 :] += sound[: len(sound) - whole - 1] * np.float32(gain * part)
    return heard


def _from_a_moving(sound: Samples, path: Path, turns: npt.NDArray[np.float64], microphone: Point) -> Samples:
    """Delay and attenuate by a distance that changes, which also bends the pitch a little."""
    n_samples = len(sound)
    right, away = path(turns[np.minimum(control_samples(n_samples), n_samples - 1)])
    distances = np.sqrt((right - microphone[0]) ** 2 + (away - microphone[1]) ** 2 + microphone[2] ** 2)
    at = np.arange(n_samples) - on_every_sample(distances * (RATE_HZ / SOUND_SPEED), n_samples)
    np.maximum(at, 0, out=at)
    whole = at.astype(np.intp)
    part = (at - whole).astype(np.float32)
    heard = sound[whole]
    # Straight lines between samples cost a little treble, as air and a windscreen do.
    heard += part * (sound[np.minimum(whole + 1, n_samples - 1)] - heard)
    heard *= on_every_sample(REFERENCE_M / distances, n_samples).astype(np.float32)
    return heard
