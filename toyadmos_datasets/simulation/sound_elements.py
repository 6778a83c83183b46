"""Four microphones: every sound reaches each of them later and fainter with its distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import CHANNELS, CORPUS_RATE_HZ
from toyadmos_datasets.units import Seconds

Samples = npt.NDArray[np.float32]

CONTROL_EVERY = 480
"""Speed and distance change slowly: they are worked out every 10 ms and interpolated."""

_PERIOD_SAMPLES = 1 << 14


Resonances: TypeAlias = Sequence[tuple[float, float, float]]
"""Where a body rings, how broadly, and how much louder than elsewhere: centre and width in hertz, and gain."""


def response(
    hz: npt.NDArray[np.floating[Any]], resonances: Resonances, *, slope: float, from_hz: float = 60.0
) -> npt.NDArray[np.float64]:
    """Return how loud a body that rings at some frequencies makes each frequency.

    H(f) = (1 + sum of gain / (1 + ((f - centre) / width)^2)) * (1 + f / 200 Hz)^-slope, and falls to nothing
    below `from_hz`; a slope of 1 is 6 dB an octave.
    """
    ringing = np.ones(hz.shape)
    for centre_hz, width_hz, gain in resonances:
        ringing += gain / (1 + ((hz - centre_hz) / width_hz) ** 2)
    heard: npt.NDArray[np.float64] = ringing * (1 + hz / 200) ** -slope * np.minimum(1, (hz / from_hz) ** 2)
    return heard


def coloured_noise(
    n_samples: int,
    draws: np.random.Generator,
    resonances: Resonances,
    *,
    slope: float = 0.5,
    from_hz: float = 60.0,
) -> Samples:
    """Return noise that a body has coloured, see `response`; RMS 1, float32, shape (n_samples,)."""
    # At most sixteen times a power of two: the FFT has no large prime to work at.
    step = 1 << max(n_samples.bit_length() - 4, 0)
    n_fft = -(-n_samples // step) * step
    # The response has no detail finer than this grid; computing it bin by bin would cost more than the FFT.
    grid_hz = np.arange(0, CORPUS_RATE_HZ / 2 + 10, 10.0)
    n_bins = n_fft // 2 + 1
    bins_hz = np.arange(n_bins) * (CORPUS_RATE_HZ / n_fft)
    gains = np.interp(bins_hz, grid_hz, response(grid_hz, resonances, slope=slope, from_hz=from_hz))
    spectrum = draws.standard_normal(2 * n_bins, dtype=np.float32).view(np.complex64)
    spectrum *= gains.astype(np.float32)
    # A NumPy before 2.0 transforms in double precision only.
    noise = np.fft.irfft(spectrum, n_fft)[:n_samples].astype(np.float32)
    noise /= np.sqrt(np.mean(noise**2))
    return noise


def period_of(amplitudes: npt.ArrayLike, draws: np.random.Generator) -> Samples:
    """Return one period that holds harmonics 1, 2 .. with these amplitudes and drawn phases; RMS 1."""
    heights = np.asarray(amplitudes)
    spectrum = np.zeros(_PERIOD_SAMPLES // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(heights) + 1] = heights * np.exp(1j * draws.uniform(0, 2 * np.pi, len(heights)))
    period = np.fft.irfft(spectrum)
    unit: Samples = (period / np.sqrt(np.mean(period**2))).astype(np.float32)
    return unit


def tone(period: Samples, turns: npt.NDArray[np.float64]) -> Samples:
    """Play a period once a turn, float32, the shape of `turns`; one harmonic costs as much as sixty."""
    index = (turns * _PERIOD_SAMPLES).astype(np.int64)
    index &= _PERIOD_SAMPLES - 1
    played: Samples = period[index]
    return played


def strike(tone_hz: float, decay_s: Seconds, draws: np.random.Generator, *, n_modes: int = 4) -> Samples:
    """Return one blow on something that rings: a few inharmonic modes and a puff of noise, peak 1.

    Args:
        tone_hz: Lowest mode.
        decay_s: Time in which it falls to 1/e; higher modes fall faster.
        draws: Where modes and noise come from.
        n_modes: How many modes ring.
    """
    time_s = np.arange(int(6 * decay_s * CORPUS_RATE_HZ)) / CORPUS_RATE_HZ
    blow = 0.6 * draws.standard_normal(len(time_s)) * np.exp(-time_s / (0.15 * decay_s))
    for k in range(n_modes):
        mode_hz = min(tone_hz * (1 + 0.93 * k) * draws.uniform(0.96, 1.04), 0.45 * CORPUS_RATE_HZ)
        ringing = np.sin(2 * np.pi * mode_hz * time_s + draws.uniform(0, 2 * np.pi))
        blow += ringing * np.exp(-time_s * (1 + 0.5 * k) / decay_s) / (1 + 0.6 * k)
    unit: Samples = (blow / np.abs(blow).max()).astype(np.float32)
    return unit


def add_at(sound: Samples, piece: Samples, start: int) -> None:
    """Add a piece to a sound in place; what lies outside the sound is left out."""
    begin, end = max(start, 0), min(start + len(piece), len(sound))
    if begin < end:
        sound[begin:end] += piece[begin - start : end - start]


def control_samples(n_samples: int) -> npt.NDArray[np.int64]:
    """Return the samples at which slow things are worked out, the last at or after the recording's end."""
    return np.arange(-(-n_samples // CONTROL_EVERY) + 1) * CONTROL_EVERY


def on_every_sample(slow: npt.NDArray[np.float64], n_samples: int) -> npt.NDArray[np.float64]:
    """Draw straight lines between values at the `control_samples`, shape (n_samples,)."""
    # np.interp searches for the neighbours of every sample; on an even grid they are known.
    lines = np.diff(slow)[:, None] * (np.arange(CONTROL_EVERY) / CONTROL_EVERY)
    lines += slow[:-1, None]
    fine: npt.NDArray[np.float64] = lines.ravel()[:n_samples]
    return fine


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
