"""Log-mel features: against librosa, and against a transcription of the published formulas."""

from __future__ import annotations

import numpy as np
import pytest
from wording import refused

from toyadmos_datasets.baseline.frames import log_mel
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import CODE, DCASE2020, PAPER, changed
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
        power=float(preset.power),
        center=preset.is_centred,
        pad_mode="reflect",
    ).T


def test_the_papers_features_are_log_amplitudes_and_agree_with_librosa(mono):
    expected = np.log(librosa_mel(mono, changed(PAPER, {"power": 1})) + PAPER.floor)

    found = log_mel(mono, PAPER)

    assert found.shape == expected.shape == ((32_000 - 512) // 256 + 1, 64)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_challenges_features_agree_with_librosa_as_it_was_then(mono):
    # The challenge's baseline: 20 / power * log10(mel + the smallest float that adds to one). Librosa 0.6 reflected.
    expected = 20.0 / 2.0 * np.log10(librosa_mel(mono, DCASE2020) + np.finfo(float).eps)

    found = log_mel(mono, DCASE2020)

    assert found.shape == expected.shape == (32_000 // 512 + 1, 128)
    np.testing.assert_allclose(found, expected, atol=1e-4)  # dB


def published_bands():
    """Follow the published code's filterbank one band and one bin at a time, shape (64, 257)."""
    top = 1127.01048 * np.log(8000 / 700 + 1)
    centres = [int(700 * (np.exp(top * (band + 1) / 65 / 1127.01048) - 1) // 31.25) for band in range(64)]
    for band in range(64):
        before = centres[band - 1] if band else 0
        centres[band] = before + 1 if centres[band] <= before else centres[band]
    bands = np.zeros((64, 257))
    for band, centre in enumerate(centres):
        left = 0 if band == 0 else centres[band - 1]
        right = 257 if band == 63 else centres[band + 1]
        for k in range(left, right):
            bands[band, k] = (k - left) / (centre - left) if k < centre else (right - k) / (right - centre)
    return bands / (1e-8 + bands.sum(axis=1, keepdims=True))


def test_the_published_filterbank_agrees_bin_by_bin():
    bands = published_bands()
    plain = np.floor(700 * (np.exp(np.linspace(0, 1127.01048 * np.log(8000 / 700 + 1), 66) / 1127.01048) - 1) / 31.25)

    np.testing.assert_allclose(mel_filterbank(CODE.log_mel).T, bands, atol=1e-7)
    # What is odd about it: the first centre is bin 1 and moves others up, and the highest bin counts.
    centres = [int(np.argmax(band)) for band in bands]
    assert centres[0] == 1
    assert plain[1] == 0
    assert len(set(centres)) == 64
    assert np.flatnonzero(centres != plain[1:-1]).tolist() == list(range(7))
    assert bands[63, 256] > 0


def published_features(mono):
    """Follow the published code's formulas step by step, one frame and one band at a time, in double precision."""
    bands = published_bands()
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 511) for n in range(512)])
    rows = []
    for number in range((len(mono) - 512) // 256):
        frame = mono[number * 256 : number * 256 + 512].astype(np.float64) * window
        spectrum = np.fft.fft(frame)[:257]
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
