"""Resampling, against soxr in one go, and by what it does to tones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.signal.resampling import resample_chunks, resampler_name

FROM_HZ = 48_000
TO_HZ = 16_000


def resampled(samples: np.ndarray, cuts: list[int] | None = None, to_hz: int = TO_HZ) -> np.ndarray:
    chunks = np.split(samples, sorted(cuts or []))
    return np.concatenate(list(resample_chunks(chunks, FROM_HZ, to_hz)))


def noise(seed: int, n_samples: int, largest: int = 20_000) -> np.ndarray:
    return np.random.default_rng(seed).integers(-largest, largest, n_samples, endpoint=True).astype(np.int16)


def tone(frequency_hz: float, duration_s: float = 1.0) -> np.ndarray:
    time_s = np.arange(round(duration_s * FROM_HZ)) / FROM_HZ
    return np.rint(20_000 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.int16)


def rms(samples: np.ndarray) -> float:
    inner = samples[len(samples) // 10 : -len(samples) // 10].astype(np.float64)
    return math.sqrt(np.mean(inner**2))


@given(st.integers(0, 2**32 - 1), st.integers(1, 30_000), st.lists(st.integers(0, 30_000), max_size=12))
def test_the_result_is_soxr_in_one_go_rounded_however_it_is_cut(seed, n_samples, cuts):
    samples = noise(seed, n_samples)
    whole = soxr.resample(samples.astype(np.float32), FROM_HZ, TO_HZ, quality="HQ")

    result = resampled(samples, cuts)

    assert result.dtype == np.int16
    np.testing.assert_array_equal(result, np.clip(np.rint(whole), -32768, 32767).astype(np.int16))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 5000), max_size=6))
def test_the_rate_of_the_corpus_keeps_every_bit(seed, cuts):
    samples = noise(seed, 5000, largest=32767)

    np.testing.assert_array_equal(resampled(samples, cuts, to_hz=FROM_HZ), samples)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 47, 480_000, 480_001])
def test_a_third_of_the_samples_remain(n_samples):
    assert len(resampled(noise(1, n_samples))) == pytest.approx(n_samples / 3, abs=1)


@pytest.mark.parametrize("frequency_hz", [50, 440, 1000, 3000, 5000, 6500, 7000])
def test_tones_below_seven_kilohertz_keep_their_level(frequency_hz):
    samples = tone(frequency_hz)

    change_db = 20 * math.log10(rms(resampled(samples)) / rms(samples))

    assert abs(change_db) < 0.1


@pytest.mark.parametrize("frequency_hz", [8500, 9000, 12_000, 16_000, 20_000, 23_500])
def test_tones_above_eight_and_a_half_kilohertz_vanish(frequency_hz):
    assert rms(resampled(tone(frequency_hz))) < 0.5


def test_sound_stays_where_it_is_in_time():
    samples = np.zeros(FROM_HZ, dtype=np.int16)
    samples[FROM_HZ // 2] = 30_000

    result = resampled(samples)

    assert int(np.argmax(np.abs(result))) == TO_HZ // 2


def test_what_overshoots_full_scale_stays_there_and_never_wraps():
    square = np.where(np.arange(FROM_HZ) // 240 % 2, 32767, -32768).astype(np.int16)

    result = resampled(square)

    middle = result[40::80]  # well inside each half of the wave
    assert set(np.sign(middle)) == {-1, 1}
    assert (np.sign(middle[1:]) == -np.sign(middle[:-1])).all()
    assert (result == 32767).sum() > 10
    assert (result == -32768).sum() > 10


def test_the_resampler_is_named_with_the_version_that_its_bits_depend_on():
    assert resampler_name(FROM_HZ, TO_HZ) == f"soxr-hq-{soxr.__libsoxr_version__}"


def test_an_equal_rate_needs_no_resampler():
    assert resampler_name(FROM_HZ, FROM_HZ) == "none"
