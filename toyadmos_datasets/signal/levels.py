"""Levels of a recording: energy, A-weighting and levels, over all of it and over its active part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.units import Decibels, Hertz, Seconds

Floats = npt.NDArray[np.float64]

_POLES_HZ = (20.598997, 107.65265, 737.86223, 12194.217)
"""Source: IEC 61672-1:2013, annex E: the frequencies f1 to f4."""

_NORMAL_HZ: Hertz = 1000
"""Where the gain is 1."""

_PIECE_SAMPLES = 1 << 20
"""Longer signals are weighted in pieces of at most this length, so that ten minutes need no more memory than one."""


def a_weighting(frequencies_hz: Floats) -> Floats:
    """Return the gain of the A-weighting, as a factor on amplitudes, 1 at 1 kHz and 0 at 0 Hz.

    R(f) = f4^2 f^4 / ((f^2 + f1^2) sqrt(f^2 + f2^2) sqrt(f^2 + f3^2) (f^2 + f4^2)), over R(1 kHz).

    Source:
        IEC 61672-1:2013, 5.5.6 and annex E.
    """
    return _response(frequencies_hz) / _response(np.array([float(_NORMAL_HZ)]))


def _response(frequencies_hz: Floats) -> Floats:
    first, second, third, fourth = (pole**2 for pole in _POLES_HZ)
    squared = frequencies_hz**2
    middle = np.sqrt((squared + second) * (squared + third))
    response: Floats = fourth * squared**2 / ((squared + first) * middle * (squared + fourth))
    return response


def a_weighted(samples: npt.NDArray[np.integer], rate_hz: Hertz) -> Floats:
    """Return a signal with its spectrum weighted; phases stay, and ends are joined as a Fourier transform joins them.

    A signal that never changes comes out as zeros exactly.

    Args:
        samples: Integers, shape (n_samples,) or (n_channels, n_samples).
        rate_hz: Their rate.
    """
    n_pieces = max(-(-samples.shape[-1] // _PIECE_SAMPLES), 1)
    pieces = np.array_split(samples, n_pieces, axis=-1)
    return np.concatenate([_weighted_piece(piece, rate_hz) for piece in pieces], axis=-1)


def _weighted_piece(samples: npt.NDArray[np.integer], rate_hz: Hertz) -> Floats:
    n_samples = samples.shape[-1]
    changing = samples - samples.mean(axis=-1, keepdims=True)
    spectrum = np.fft.rfft(changing, axis=-1)
    frequencies_hz = np.fft.rfftfreq(n_samples, 1 / rate_hz).astype(np.float64, copy=False)
    spectrum *= a_weighting(frequencies_hz)
    return np.fft.irfft(spectrum, n_samples, axis=-1)


Frames = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Energies:
    """Sums of squares of a signal; exact where the signal is not weighted.

    Attributes:
        whole: Over all samples of all channels.
        by_frame: Over each whole frame, shape (n_frames,).
        n_values: Samples of all channels.
        n_frame_values: The same of one frame.
    """

    whole: int | float
    by_frame: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    n_values: int
    n_frame_values: int

    def level_db(self, full_scale: int) -> Decibels:
        """Return the level over all of it, dB re full scale; -inf for silence."""
        return power_to_db(self.whole / self.n_values / full_scale**2)

    def level_over_db(self, frames: Frames, full_scale: int) -> Decibels:
        """Return the level over some frames, dB re full scale; -inf for silence, and for no frames."""
        if not frames.any():
            return power_to_db(0)
        return power_to_db(float(self.by_frame[frames].mean()) / self.n_frame_values / full_scale**2)


def energies_of(
    samples: npt.NDArray[np.integer], rate_hz: Hertz, weighting: str | None = None, *, floats: Floats | None = None
) -> Energies:
    """Measure the energies of a signal.

    Args:
        samples: Integers, shape (n_samples,) or (n_channels, n_samples); the energies of channels are added up.
        rate_hz: Their rate.
        weighting: ``A``, or None to take all frequencies alike.
        floats: The same integers as float64, where the caller has them; that saves a pass.
    """
    signal = samples if weighting is None else a_weighted(samples, rate_hz)
    n_samples = samples.shape[-1]
    n_channels = samples.size // max(n_samples, 1)
    frame_n = min(frame_length(rate_hz), max(n_samples, 1))
    by_frame = frame_energies(signal, rate_hz, floats=floats if weighting is None else None)
    tail = signal[..., len(by_frame) * frame_n :]
    of_tail = np.square(tail if weighting else tail.astype(np.int64)).sum()
    return Energies(
        whole=(by_frame.sum() + of_tail).item(),
        by_frame=by_frame,
        n_values=samples.size,
        n_frame_values=frame_n * n_channels,
    )


FULL_SCALE = 32768
"""int16 value that stands for 1.0."""

FRAME_S: Seconds = 0.032
"""Length of a frame whose level is looked at: 512 samples at 16 kHz, the paper's STFT window."""

