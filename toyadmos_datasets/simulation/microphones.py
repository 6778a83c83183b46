"""Four microphones: every sound reaches each of them later and fainter with its distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import CHANNELS, CORPUS_RATE_HZ
from toyadmos_datasets.simulation.sound_elements import Samples, on_every_sample

Metres: TypeAlias = float | npt.NDArray[np.float64]
"""One value, or one at every control sample for what moves."""

Point: TypeAlias = tuple[float, float, float]
"""Position in metres: right, away, up."""

Position: TypeAlias = tuple[Metres, Metres, float]
"""A `Point`, or where something that moves on the table is at every control sample."""

SOUND_SPEED = 343.0
"""Metres a second in air at 20 degrees Celsius."""

SELF_NOISE = 10 ** (-87 / 20)
"""RMS of what a microphone and its amplifier add, full scale 1: 1.5 steps of 16 bits.

Source:
    A ToyCar at rest, IND, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): near -87 dBFS.
"""

REFERENCE_M = 0.5
"""Distance at which a sound has the level it was made with."""


def record(
    sources: Sequence[tuple[Samples, Position]],
    microphones: Sequence[Point],
    *,
    noise: Callable[[int], np.random.Generator],
) -> list[Samples]:
    """Return what each microphone hears of all sources together, float32, each of shape (n_samples,).

    Args:
        sources: Sounds of the same length, and where each comes from.
        microphones: Their positions, one a channel.
        noise: Channel to the generator of that microphone's own noise.
    """
    recordings = []
    for channel, microphone in zip(CHANNELS, microphones, strict=True):
        recording = noise(channel).standard_normal(len(sources[0][0]), dtype=np.float32)
        recording *= SELF_NOISE
        for sound, position in sources:
            right, away, up = (from_m - to_m for from_m, to_m in zip(position, microphone, strict=True))
            recording += from_away(sound, np.sqrt(right**2 + away**2 + up**2))
        recordings.append(recording)
    return recordings


def from_away(sound: Samples, away_m: Metres) -> Samples:
    """Attenuate by a distance, which may change, and delay by its mean: toys move too slowly to bend the pitch."""
    delay = float(np.mean(away_m)) / SOUND_SPEED * CORPUS_RATE_HZ
    whole, part = int(delay), delay - int(delay)
    heard = np.zeros_like(sound)
    heard[whole:] = sound[: len(sound) - whole] * np.float32(1 - part)
    heard[whole + 1 :] += sound[: len(sound) - whole - 1] * np.float32(part)
    if isinstance(away_m, np.ndarray):
        heard *= on_every_sample(REFERENCE_M / away_m, len(sound)).astype(np.float32)
    else:
        heard *= np.float32(REFERENCE_M / away_m)
    return heard
