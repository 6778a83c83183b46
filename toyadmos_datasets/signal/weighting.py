"""A-weighting: how much of a sound is heard, frequency by frequency."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.units import Hertz

WEIGHTINGS = ("A",)

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
