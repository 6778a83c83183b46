"""A sound is known by its marks: whatever its gain, wherever it begins, and no other sound has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyadmos_datasets.signal.landmarks import KEPT_N, LOWEST, REACH_N, correlation, landmarks, sketch_of

RATE_HZ = 16_000


def noise(seed, n_samples=11 * RATE_HZ, level=3000):
    """Noise that is louder at low frequencies, as a factory's is."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=n_samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    mono = np.fft.irfft(spectrum, n_samples)
    return np.rint(mono / mono.std() * level).astype(np.int16)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3 * REACH_N * 4), st.sampled_from([3, 20, 3000]))
def test_a_landmark_is_what_exceeds_all_within_reach(seed, n_samples, level):
    mono = np.rint(np.random.default_rng(seed).normal(0, level, n_samples)).astype(np.int16)
    magnitude = np.abs(mono.astype(int))
    expected = [
        at
        for at in range(n_samples)
        if magnitude[at] >= LOWEST
        and np.count_nonzero(magnitude[max(at - REACH_N, 0) : at + REACH_N + 1] >= magnitude[at]) == 1
    ]

    assert landmarks(mono).tolist() == expected


def test_landmarks_do_not_depend_on_the_pieces_that_a_long_sound_is_taken_in():
    mono = np.random.default_rng(0).integers(-9000, 9000, (1 << 20) + 5_000, np.int16)
    across = slice((1 << 20) - 5_000, (1 << 20) + 5_000)
    alone = landmarks(mono[across])[1:-1] + across.start

    assert set(alone.tolist()) <= set(landmarks(mono).tolist())


@pytest.mark.parametrize("gain_db", [0, -6, -20, -30, -40])
@pytest.mark.parametrize("shift_s", [0, 3, 8])
def test_a_stretch_is_recognised_at_another_gain_and_from_another_beginning(gain_db, shift_s):
    whole = noise(1, 22 * RATE_HZ)
    shift = shift_s * RATE_HZ + 7
    one = whole[: 11 * RATE_HZ]
    other = np.rint(whole[shift : shift + 11 * RATE_HZ] * 10 ** (gain_db / 20)).astype(np.int16)
    first, second = sketch_of(one), sketch_of(other)
    _, here, there = np.intersect1d(first.marks, second.marks, return_indices=True)

    assert len(first.marks) == len(first.places) == KEPT_N
    assert len(here) >= 2
    assert set((first.places[here] - second.places[there]).tolist()) == {shift}
    assert correlation(one, other, shift) > 0.999


def test_independent_sounds_have_no_mark_in_common():
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    draws = np.random.default_rng(2)
    hums = [
        np.rint(8000 * np.sin(2 * np.pi * draws.uniform(50, 2000) * time_s) + draws.normal(0, 40, len(time_s)))
        for _ in range(100)
    ]
    sounds = [*(noise(seed, 4 * RATE_HZ) for seed in range(100)), *(hum.astype(np.int16) for hum in hums)]
    marks = np.concatenate([sketch_of(one).marks for one in sounds])

    assert len(marks) > 100 * 40
    assert len(np.unique(marks)) == len(marks)


def test_silence_and_what_is_nearly_silent_have_no_marks():
    faint = np.random.default_rng(3).integers(-2, 3, 11 * RATE_HZ).astype(np.int16)

    assert len(sketch_of(np.zeros(11 * RATE_HZ, np.int16)).marks) == 0
    assert len(sketch_of(faint).marks) == 0
    assert len(sketch_of(np.full(4000, -32768, np.int16)).marks) == 0
    assert len(sketch_of(np.zeros(0, np.int16)).marks) == 0


def test_sounds_that_do_not_overlap_or_are_silent_are_not_alike():
    one = noise(4, 4000)

    assert correlation(one, one, 0) == pytest.approx(1)
    assert correlation(one, one, 4000) == correlation(one, one, -4000) == 0
    assert correlation(one, np.zeros(4000, np.int16), 0) == 0
    assert abs(correlation(one, noise(5, 4000), 0)) < 0.5
