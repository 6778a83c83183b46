"""Log-mel spectrograms, as librosa makes them, and as the published code does."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.render_options import Filterbank, LogMel, Window

FloatArray = npt.NDArray[np.float32]

_AMPLITUDE_FLOOR = 1e-10
"""What the published code adds to a bin's power before the root."""

_SUM_FLOOR = 1e-8
"""What the published code adds to the sum that it divides a band by."""

_FRAMES_AT_ONCE = 64
"""Half a megabyte of frames stays in a processor's cache; all frames of a clip at once take twice the time."""


DEFAULT = LogMel()


def log_mel(mono: npt.NDArray[np.floating], settings: LogMel = DEFAULT) -> FloatArray:
    """Return the log-mel spectrogram of a clip, shape (n_frames, n_mels).

    The transform is in double precision, as librosa's is: in single precision the rounding of a loud bin covers the
    silent ones, by 24 dB for a pure tone.

    Args:
        mono: Shape (n_samples,), full scale +-1, at the settings' rate.
        settings: Which frames, bands and logarithm.

    Raises:
        OptionError: The clip is shorter than a frame, or has more than one channel.

    Source:
        See `mel_filterbank`.
    """
    if mono.ndim != 1 or len(mono) < settings.n_fft:
        raise OptionError(
            "Features are made of single-channel clips of at least one frame.",
            where="log_mel",
            expected=f"shape (n_samples,), at least {settings.n_fft} samples",
            actual=f"shape {mono.shape}",
            remedy="Pass one channel at a time, and leave shorter clips out.",
        )
    samples = _padded(mono, settings) if settings.is_centred else mono
    frames = np.lib.stride_tricks.sliding_window_view(samples, settings.n_fft)[:: settings.n_hop]
    frames = frames[: -1 if settings.is_last_frame_dropped else None]
    mel = _magnitudes(frames, settings) @ mel_filterbank(settings)
    mel += np.float32(settings.floor)
    if settings.scale == "ln":
        return np.log(mel)  # type: ignore[no-any-return]
    return np.float32(20 / settings.power) * np.log10(mel)  # type: ignore[no-any-return]


def _padded(mono: npt.NDArray[np.floating], settings: LogMel) -> npt.NDArray[np.floating]:
    """Return a clip with half a frame on either side: zeros, or its own samples in reverse, without the outermost."""
    n_samples = settings.n_fft // 2
    return np.pad(mono, n_samples) if settings.pad_mode == "zeros" else np.pad(mono, n_samples, mode="reflect")


def _magnitudes(frames: npt.NDArray[np.floating], settings: LogMel) -> FloatArray:
    """Return the magnitude of each bin to the power that is summed, shape (n_frames, n_bins)."""
    window = _window(settings.n_fft, settings.window)
    floor = _AMPLITUDE_FLOOR if settings.filterbank == "published" else 0.0
    magnitudes = np.empty((len(frames), settings.n_fft // 2 + 1), np.float32)
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        spectrum = np.fft.rfft(frames[start : start + _FRAMES_AT_ONCE] * window)
        power = spectrum.real**2 + spectrum.imag**2
        if settings.power == 1:
            power = np.sqrt(power + floor)
        magnitudes[start : start + _FRAMES_AT_ONCE] = power
    return magnitudes


def mel_filterbank(settings: LogMel = DEFAULT) -> FloatArray:
    """Return the weight of each bin in each band, shape (n_bins, n_mels).

    ``slaney``: as `librosa.filters.mel` has them, each triangle of area 1 over frequency in Hz.
    ``published``: triangles between whole bins, each of sum 1. The centres are even on 1127.01048 ln(1 + f / 700) and
    rounded down to bins; the first is at least bin 1, and one that is not above the one before moves to the bin after
    that. The first band begins at bin 0, and the last ends at the bin past the highest, so that this one counts.

    Source:
        librosa 0.11, `filters.mel`; the published training code, as read.
    """
    span_hz = (settings.fmin_hz, settings.top_hz)
    return _filterbank(settings.filterbank, settings.rate_hz, settings.n_fft, settings.n_mels, span_hz)


def band_centres_hz(settings: LogMel = DEFAULT) -> npt.NDArray[np.float64]:
    """Return the frequency around which each band lies, ascending, Hz: the mean of its bins by their weights."""
    weights = mel_filterbank(settings).astype(np.float64)
    bins_hz = np.arange(len(weights)) * settings.rate_hz / settings.n_fft
    totals = weights.sum(axis=0)
    heard = totals > 0  # a band between two bins has no weight: its place is between those of its neighbours
    centres = np.full(len(totals), np.nan)
    centres[heard] = (bins_hz @ weights[:, heard]) / totals[heard]
    places = np.arange(len(totals))
    found: npt.NDArray[np.float64] = np.interp(places, places[heard], centres[heard])
    return found


@cache
def _filterbank(kind: Filterbank, rate_hz: int, n_fft: int, n_mels: int, span_hz: tuple[float, float]) -> FloatArray:
    low_hz, high_hz = span_hz
    if kind == "slaney":
        from librosa.filters import mel  # noqa: PLC0415  (two seconds, for those alone who make features)

        bands: FloatArray = mel(sr=rate_hz, n_fft=n_fft, n_mels=n_mels, fmin=low_hz, fmax=high_hz)
        return np.ascontiguousarray(bands.T)
    low, high = (1127.01048 * math.log(1 + hz / 700) for hz in span_hz)
    centres_hz = 700 * (np.exp(np.linspace(low, high, n_mels + 2)[1:-1] / 1127.01048) - 1)
    edges = [0]
    for centre in np.floor(centres_hz * n_fft / rate_hz).astype(int).tolist():
        edges.append(max(centre, edges[-1] + 1))
    weights = _triangles(np.arange(n_fft // 2 + 1, dtype=np.float64), np.array([*edges, n_fft // 2 + 1], np.float64))
    weights /= weights.sum(axis=0) + _SUM_FLOOR
    return weights.astype(np.float32)


def _triangles(bins: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rise from each point to the next and fall to the one after, shape (n_bins, n_points - 2); points ascend."""
    low, centre, high = points[:-2], points[1:-1], points[2:]
    at = bins[:, None]
    return np.maximum(0, np.minimum((at - low) / (centre - low), (high - at) / (high - centre)))


@cache
def _window(n_fft: int, kind: Window) -> npt.NDArray[np.float64]:
    turns = np.arange(n_fft) / (n_fft if kind == "periodic" else n_fft - 1)
    return 0.5 - 0.5 * np.cos(2 * np.pi * turns)
