"""Sums of recordings: what a mixture is, how loud its parts are, and how it becomes integers again.

Stems are integers (the sum of k int16 recordings, full scale k x 32768), so that their energies are
exact and every machine finds the same levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.signal.levels import FULL_SCALE, active_frames, db_to_gain, frame_energies
from toyadmos_datasets.units import Decibels, Hertz


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """One part of a mixture: the mean of k recordings, kept as their sum.

    Attributes:
        total: Sum of the recordings, shape (n_samples,), int32.
        n_recordings: k.
        gain_db: Gain that the mean is mixed with.
    """

    total: npt.NDArray[np.int32]
    n_recordings: int
    gain_db: Decibels

    @property
    def full_scale(self) -> int:
        """The integer that stands for 1.0."""
        return self.n_recordings * FULL_SCALE


def sum_of(recordings: Sequence[npt.NDArray[np.int16]]) -> npt.NDArray[np.int32]:
    """Add recordings up without wrapping, shape (n_samples,)."""
    total = recordings[0].astype(np.int32)
    for recording in recordings[1:]:
        total += recording
    return total


def mix(stems: Sequence[Stem], headroom_db: Decibels) -> npt.NDArray[np.float64]:
    """Return the sum of the stems' means with their gains, attenuated by the headroom.

    Returns:
        Mixture, shape (n_samples,), full scale +-1, not limited to it.
    """
    mixture = np.zeros(len(stems[0].total))
    for stem in stems:
        mixture += stem.total * (db_to_gain(stem.gain_db - headroom_db) / stem.full_scale)
    return mixture


def snr(target: Stem, noise: Stem) -> Decibels:
    """Return the ratio of the stems' energies as mixed, over the whole clip.

    With T and N the sums of squares of the integer stems, k and m their numbers of recordings and g, h
    their gains, it is 10 log10((T g^2 / k^2) / (N h^2 / m^2)).

    Returns:
        Ratio in dB; infinite or NaN where a stem has no energy.
    """
    return _ratio_db(_energy(target.total), _energy(noise.total), target, noise)


def active_snr(target: Stem, noise: Stem, rate_hz: Hertz) -> Decibels:
    """Return what `snr` does, over the frames in which the target is active."""
    target_energies = frame_energies(target.total, rate_hz)
    active = active_frames(target_energies)
    noise_energies = frame_energies(noise.total, rate_hz)
    return _ratio_db(int(target_energies[active].sum()), int(noise_energies[active].sum()), target, noise)


def _ratio_db(target_energy: int, noise_energy: int, target: Stem, noise: Stem) -> Decibels:
    if target_energy == 0 or noise_energy == 0:
        return math.nan if target_energy == noise_energy else math.copysign(math.inf, target_energy - noise_energy)
    by_recordings = 20 * math.log10(noise.n_recordings / target.n_recordings)
    return 10 * math.log10(target_energy / noise_energy) + by_recordings + target.gain_db - noise.gain_db


def _energy(total: npt.NDArray[np.int32]) -> int:
    wide = total.astype(np.int64)
    return int(np.dot(wide, wide))


def quantise(mono: npt.NDArray[np.float64], bit_depth: int) -> tuple[npt.NDArray[np.int32], int]:
    """Round to integers of `bit_depth` bits; what is past full scale stands at full scale and never wraps.

    Args:
        mono: Signal, shape (n_samples,), full scale +-1.
        bit_depth: 16 or 24.

    Returns:
        The integers, and how many of them were past full scale.
    """
    full_scale = 1 << (bit_depth - 1)
    rounded = np.rint(mono * full_scale)
    limited = np.clip(rounded, -full_scale, full_scale - 1)
    return limited.astype(np.int32), int(np.count_nonzero(rounded != limited))


def headroom_for(bound: float, bit_depth: int) -> Decibels:
    """Return the whole number of dB that brings a bound on the magnitude, full scale 1, within full scale."""
    largest = 1 - 1 / (1 << (bit_depth - 1))
    if bound <= largest:
        return 0.0
    return float(math.ceil(20 * math.log10(bound / largest) - 1e-9))
