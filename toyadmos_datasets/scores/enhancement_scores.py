"""Scores of noise reduction: SI-SDR, SDR and log-spectral distance of an estimate and of the mixture."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError, SilentSignalError
from toyadmos_datasets.signal.levels import power_to_db
from toyadmos_datasets.units import Decibels

Sound: TypeAlias = npt.NDArray[np.floating]
Floats: TypeAlias = npt.NDArray[np.float64]

_FRAME_SAMPLES = 512
_HOP_SAMPLES = 256
"""32 ms and 16 ms at 16 kHz, the paper's STFT."""

_SPECTRAL_RANGE = 1e-8
"""Powers more than 80 dB below the target's loudest one count as that: silence has no distance from silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancementScore:
    """How near an estimate is to the target, and how near the mixture was.

    Attributes:
        si_sdr_db: Scale-invariant signal-to-distortion ratio of the estimate.
        si_sdr_mixture_db: The same of the mixture.
        sdr_db: Signal-to-distortion ratio of the estimate, at the level that it has.
        sdr_mixture_db: The same of the mixture, which is its SNR.
        lsd_db: Log-spectral distance of the estimate; smaller is nearer.
        lsd_mixture_db: The same of the mixture.
    """

    si_sdr_db: Decibels
    si_sdr_mixture_db: Decibels
    sdr_db: Decibels
    sdr_mixture_db: Decibels
    lsd_db: Decibels
    lsd_mixture_db: Decibels

    @property
    def si_sdr_improvement_db(self) -> Decibels:
        """How much larger the SI-SDR became."""
        return self.si_sdr_db - self.si_sdr_mixture_db

    @property
    def sdr_improvement_db(self) -> Decibels:
        """How much larger the SDR became."""
        return self.sdr_db - self.sdr_mixture_db


def score_enhancement(estimate: Sound, target: Sound, noise: Sound) -> EnhancementScore:
    """Score an estimate of the target that was made from the sum of target and noise.

    Args:
        estimate: What noise reduction gives, shape (n_samples,) or (n_channels, n_samples). Of a target with several
            channels, an estimate with one is compared with the first.
        target: The machine's sound, shape (n_samples,) or (n_channels, n_samples).
        noise: The noise, of the target's shape.

    Returns:
        Ratios and distances in dB; of several channels their means.

    Raises:
        OptionError: The shapes do not fit.
        SilentSignalError: The target has no energy.
    """
    estimate, target, noise = (np.asarray(one, dtype=np.float64) for one in (estimate, target, noise))
    if estimate.ndim == 1 and target.ndim == 2:
        target, noise = target[0], noise[: 1 if noise.ndim == 2 else None].reshape(-1)
    if not estimate.shape == target.shape == noise.shape or estimate.ndim not in (1, 2):
        raise OptionError(
            "An estimate is compared with a target of the same length.",
            where="estimate",
            expected=f"the shape {target.shape}",
            actual=f"{estimate.shape}, noise {noise.shape}",
            remedy="Give sounds of one rate and length.",
        )
    channels = [_score(*one) for one in zip(*map(np.atleast_2d, (estimate, target, target + noise)), strict=True)]
    means = {one.name: float(np.mean([getattr(of, one.name) for of in channels])) for one in fields(EnhancementScore)}
    return EnhancementScore(**means)


def _score(estimate: Floats, target: Floats, mixture: Floats) -> EnhancementScore:
    return EnhancementScore(
        si_sdr_db=si_sdr_db(estimate, target),
        si_sdr_mixture_db=si_sdr_db(mixture, target),
        sdr_db=sdr_db(estimate, target),
        sdr_mixture_db=sdr_db(mixture, target),
        lsd_db=log_spectral_distance_db(estimate, target),
        lsd_mixture_db=log_spectral_distance_db(mixture, target),
    )


def si_sdr_db(estimate: Sound, target: Sound) -> Decibels:
    """Return the scale-invariant signal-to-distortion ratio, dB; inf for the target itself, however loud.

    The estimate is split into the part along the target, a s with a = <e, s> / <s, s>, and the rest. The ratio is that
    of their energies. No mean is taken off.

    Args:
        estimate: Shape (n_samples,).
        target: Shape (n_samples,).

    Raises:
        SilentSignalError: The target has no energy.

    Source:
        Le Roux et al. 2019, SDR - half-baked or well done?, equation 3.
    """
    heard, wanted = _as_floats(estimate), _as_floats(target)
    along = np.dot(heard, wanted) / _energy(wanted) * wanted
    return _ratio_db(along, heard - along)


def sdr_db(estimate: Sound, target: Sound) -> Decibels:
    """Return the energy of the target over that of the difference, dB; of a mixture, this is the SNR.

    Args:
        estimate: Shape (n_samples,).
        target: Shape (n_samples,).

    Raises:
        SilentSignalError: The target has no energy.

    Source:
        Le Roux et al. 2019, equation 1.
    """
    wanted = _as_floats(target)
    _energy(wanted)
    return _ratio_db(wanted, _as_floats(estimate) - wanted)


def log_spectral_distance_db(estimate: Sound, target: Sound) -> Decibels:
    """Return how far two spectra are apart: over frames the mean, over frequencies the root mean square, dB.

    Frames have 512 samples under a Hann window, hop 256; a shorter sound is one frame.

    Args:
        estimate: Shape (n_samples,).
        target: Shape (n_samples,).

    Raises:
        SilentSignalError: The target has no energy.

    Source:
        Gray and Markel 1976, Distance measures for speech processing, the L2 norm of log spectra.
    """
    _energy(_as_floats(target))
    of_target, of_estimate = _powers(target), _powers(estimate)
    floor = of_target.max() * _SPECTRAL_RANGE
    difference_db = 10 * np.log10(np.maximum(of_estimate, floor) / np.maximum(of_target, floor))
    return float(np.sqrt(np.mean(difference_db**2, axis=1)).mean())


def _powers(sound: Sound) -> Floats:
    """Return the power of each frame and frequency, shape (n_frames, n_frequencies)."""
    padded = np.pad(_as_floats(sound), (0, max(_FRAME_SAMPLES - len(sound), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME_SAMPLES)[::_HOP_SAMPLES]
    return np.abs(np.fft.rfft(frames * np.hanning(_FRAME_SAMPLES + 1)[:-1], axis=1)) ** 2


def _as_floats(sound: Sound) -> Floats:
    return np.asarray(sound, dtype=np.float64)


def _energy(target: Floats) -> float:
    energy = float(np.dot(target, target))
    if energy == 0:
        raise SilentSignalError(
            "The target is digital silence, which nothing is near to.",
            where="target",
            expected="a sound",
            actual="zeros alone",
            remedy="Leave such clips out: toyadmos prepare --exclude silent",
        )
    return energy


def _ratio_db(signal: Floats, distortion: Floats) -> Decibels:
    of_signal, of_distortion = float(np.dot(signal, signal)), float(np.dot(distortion, distortion))
    if of_distortion == 0:
        return math.inf
    return power_to_db(of_signal / of_distortion)
