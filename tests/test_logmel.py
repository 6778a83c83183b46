"""Log-mel features of clips, against librosa."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from wording import refused

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.render_options import LOG_MEL_VERSION, LogMel
from toyadmos_datasets.signal.logmel import band_centres_hz, log_mel, mel_filterbank

TIME_S = np.arange(32_000) / 16_000
CLIPS = {
    "noise that fades in": np.random.default_rng(7).normal(0, 0.05, 32_000) * np.linspace(0, 1, 32_000),
    "a pure tone": 0.9 * np.sin(2 * np.pi * 1000 * TIME_S),
    "a chirp in 16 bits": np.rint(30_000 * np.sin(2 * np.pi * (200 + 1500 * TIME_S) * TIME_S)) / 32_768,
    "a click after silence": (np.arange(32_000) == 20_000).astype(float),
}
SETTINGS = [
    LogMel(),
    LogMel(scale="ln", floor=1e-10),
    LogMel(n_fft=512, n_hop=256, n_mels=64, power=1, floor=1e-8),
    LogMel(n_fft=2048, n_hop=100, n_mels=40, fmin_hz=50.0, fmax_hz=7600.0, is_centred=False),
    LogMel(n_fft=1000, n_hop=333, n_mels=20, fmax_hz=900.0),
    LogMel(pad_mode="reflect"),
]


def by_librosa(mono, settings):
    mel = librosa.feature.melspectrogram(
        y=mono,
        sr=settings.rate_hz,
        n_fft=settings.n_fft,
        hop_length=settings.n_hop,
        n_mels=settings.n_mels,
        fmin=settings.fmin_hz,
        fmax=settings.fmax_hz,
        power=settings.power,
        center=settings.is_centred,
        pad_mode={"zeros": "constant", "reflect": "reflect"}[settings.pad_mode],
    )
    # The DCASE baselines: 20 / power * log10(mel + the smallest float that adds to one).
    log = np.log if settings.scale == "ln" else lambda some: 20 / settings.power * np.log10(some)
    return log(mel + settings.floor).T


@pytest.mark.parametrize("settings", SETTINGS, ids=repr)
@pytest.mark.parametrize("clip", CLIPS)
def test_features_agree_with_librosa(clip, settings):
    mono = CLIPS[clip].astype(np.float32)
    expected = by_librosa(mono, settings)

    found = log_mel(mono, settings)

    assert found.dtype == np.float32
    assert found.shape == expected.shape == (settings.n_frames(len(mono)), settings.n_mels)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_settings_are_kept_with_the_version_of_what_is_made_by_them():
    parameters = SETTINGS[2].as_parameters()

    assert parameters["version"] == LOG_MEL_VERSION == 6
    assert LogMel.of_parameters(parameters) == SETTINGS[2]


def test_frames_are_counted_as_they_are_made():
    for settings in (LogMel(), LogMel(is_centred=False, is_last_frame_dropped=True), LogMel(n_fft=1001)):
        for n_samples in (1024, 1535, 1536, 20_000):
            assert len(log_mel(np.ones(n_samples, np.float32), settings)) == settings.n_frames(n_samples)


def test_bands_lie_within_their_span():
    weights = mel_filterbank(LogMel(fmin_hz=500.0, fmax_hz=4000.0, n_mels=32))
    frequencies_hz = np.arange(513) * 16_000 / 1024

    assert not weights[(frequencies_hz < 500) | (frequencies_hz > 4000)].any()
    assert weights.any(axis=0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_fft": 1},
        {"n_hop": 0},
        {"n_hop": 1025},
        {"n_mels": 513},
        {"fmin_hz": -1.0},
        {"fmin_hz": 4000.0, "fmax_hz": 4000.0},
        {"fmax_hz": 8001.0},
        {"power": 3},
        {"scale": "log2"},
        {"floor": 0.0},
    ],
)
def test_invalid_settings_are_refused(wrong):
    with refused(OptionError, "cli.md"):
        LogMel(**wrong)


@pytest.mark.parametrize("mono", [np.zeros(1023), np.zeros((2, 16_000))])
def test_a_clip_without_a_whole_frame_or_with_two_channels_is_refused(mono):
    with refused(OptionError):
        log_mel(mono)


@pytest.mark.parametrize("settings", [LogMel(), LogMel(filterbank="published", n_mels=64, n_fft=512)])
def test_the_bands_lie_in_ascending_order_around_their_largest_weights(settings):
    centres_hz, weights = band_centres_hz(settings), mel_filterbank(settings)
    bin_hz = settings.rate_hz / settings.n_fft

    assert (np.diff(centres_hz) > 0).all()
    assert centres_hz[-1] < settings.top_hz
    assert np.abs(centres_hz - weights.argmax(axis=0) * bin_hz).max() < 3 * bin_hz
