"""Raw material of sounds: tones that follow a shaft, shaped noise, the ringing of a body, single strikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.simulation.motion import RATE_HZ, Samples
from toyadmos_datasets.units import Seconds

_TABLE_SIZE = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Resonance:
    """A frequency at which a body rings.

    Attributes:
        centre_hz: Where.
        width_hz: How broadly.
        gain: How much louder there than elsewhere.
    """

    centre_hz: float
    width_hz: float
    gain: float


def waveform(amplitudes: Sequence[float], draws: np.random.Generator) -> Samples:
    """Return one period that holds harmonics 1, 2 .. with these amplitudes and drawn phases.

    Looking a period up costs the same for one harmonic as for sixty; RMS 1, shape (16384,).
    """
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=np.complex128)
    angles = draws.uniform(0, 2 * np.pi, len(amplitudes))
    spectrum[1 : len(amplitudes) + 1] = np.asarray(amplitudes) * np.exp(1j * angles)
    period = np.fft.irfft(spectrum)
    unit: Samples = (period / np.sqrt(np.mean(period**2))).astype(np.float32)
    return unit


def tone(period: Samples, turns: npt.NDArray[np.float64]) -> Samples:
    """Play a period once a turn, float32, the shape of `turns`."""
    index = (turns * _TABLE_SIZE).astype(np.int64)
    index &= _TABLE_SIZE - 1
    played: Samples = period[index]
    return played


def white(n_samples: int, draws: np.random.Generator) -> Samples:
    """Return white noise, RMS 1, float32."""
    return draws.standard_normal(n_samples, dtype=np.float32)


def shape(sound: Samples, resonances: Sequence[Resonance], *, slope: float = 0.0, from_hz: float = 60.0) -> Samples:
    """Let a sound pass a body that rings at some frequencies and lets through less the higher it is.

    The response is H(f) = (1 + sum of gain / (1 + ((f - centre) / width)^2)) * (1 + f / 200 Hz)^-slope,
    and falls to nothing below `from_hz`. It has no phase, so onsets stay where they are.

    Args:
        sound: float32, shape (n_samples,).
        resonances: Where the body rings.
        slope: Exponent of the fall; 1 is 6 dB an octave.
        from_hz: Lower end.
    """
    n_fft = _fast_length(len(sound))
    # The response has no detail finer than this grid; computing it bin by bin would cost more than the FFT.
    grid_hz = np.arange(0, RATE_HZ / 2 + 10, 10.0)
    response = np.ones_like(grid_hz)
    for one in resonances:
        response += one.gain / (1 + ((grid_hz - one.centre_hz) / one.width_hz) ** 2)
    response *= (1 + grid_hz / 200) ** -slope * np.minimum(1, (grid_hz / from_hz) ** 2)
    spectrum = np.fft.rfft(sound, n_fft)
    bins_hz = np.arange(len(spectrum)) * (RATE_HZ / n_fft)
    spectrum *= np.interp(bins_hz, grid_hz, response).astype(np.float32)
    # A NumPy before 2.0 transforms in double precision only.
    return np.fft.irfft(spectrum, n_fft)[: len(sound)].astype(np.float32)


def _fast_length(n_samples: int) -> int:
    """Round up to at most sixteen times a power of two, for which the FFT has no large prime to work at."""
    step = 1 << max(n_samples.bit_length() - 4, 0)
    return -(-n_samples // step) * step


def strike(tone_hz: float, decay_s: Seconds, draws: np.random.Generator, *, n_modes: int = 4) -> Samples:
    """Return one blow on something that rings: a few inharmonic modes and a puff of noise, peak 1.

    Args:
        tone_hz: Lowest mode.
        decay_s: Time in which it falls to 1/e; higher modes fall faster.
        draws: Where modes and noise come from.
        n_modes: How many modes ring.
    """
    time_s = np.arange(int(6 * decay_s * RATE_HZ)) / RATE_HZ
    blow = 0.6 * draws.standard_normal(len(time_s)) * np.exp(-time_s / (0.15 * decay_s))
    for k in range(n_modes):
        mode_hz = min(tone_hz * (1 + 0.93 * k) * draws.uniform(0.96, 1.04), 0.45 * RATE_HZ)
        ringing = np.sin(2 * np.pi * mode_hz * time_s + draws.uniform(0, 2 * np.pi))
        blow += ringing * np.exp(-time_s * (1 + 0.5 * k) / decay_s) / (1 + 0.6 * k)
    unit: Samples = (blow / np.abs(blow).max()).astype(np.float32)
    return unit


def add_at(sound: Samples, piece: Samples, start: int) -> None:
    """Add a piece to a sound in place; what lies outside the sound is left out."""
    begin, end = max(start, 0), min(start + len(piece), len(sound))
    if begin < end:
        sound[begin:end] += piece[begin - start : end - start]
