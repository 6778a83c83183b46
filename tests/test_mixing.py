"""Mixtures, against sums and energies written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toyadmos_datasets.signal.mixing import Stem, headroom_for, mix, mixture_levels, quantise, stem_of, sum_of

RATE_HZ = 1000
FRAME_N = 32
N_SAMPLES = 160

int16 = st.integers(-32768, 32767)
recordings = st.lists(arrays(np.int16, N_SAMPLES, elements=int16), min_size=1, max_size=4)
gains_db = st.floats(-60, 60)


def stem(parts: list[np.ndarray], gain_db: float = 0.0) -> Stem:
    return Stem(total=sum_of(parts), n_recordings=len(parts), gain_db=gain_db)


def as_mixed(parts: list[np.ndarray], gain_db: float) -> np.ndarray:
    """The mean of recordings with its gain, full scale 1, float64."""
    return np.mean([part / 32768.0 for part in parts], axis=0) * 10 ** (gain_db / 20)


def energy(mono: np.ndarray) -> float:
    return float(np.sum(mono**2))


@given(recordings, recordings, gains_db, gains_db, st.floats(0, 40))
def test_a_mixture_is_the_sum_of_the_means_with_their_gains(target, noise, target_db, noise_db, headroom_db):
    mixture = mix([stem(target, target_db), stem(noise, noise_db)], headroom_db)

    expected = (as_mixed(target, target_db) + as_mixed(noise, noise_db)) * 10 ** (-headroom_db / 20)
    np.testing.assert_allclose(mixture, expected, rtol=1e-9, atol=1e-9)


@given(recordings, recordings, gains_db, gains_db)
def test_the_reported_snr_is_that_of_the_parts_as_mixed(target, noise, target_db, noise_db):
    mixed = [as_mixed(target, target_db), as_mixed(noise, noise_db)]
    assume(all(energy(part) > 0 for part in mixed))

    reported = mixture_levels(stem(target, target_db), stem(noise, noise_db), RATE_HZ)

    assert reported.snr_db == pytest.approx(10 * math.log10(energy(mixed[0]) / energy(mixed[1])), abs=1e-6)
    assert reported.noise_db == pytest.approx(10 * math.log10(energy(mixed[1]) / len(mixed[1])), abs=1e-6)


@given(recordings, recordings, gains_db, gains_db)
def test_the_active_snr_is_that_over_the_frames_in_which_the_target_runs(target, noise, target_db, noise_db):
    frames = [as_mixed(part, 0).reshape(-1, FRAME_N) for part in (target, noise)]
    by_frame = [np.sum(part**2, axis=1) for part in frames]
    active = (by_frame[0] > 0) & (by_frame[0] >= by_frame[0].max() / 1000)
    near = np.abs(by_frame[0] * 1000 / max(by_frame[0].max(), 1e-30) - 1) < 1e-9
    assume(not near.any())  # whether such a frame counts is a matter of rounding here
    assume(all(one[active].sum() > 0 for one in by_frame))

    reported = mixture_levels(stem(target, target_db), stem(noise, noise_db), RATE_HZ)

    ratio = by_frame[0][active].sum() / by_frame[1][active].sum()
    assert reported.snr_active_db == pytest.approx(10 * math.log10(ratio) + target_db - noise_db, abs=1e-6)
    level_db = 10 * math.log10(by_frame[1][active].mean() / FRAME_N) + noise_db
    assert reported.noise_active_db == pytest.approx(level_db, abs=1e-6)


def test_the_ratio_to_silence_is_infinite_and_of_silence_to_silence_is_no_number():
    silence, sound = stem([np.zeros(64, dtype=np.int16)]), stem([np.ones(64, dtype=np.int16)])

    over_silence, of_silence, of_both = (
        mixture_levels(*stems, RATE_HZ) for stems in ((sound, silence), (silence, sound), (silence, silence))
    )

    assert (over_silence.snr_db, over_silence.snr_active_db) == (math.inf, math.inf)
    assert (over_silence.noise_db, over_silence.noise_active_db) == (-math.inf, -math.inf)
    assert of_silence.snr_db == -math.inf
    assert math.isnan(of_both.snr_db)
    assert math.isnan(of_both.snr_active_db)


def test_a_stack_keeps_its_channels_and_its_ratio_is_that_of_the_energies_of_all():
    random = np.random.default_rng(5)
    target, noise = ([random.integers(-9000, 9000, N_SAMPLES).astype(np.int16) for _ in range(4)] for _ in "tn")
    stacks = [stem_of(parts, is_stacked=True, gain_db=gain_db) for parts, gain_db in ((target, 0.0), (noise, -7.0))]

    mixture = mix(stacks, 0.0)

    expected = (np.array(target) + np.array(noise) * 10 ** (-7 / 20)) / 32768
    np.testing.assert_allclose(mixture, expected, atol=1e-12)
    energies = [energy(np.array(part, dtype=np.float64)) for part in (target, noise)]
    ratio_db = 10 * math.log10(energies[0] / energies[1]) + 7
    assert mixture_levels(*stacks, RATE_HZ).snr_db == pytest.approx(ratio_db, abs=1e-9)


@pytest.mark.parametrize("value", [-32768, 32767])
def test_four_microphones_at_full_scale_do_not_wrap_when_they_are_added(value):
    parts = [np.full(10, value, dtype=np.int16)] * 4

    assert sum_of(parts).tolist() == [4 * value] * 10
    assert mix([stem(parts)], 0.0) == pytest.approx(np.full(10, value / 32768))


@pytest.mark.parametrize("n_same", [1, 2, 4])
def test_the_mean_of_recordings_that_are_the_same_is_that_recording(n_same):
    recording = np.arange(-32768, 32768, 7, dtype=np.int64).astype(np.int16)

    integers, n_past = quantise(mix([stem([recording] * n_same)], 0.0), 16)

    np.testing.assert_array_equal(integers, recording)
    assert n_past == 0


@given(arrays(np.float64, st.integers(1, 200), elements=st.floats(-20, 20)), st.sampled_from([16, 24]))
def test_what_is_past_full_scale_stands_there_never_wraps_and_is_counted(mono, bit_depth):
    full_scale = 2 ** (bit_depth - 1)

    integers, n_past = quantise(mono, bit_depth)

    wanted = [round(float(value) * full_scale) for value in mono]
    assert integers.tolist() == [min(max(value, -full_scale), full_scale - 1) for value in wanted]
    assert n_past == sum(not -full_scale <= value < full_scale for value in wanted)


@pytest.mark.parametrize(("value", "expected"), [(1.0, 1), (-1.0, 0), (1 - 2**-17, 1), (1 - 2**-15, 0)])
def test_the_largest_magnitudes_that_fit_are_minus_one_and_one_step_below_one(value, expected):
    _, n_past = quantise(np.array([value]), 16)

    assert n_past == expected


@given(st.floats(0, 1000), st.sampled_from([16, 24]))
def test_the_headroom_is_the_smallest_whole_number_of_decibels_that_suffices(bound, bit_depth):
    headroom_db = headroom_for(bound, bit_depth)

    largest = 1 - 2.0 ** (1 - bit_depth)
    assert headroom_db == int(headroom_db) >= 0
    assert quantise(np.array([bound * 10 ** (-headroom_db / 20)]), bit_depth)[1] == 0
    assert headroom_db == 0 or bound * 10 ** (-(headroom_db - 1) / 20) > largest * (1 - 1e-9)


def test_what_is_at_full_scale_needs_no_headroom_and_a_doubling_needs_seven():
    assert headroom_for(32767 / 32768, 16) == 0
    assert headroom_for(2.0, 16) == 7
