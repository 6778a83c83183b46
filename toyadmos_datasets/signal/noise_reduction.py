"""Noise reduction for reference: a Wiener filter, spectral subtraction, and delay-and-sum over microphones."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import Hertz, Seconds

Sound: TypeAlias = npt.NDArray[np.floating]
Floats: TypeAlias = npt.NDArray[np.float64]

_FRAME_SAMPLES = 512
"""32 ms at 16 kHz, the paper's STFT window; frames overlap by half."""

_SMOOTHED_FRAMES = 5
"""Powers of a mixture are the means of so many frames, so that single frames leave no tones behind."""

_EXPONENTS = {"wiener": 1.0, "subtraction": 0.5}

MAX_DELAY_S: Seconds = 0.01
"""3.4 m of way: more than microphones around a toy differ by."""


def noise_power(noise: Sound) -> Floats:
    """Return the mean power of noise at each frequency, shape (257,).

    Args:
        noise: A take of the noise without the machine, as loud as it is in the mixture, shape (n_samples,).
    """
    power: Floats = (np.abs(_spectra(noise)) ** 2).mean(axis=1)
    return power


def reduce_noise(
    mixture: Sound, noise: Floats, *, method: Literal["wiener", "subtraction"] = "wiener", floor: float = 0.1
) -> Sound:
    """Return a mixture with each frequency attenuated by how much of it is noise.

    With P the power of the mixture and N that of the noise, the power of the target is about P - N. The Wiener filter
    multiplies amplitudes by (P - N) / P, the subtraction of powers by the root of that.

    Args:
        mixture: Shape (n_samples,).
        noise: What `noise_power` returned.
        method: ``wiener`` or ``subtraction``.
        floor: The smallest factor.

    Returns:
        The estimate of the target, shape (n_samples,), float32.

    Raises:
        OptionError: There is no such method.

    Source:
        Boll 1979, Suppression of acoustic noise in speech using spectral subtraction; Lim and Oppenheim 1979,
        Enhancement and bandwidth compression of noisy speech.
    """
    from scipy.ndimage import uniform_filter1d  # noqa: PLC0415
    from scipy.signal import istft  # noqa: PLC0415

    if method not in _EXPONENTS:
        raise OptionError(
            "There is no such method of noise reduction.",
            where="method",
            expected=" or ".join(_EXPONENTS),
            actual=method,
            remedy="Choose one of them.",
        )
    spectra = _spectra(mixture)
    power = uniform_filter1d(np.abs(spectra) ** 2, _SMOOTHED_FRAMES, axis=1, mode="nearest")
    of_target = np.maximum(1 - noise[:, np.newaxis] / np.maximum(power, np.finfo(np.float64).tiny), 0)
    factors = np.maximum(of_target ** _EXPONENTS[method], floor)
    _, estimate = istft(spectra * factors, nperseg=_FRAME_SAMPLES)
    return np.asarray(estimate[: len(mixture)], dtype=np.float32)


def delay_and_sum(clip: Sound, rate_hz: Hertz, *, max_delay_s: Seconds = MAX_DELAY_S) -> Sound:
    """Return the mean of the microphones, each moved so that it agrees best with the first.

    How late a microphone is follows from the phases of its cross-spectrum with the first (GCC-PHAT), in whole samples.

    Args:
        clip: Shape (n_channels, n_samples).
        rate_hz: Its rate.
        max_delay_s: The largest delay that is looked for.

    Returns:
        Shape (n_samples,), float32, in time with the first microphone.

    Source:
        Knapp and Carter 1976, The generalized correlation method for estimation of time delay.
    """
    first = clip[0]
    moved = [_moved(one, -delay_of(one, first, limit=round(max_delay_s * rate_hz))) for one in clip]
    return np.asarray(np.mean(moved, axis=0, dtype=np.float64), dtype=np.float32)


def delay_of(sound: Sound, reference: Sound, *, limit: int) -> int:
    """Return by how many samples a sound comes later than another, at most `limit` either way."""
    n = 1 << (2 * len(reference) - 1).bit_length()
    cross = np.fft.rfft(sound, n) * np.conj(np.fft.rfft(reference, n))
    correlation = np.fft.irfft(cross / np.maximum(np.abs(cross), np.finfo(np.float64).tiny), n)
    lags = np.concatenate([correlation[-limit:], correlation[: limit + 1]]) if limit else correlation[:1]
    return int(lags.argmax()) - limit


def _moved(sound: Sound, n_samples: int) -> Sound:
    """Return a sound that comes so many samples later, with zeros where there is none."""
    moved = np.zeros_like(sound)
    if n_samples >= 0:
        moved[n_samples:] = sound[: len(sound) - n_samples]
    else:
        moved[:n_samples] = sound[-n_samples:]
    return moved


def _spectra(mono: Sound) -> npt.NDArray[np.complex128]:
    from scipy.signal import stft  # noqa: PLC0415

    return np.asarray(stft(np.asarray(mono, dtype=np.float64), nperseg=_FRAME_SAMPLES)[2])
