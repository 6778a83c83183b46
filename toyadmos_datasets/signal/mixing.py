"""Sums of recordings: mixtures, the levels of their parts, and their rounding to integers.

Stems are integers (the sum of k int16 recordings, full scale k x 32768), so that their energies are
exact and every machine finds the same levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.signal.levels import FULL_SCALE, active_frames, db_to_gain, energies_of, frame_energies
from toyadmos_datasets.units import Decibels, Hertz


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """One part of a mixture: the mean of k recordings, kept as their sum, or a stack of recordings as they are.

    Attributes:
        total: Sum of the recordings, shape (n_samples,); or the stack, shape (n_channels, n_samples).
        n_recordings: k; 1 for a stack.
        gain_db: Gain that the mean, or the whole stack, is mixed with.
        floats: `total` as float64, to be measured and then mixed once, which overwrites it; None to convert it anew.
    """

    total: npt.NDArray[np.int16] | npt.NDArray[np.int32]
    n_recordings: int
    gain_db: Decibels = 0.0
    floats: npt.NDArray[np.float64] | None = None

    def with_floats(self, memory: npt.NDArray[np.float64] | None = None) -> Stem:
        """Return the same stem, converted once.

        Args:
            memory: Where to, shape (n,) with room for it; None for new memory, which costs more than to fill it.
        """
        if memory is None:
            return replace(self, floats=self.total.astype(np.float64))
        floats = memory[: self.total.size].reshape(self.total.shape)
        np.copyto(floats, self.total)
        return replace(self, floats=floats)

    @property
    def full_scale(self) -> int:
        """The integer that stands for 1.0."""
        return self.n_recordings * FULL_SCALE


def stem_of(recordings: Sequence[npt.NDArray[np.int16]], *, is_stacked: bool, gain_db: Decibels = 0.0) -> Stem:
    """Make a stem of recordings of one length: their mean, or a stack with a channel for each."""
    if is_stacked:
        return Stem(total=np.stack(recordings), n_recordings=1, gain_db=gain_db)
    return Stem(total=sum_of(recordings), n_recordings=len(recordings), gain_db=gain_db)


def sum_of(recordings: Sequence[npt.NDArray[np.int16]]) -> npt.NDArray[np.int16] | npt.NDArray[np.int32]:
    """Add recordings up without wrapping, shape (n_samples,)."""
    if len(recordings) == 1:
        return recordings[0]
    total = recordings[0].astype(np.int32)
    for recording in recordings[1:]:
        total += recording
    return total


def mix(stems: Sequence[Stem], headroom_db: Decibels) -> npt.NDArray[np.float64]:
    """Return the sum of the stems' means with their gains, attenuated by the headroom.

    Large arrays cost more to get from the system than to compute, so the floats that a stem brings are used up.

    Returns:
        Mixture, of the stems' shape, full scale +-1, not limited to it.
    """
    first, *others = (_as_mixed(stem, headroom_db) for stem in stems)
    for other in others:
        first += other
    return first


def _as_mixed(stem: Stem, headroom_db: Decibels) -> npt.NDArray[np.float64]:
    samples = stem.total.astype(np.float64) if stem.floats is None else stem.floats
    samples *= db_to_gain(stem.gain_db - headroom_db) / stem.full_scale
    return samples


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureLevels:
    """How loud the parts of a mixture are, weighted or not, before headroom; infinite or NaN where one is silent.

    Attributes:
        snr_db: Ratio of the stems' energies over the whole clip.
        snr_active_db: The same over the frames in which the target is active.
        noise_db: Level of the noise over the whole clip, dB re full scale.
        noise_active_db: The same over those frames.
    """

    snr_db: Decibels
    snr_active_db: Decibels
    noise_db: Decibels
    noise_active_db: Decibels


def mixture_levels(target: Stem, noise: Stem, rate_hz: Hertz, weighting: str | None = None) -> MixtureLevels:
    """Measure the stems as mixed, over the whole clip and over the target's active frames.

    With T and N the sums of squares of the integer stems, k and m their numbers of recordings and g, h
    their gains, the ratio is 10 log10((T g^2 / k^2) / (N h^2 / m^2)). Which frames are active does not depend on
    the weighting.

    Args:
        target: The machine's sound.
        noise: The noise, of the same shape.
        rate_hz: Their rate.
        weighting: ``A``, or None to take all frequencies alike.
    """
    of_target, of_noise = (energies_of(stem.total, rate_hz, weighting, floats=stem.floats) for stem in (target, noise))
    by_frame = of_target.by_frame if weighting is None else frame_energies(target.total, rate_hz, floats=target.floats)
    active = active_frames(by_frame)
    target_energy, noise_energy = (one.by_frame[active].sum().item() for one in (of_target, of_noise))
    return MixtureLevels(
        snr_db=_ratio_db(of_target.whole, of_noise.whole, target, noise),
        snr_active_db=_ratio_db(target_energy, noise_energy, target, noise),
        noise_db=of_noise.level_db(noise.full_scale) + noise.gain_db,
        noise_active_db=of_noise.level_over_db(active, noise.full_scale) + noise.gain_db,
    )


def _ratio_db(target_energy: float, noise_energy: float, target: Stem, noise: Stem) -> Decibels:
    if target_energy == 0 or noise_energy == 0:
        return math.nan if target_energy == noise_energy else math.copysign(math.inf, target_energy - noise_energy)
    by_recordings = 20 * math.log10(noise.n_recordings / target.n_recordings)
    return 10 * math.log10(target_energy / noise_energy) + by_recordings + target.gain_db - noise.gain_db


def quantise(
    signal: npt.NDArray[np.float64], bit_depth: int, *, is_overwritten: bool = False
) -> tuple[npt.NDArray[np.int16] | npt.NDArray[np.int32], int]:
    """Round to integers of `bit_depth` bits; what is past full scale stands at full scale and never wraps.

    Args:
        signal: Of any shape, full scale +-1.
        bit_depth: 16 or 24.
        is_overwritten: Whether the signal may be used up, which saves an array of its size.

    Returns:
        The integers, int16 for 16 bits and int32 for 24, and how many of them were past full scale.
    """
    full_scale = 1 << (bit_depth - 1)
    rounded = np.multiply(signal, full_scale, out=signal if is_overwritten else None)
    np.rint(rounded, out=rounded)
    lowest, highest = float(-full_scale), float(full_scale - 1)
    if rounded.min(initial=0) >= lowest and rounded.max(initial=0) <= highest:  # nearly always, and then it is one pass
        return _integers(rounded, bit_depth), 0
    limited = np.clip(rounded, lowest, highest)
    return _integers(limited, bit_depth), int(np.count_nonzero(rounded != limited))


def _integers(whole: npt.NDArray[np.float64], bit_depth: int) -> npt.NDArray[np.int16] | npt.NDArray[np.int32]:
    return whole.astype(np.int16) if bit_depth == 16 else whole.astype(np.int32)


def peak_of(samples: npt.NDArray[np.int16] | npt.NDArray[np.int32], bit_depth: int) -> float:
    """Return the largest magnitude of integers of `bit_depth` bits, full scale 1."""
    return max(-int(samples.min()), int(samples.max())) / (1 << (bit_depth - 1))


def headroom_for(bound: float, bit_depth: int) -> Decibels:
    """Return the whole number of dB that brings a bound on the magnitude, full scale 1, within full scale."""
    largest = 1 - 1 / (1 << (bit_depth - 1))
    if bound <= largest:
        return 0.0
    return float(math.ceil(20 * math.log10(bound / largest) - 1e-9))
