"""Log-mel spectrograms, in NumPy, as the paper, its code, and librosa make them."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.presets import PAPER, Filterbank, Preset
from toyadmos_datasets.errors import OptionError

FloatArray = npt.NDArray[np.float32]

_AMPLITUDE_FLOOR = 1e-10
"""What the published code adds to a bin's power before the root."""


def log_mel(mono: npt.NDArray[np.floating], preset: Preset = PAPER) -> FloatArray:
    """Return the log-mel spectrogram of a clip, shape (n_frames, n_mels).

    Args:
        mono: Shape (n_samples,), full scale +-1, at the preset's rate.
        preset: Which frames, bands and logarithm.

    Raises:
        OptionError: The clip is shorter than a frame, or has more than one channel.

    Source:
        Bands: see `mel_filterbank`. The published code's spectrum is sqrt(re^2 + im^2 + 1e-10).
    """
    if mono.ndim != 1 or len(mono) < preset.n_fft:
        raise OptionError(
            "Features are made of single-channel clips of at least one frame.",
            where="log_mel",
            expected=f"shape (n_samples,), at least {preset.n_fft} samples",
            actual=f"shape {mono.shape}",
            remedy="Pass one channel at a time, and leave shorter clips out.",
        )
    samples = np.pad(mono, preset.n_fft // 2) if preset.is_centred else mono
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32, copy=False), preset.n_fft)
    frames = frames[:: preset.n_hop][: -1 if preset.is_last_frame_dropped else None]
    spectrum = np.fft.rfft(frames * _window(preset.n_fft, preset.window))
    power = spectrum.real**2 + spectrum.imag**2
    magnitude = power if preset.power == 2 else np.sqrt(power + np.float32(_AMPLITUDE_FLOOR))
    mel = magnitude.astype(np.float32, copy=False) @ mel_filterbank(preset)
    if preset.log == "ln":
        return np.log(mel + np.float32(preset.floor))  # type: ignore[no-any-return]
    return np.float32(20 / preset.power) * np.log10(mel + np.float32(preset.floor))  # type: ignore[no-any-return]


def mel_filterbank(preset: Preset) -> FloatArray:
    """Return the weight of each bin in each band, shape (n_bins, n_mels).

    ``slaney``: triangles between points even on Slaney's mel scale, each of area 1 over frequency in Hz.
    ``published``: triangles between points even on 1127.01048 ln(1 + f / 700), rounded down to bins, each of sum 1.

    Source:
        Slaney 1998, Auditory Toolbox, as librosa has it; the published training code, as read.
    """
    return _filterbank(preset.filterbank, preset.rate_hz, preset.n_fft, preset.n_mels)


@cache
def _filterbank(kind: Filterbank, rate_hz: int, n_fft: int, n_mels: int) -> FloatArray:
    if kind == "published":
        top = 1127.01048 * np.log(1 + rate_hz / 2 / 700)
        points_hz = 700 * (np.exp(np.linspace(0, top, n_mels + 2) / 1127.01048) - 1)
        edges = np.floor(points_hz * n_fft / rate_hz)
        weights = _triangles(np.arange(n_fft // 2 + 1, dtype=np.float64), edges)
        # Two points in one bin leave a triangle without an inner bin: its one bin is its centre.
        for band in np.flatnonzero(weights.sum(axis=0) == 0):
            weights[int(edges[band + 1]), band] = 1.0
        weights /= weights.sum(axis=0)
    else:
        points_hz = _slaney_to_hz(np.linspace(0, _hz_to_slaney(rate_hz / 2), n_mels + 2))
        weights = _triangles(np.linspace(0, rate_hz / 2, n_fft // 2 + 1), points_hz)
        weights *= 2 / (points_hz[2:] - points_hz[:-2])
    return weights.astype(np.float32)


def _triangles(bins: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rise from each point to the next and fall to the one after, shape (n_bins, n_points - 2)."""
    low, centre, high = points[:-2], points[1:-1], points[2:]
    at = bins[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where(centre > low, (at - low) / (centre - low), np.where(at >= centre, 1.0, 0.0))
        falling = np.where(high > centre, (high - at) / (high - centre), np.where(at <= centre, 1.0, 0.0))
    return np.maximum(0, np.minimum(rising, falling))


# Slaney's scale: linear up to 1000 Hz, 200/3 Hz a mel; above, 27 mel for every factor of 6.4.
_LINEAR_HZ, _BREAK_HZ, _BREAK_MEL, _LOG_STEP = 200 / 3, 1000.0, 15.0, np.log(6.4) / 27


def _hz_to_slaney(frequency_hz: float) -> float:
    if frequency_hz < _BREAK_HZ:
        return frequency_hz / _LINEAR_HZ
    return float(_BREAK_MEL + np.log(frequency_hz / _BREAK_HZ) / _LOG_STEP)


def _slaney_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))


@cache
def _window(n_fft: int, kind: str) -> FloatArray:
    turns = np.arange(n_fft) / (n_fft if kind == "periodic" else n_fft - 1)
    return (0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32)