ACTIVE_RANGE_DB: Decibels = 30.0
"""A frame is active when its level is within this range of the recording's loudest frame."""

SILENT_BELOW_DB: Decibels = -60.0
"""A recording is flagged silent below this level (RMS 0.001, the bound users have scanned ToyCar's CNT with)."""

DC_ABOVE = 0.01
"""A recording is flagged dc when its mean is further than this from zero, full scale 1."""

CLIPPED_FROM_N = 3
"""A recording is flagged clipped when at least this many samples are at full scale."""

_PIECE_FRAMES = 1 << 11

Level = TypeVar("Level", float, npt.NDArray[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What is measured of a recording.

    Attributes:
        level_db: RMS over the whole recording, dB re full scale; -inf for digital silence.
        active_level_db: RMS over the active frames, dB re full scale; -inf for digital silence.
        active_share: Share of frames that are active, 0 to 1.
        peak: Largest magnitude, full scale 1.
        mean: Mean value, full scale 1.
    """

    level_db: Decibels
    active_level_db: Decibels
    active_share: float
    peak: float
    mean: float


def health_flags(levels: Levels, n_full_scale: int) -> list[str]:
    """Name what is odd about a recording, of ``silent``, ``clipped`` and ``dc``.

    Args:
        levels: As measured.
        n_full_scale: How many of its samples, as recorded, are at full scale.
    """
    odd = {
        "silent": levels.level_db < SILENT_BELOW_DB,
        "clipped": n_full_scale >= CLIPPED_FROM_N,
        "dc": abs(levels.mean) > DC_ABOVE,
    }
    return [name for name, is_so in odd.items() if is_so]


def count_full_scale(samples: npt.NDArray[np.int16]) -> int:
    """Count the samples at either end of the int16 range."""
    if not len(samples) or (samples.min() > -FULL_SCALE and samples.max() < FULL_SCALE - 1):
        return 0
    return int(np.count_nonzero((samples == -FULL_SCALE) | (samples == FULL_SCALE - 1)))


def power_to_db(power: float) -> Decibels:
    """Return 10 log10(power), -inf for no power."""
    return 10 * math.log10(power) if power > 0 else -math.inf


def db_to_gain(level_db: Level) -> Level:
    """Return the factor on amplitudes that changes a level by so many dB."""
    return 10 ** (level_db / 20)


def active_frames(energies: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the frames within `ACTIVE_RANGE_DB` of the loudest, shape (n_frames,); none in digital silence."""
    loudest = energies.max(initial=0)
    if loudest <= 0:
        return np.zeros(len(energies), dtype=np.bool_)
    active: npt.NDArray[np.bool_] = energies >= loudest * 10 ** (-ACTIVE_RANGE_DB / 10)
    return active


@overload
def frame_energies(
    samples: npt.NDArray[np.integer], rate_hz: Hertz, *, floats: Floats | None = None
) -> npt.NDArray[np.int64]: ...


@overload
def frame_energies(
    samples: npt.NDArray[np.float64], rate_hz: Hertz, *, floats: Floats | None = None
) -> npt.NDArray[np.float64]: ...


def frame_energies(
    samples: npt.NDArray[np.integer] | npt.NDArray[np.float64], rate_hz: Hertz, *, floats: Floats | None = None
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """Return the sum of squares of each whole frame, shape (n_frames,).

    Sums of integers are exact, so that every machine finds the same levels, and with them the same gains.
    What is left at the end is dropped, unless the signal is shorter than one frame: then it is one frame.

    Args:
        samples: Signal, shape (n_samples,) or (n_channels, n_samples); the energies of channels are added up.
        rate_hz: Its rate.
        floats: The same integers as float64, where the caller has them.
    """
    n_samples = samples.shape[-1]
    frame_n = min(frame_length(rate_hz), max(n_samples, 1))
    n_frames = n_samples // frame_n
    frames = samples[..., : n_frames * frame_n].reshape(-1, n_frames, frame_n)
    if samples.dtype == np.float64:
        return _sums_of_squares(frames.astype(np.float64, copy=False))
    if _is_exact_in_float64(frames):
        exact = frames.astype(np.float64) if floats is None else floats[..., : n_frames * frame_n].reshape(frames.shape)
        return _sums_of_squares(exact).astype(np.int64)
    energies: npt.NDArray[np.int64] = np.square(frames.astype(np.int64)).sum(axis=(0, 2))
    return energies


def _sums_of_squares(frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the energy of each frame of all channels together, from shape (n_channels, n_frames, frame_n)."""
    by_channel = np.matmul(frames[:, :, np.newaxis, :], frames[:, :, :, np.newaxis])
    energies: npt.NDArray[np.float64] = by_channel.sum(axis=(0, 2, 3))
    return energies


def _is_exact_in_float64(frames: npt.NDArray[Any]) -> bool:
    """Tell whether no sum of squares over a frame of all channels, in whatever order, exceeds 2^53."""
    n_channels, _, frame_n = frames.shape
    is_recording = frames.dtype == np.int16
    largest = FULL_SCALE if is_recording else max(int(frames.max(initial=0)), -int(frames.min(initial=0)))
    return bool(n_channels * frame_n * largest**2 <= 1 << 53)


def frame_length(rate_hz: Hertz) -> int:
    """Return the number of samples in a frame of `FRAME_S` at this rate."""
    return round(FRAME_S * rate_hz)


def measure(samples: npt.NDArray[np.integer], rate_hz: Hertz, *, full_scale: int = FULL_SCALE) -> Levels:
    """Measure a recording piece by piece, so that ten minutes need no more memory than a minute.

    Args:
        samples: Mono signal as integers, shape (n_samples,), at least one.
        rate_hz: Its sampling rate.
        full_scale: The integer that stands for 1.0; k times `FULL_SCALE` for a sum of k recordings.

    Source:
        Levels are RMS re full scale; the active part is what `active_frames` marks.
    """
    frame_n = min(frame_length(rate_hz), len(samples))
    piece_n = frame_n * _PIECE_FRAMES
    by_frame = np.concatenate(
        [frame_energies(samples[i : i + piece_n], rate_hz) for i in range(0, len(samples) - frame_n + 1, piece_n)]
    )
    tail = samples[len(by_frame) * frame_n :].astype(np.int64)
    energy = sum(by_frame.tolist()) + int(np.dot(tail, tail))  # Python's integers hold long 24-bit recordings too
    active = active_frames(by_frame)
    low, high = int(samples.min()), int(samples.max())
    return Levels(
        level_db=power_to_db(energy / len(samples) / full_scale**2),
        active_level_db=power_to_db(float(by_frame[active].mean()) / frame_n / full_scale**2)
        if active.any()
        else -math.inf,
        active_share=float(active.mean()),
        peak=max(-low, high) / full_scale,
        mean=int(samples.sum(dtype=np.int64)) / len(samples) / full_scale,
    )
