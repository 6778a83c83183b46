"""Log-mel features: against librosa, and against a transcription of the published formulas."""

from __future__ import annotations

import numpy as np
import pytest
from wording import refused

from toyadmos_datasets.baseline.frames import log_mel
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import CODE, DCASE2020, PAPER
from toyadmos_datasets.signal.logmel import mel_filterbank


@pytest.fixture(scope="module")
def mono() -> np.ndarray:
    """Two seconds at 16 kHz: noise that fades in, and a chirp."""
    random = np.random.default_rng(7)
    time_s = np.arange(32_000) / 16_000
    noise = random.normal(0, 0.05, len(time_s)) * np.linspace(0.01, 1, len(time_s))
    return (noise + 0.1 * np.sin(2 * np.pi * (200 + 1500 * time_s) * time_s)).astype(np.float32)


def librosa_mel(mono, preset):
    librosa = pytest.importorskip("librosa")
    return librosa.feature.melspectrogram(
        y=mono,
        sr=preset.rate_hz,
        n_fft=preset.n_fft,
        hop_length=preset.n_hop,
        n_mels=preset.n_mels,
        power=2.0,
        center=preset.is_centred,
    ).T


def test_the_papers_features_agree_with_librosa(mono):
    expected = np.log(librosa_mel(mono, PAPER) + PAPER.floor)

    found = log_mel(mono, PAPER)

    assert found.shape == expected.shape == ((32_000 - 512) // 256 + 1, 64)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_challenges_features_agree_with_librosa(mono):
    # The challenge's baseline: 20 / power * log10(mel + the smallest float that adds to one).
    expected = 20.0 / 2.0 * np.log10(librosa_mel(mono, DCASE2020) + np.finfo(float).eps)

    found = log_mel(mono, DCASE2020)

    assert found.shape == expected.shape == (32_000 // 512 + 1, 128)
    np.testing.assert_allclose(found, expected, atol=1e-4)  # dB


def published_features(mono):
    """Follow the published code's formulas step by step, one frame and one band at a time, in double precision."""
    n_bins, bands = 257, []
    mel_of = lambda hz: 1127.01048 * np.log(1 + hz / 700)  # noqa: E731
    points = [700 * (np.exp(m / 1127.01048) - 1) for m in np.linspace(0, mel_of(8000), 66)]
    bins = [int(np.floor(hz / (16_000 / 512))) for hz in points]
    for left, centre, right in zip(bins, bins[1:], bins[2:], strict=False):
        band = np.zeros(n_bins)
        for k in range(left, centre):
            band[k] = (k - left) / (centre - left)
        band[centre] = 1.0
        for k in range(centre + 1, right):
            band[k] = (right - k) / (right - centre)
        bands.append(band / band.sum())
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 511) for n in range(512)])
    rows = []
    for number in range((len(mono) - 512) // 256):
        frame = mono[number * 256 : number * 256 + 512].astype(np.float64) * window
        spectrum = np.fft.fft(frame)[:n_bins]
        amplitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-10)
        rows.append([np.log((amplitude * band).sum() + 1e-8) for band in bands])
    return np.array(rows)


def test_the_published_codes_features_agree_with_its_formulas(mono):
    expected = published_features(mono)

    found = log_mel(mono, CODE)

    assert found.shape == expected.shape == ((32_000 - 512) // 256, 64)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_published_band_sums_to_one_and_none_is_empty():
    np.testing.assert_allclose(mel_filterbank(CODE.log_mel).sum(axis=0), 1.0, rtol=1e-6)


def test_silence_has_finite_features():
    assert np.isfinite(log_mel(np.zeros(16_000, np.float32))).all()


@pytest.mark.parametrize("mono", [np.zeros(511), np.zeros((2, 16_000))])
def test_a_clip_without_a_whole_frame_or_with_two_channels_is_refused(mono):
    with refused(OptionError):
        log_mel(mono)
