"""The synthesised recordings, measured: starts, rests, microphones, levels, and what they depend on."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_sound import FRAME, RATE_HZ, band_levels_db, event, hear, levels_db

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.simulation.sound_elements import (
    CONTROL_EVERY,
    SOUND_SPEED,
    control_samples,
    from_away,
    on_every_sample,
)
from toyadmos_datasets.simulation.sound_tables import MACHINES
from toyadmos_datasets.simulation.synthesiser import synthesise

CASES = [(toy.name, case) for toy in TOYS for case in toy.cases]
TOY_NAMES = [toy.name for toy in TOYS]
NOISE_CASES = {"ToyTrain": (1, 2, 3, 4), "ToyConveyor": (1, 2, 3)}


@pytest.mark.parametrize(("toy", "case"), CASES)
def test_a_clip_starts_and_stops_within_itself(toy, case):
    for mono in hear(toy, case=case, duration_s=4.0):
        level_db = levels_db(mono)

        quiet, running = level_db[[*range(10), *range(-15, 0)]].max(), np.median(level_db[100:300])
        assert running > quiet + 20


@pytest.mark.parametrize(("toy", "case"), CASES)
def test_a_machine_runs_near_minus_32_dbfs_on_channel_1_and_rests_near_minus_87(toy, case):
    level_db = np.concatenate([levels_db(hear(toy, case=case, take=take)[0], 4800) for take in (1, 2, 3)])

    assert np.median(level_db[level_db > -50]) == pytest.approx(-32, abs=2.5)
    assert np.median(level_db[level_db < -80]) == pytest.approx(-87, abs=0.5)


@pytest.mark.parametrize(("toy", "case"), CASES)
def test_nothing_clips_and_no_channel_is_lost(toy, case):
    for condition in ("normal", "ab01", "ab20", "ab52"):
        peaks = np.abs(hear(toy, condition, case=case)).max(axis=1)

        assert peaks.max() < 0.7
        assert peaks.min() > 0.02


def bounds_s(mono):
    """When a machine is first and last heard."""
    heard = np.flatnonzero(levels_db(mono) > -75)
    return heard[0] * FRAME / RATE_HZ, (heard[-1] + 1) * FRAME / RATE_HZ


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_a_clip_has_the_onset_and_the_tail_of_the_corpus(toy):
    bounds = np.array([bounds_s(hear(toy, take=take, duration_s=8.0)[0]) for take in range(1, 17)])

    onsets_s, tails_s = bounds[:, 0], 8.0 - bounds[:, 1]
    assert onsets_s.mean() == pytest.approx(0.82, abs=0.06)
    assert 0.03 < onsets_s.std() < 0.12
    assert tails_s.mean() == pytest.approx(0.45, abs=0.06)


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_a_short_clip_has_an_onset_of_at_most_a_fifth_and_runs_for_most_of_it(toy):
    for take in range(1, 9):
        mono = hear(toy, take=take, duration_s=2.2)[0]
        first_s, last_s = bounds_s(mono)

        assert 0.2 < first_s < 2.2 / 5
        assert 0.1 < 2.2 - last_s < 2.2 / 5
        assert np.mean(levels_db(mono) > np.median(levels_db(mono)) - 12) > 0.5


@pytest.mark.parametrize("condition", ["normal", "ab20"])
@pytest.mark.parametrize("toy", TOY_NAMES)
def test_a_machine_that_never_ran_leaves_the_noise_of_the_microphones(toy, condition):
    channels = hear(toy, condition, is_at_rest=True)

    assert 20 * np.log10(channels.std(axis=1)) == pytest.approx(-87, abs=0.5)
    assert (channels != 0).any(axis=1).all()


def test_two_cases_of_the_train_have_the_same_noise_and_no_two_of_the_conveyor():
    def noise(toy, case):
        return hear(toy, "noise", case=case, recording_type="CNT", duration_s=1.0)

    train, conveyor = ([noise(toy, case) for case in cases] for toy, cases in NOISE_CASES.items())
    assert [[np.array_equal(one, two) for two in train] for one in train] == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, True],
        [False, False, True, True],
    ]
    assert not any(np.array_equal(one, two) for one, two in combinations(conveyor, 2))


def test_the_machine_spins_up_and_its_pitch_with_it():
    mono = hear("ToyCar", duration_s=4.0)[0]
    on = np.flatnonzero(levels_db(mono) > -50)[0] * FRAME

    early, late = (np.abs(np.fft.rfft(mono[start : start + 4800])) for start in (on, on + RATE_HZ))

    bins_hz = np.fft.rfftfreq(4800, 1 / RATE_HZ)
    assert bins_hz[early.argmax()] < 0.8 * bins_hz[late.argmax()]


def silent_share(toy):
    level_db = levels_db(hear(toy, recording_type="CNT", duration_s=12.0)[0])
    return np.mean(level_db < -60)


def test_the_car_rests_within_a_cnt_recording_and_the_others_never_do():
    assert 0.2 < silent_share("ToyCar") < 0.45
    assert silent_share("ToyConveyor") == 0
    assert silent_share("ToyTrain") == 0


def test_a_cnt_recording_runs_from_its_first_sample_to_its_last():
    level_db = levels_db(hear("ToyConveyor", recording_type="CNT", duration_s=6.0)[0])

    assert level_db.min() > np.median(level_db) - 6


def test_noise_has_blows_and_hisses_above_a_steady_background():
    mono = hear("ToyTrain", "noise", recording_type="CNT", duration_s=20.0)[0]

    treble_db = band_levels_db(mono, (2000, 8000))[0]
    assert treble_db.max() > np.median(treble_db) + 15
    assert levels_db(mono).min() > -45


def lag_of(later, earlier):
    """Samples by which one signal follows another, and how alike they are then."""
    n = 1 << (len(later) + 2000).bit_length()
    product = np.fft.rfft(later, n) * np.conj(np.fft.rfft(earlier, n))
    lags = np.fft.irfft(product)
    near = np.concatenate([lags[-400:], lags[:400]]) / np.sqrt(np.sum(later**2) * np.sum(earlier**2))
    return near.argmax() - 400, near.max()


def test_microphones_hear_one_event_later_and_fainter_the_further_they_stand():
    machine = MACHINES["ToyCar"][1]
    channels = hear("ToyCar")
    away_m = [math.dist(machine.front_at, microphone) for microphone in machine.microphones]

    rms = np.sqrt(np.mean(channels**2, axis=1))
    assert list(np.argsort(rms)) == list(np.argsort(away_m))[::-1]
    for other in (1, 2, 3):
        lag, likeness = lag_of(channels[other], channels[0])
        expected = (away_m[other] - away_m[0]) / SOUND_SPEED * RATE_HZ
        assert lag == pytest.approx(expected, abs=0.2 / SOUND_SPEED * RATE_HZ)  # motor and wheels are 13 cm apart
        assert likeness > 0.8


def test_each_microphone_has_noise_of_its_own():
    quiet = hear("ToyCar")[:, :4000]

    likeness = np.corrcoef(quiet) - np.eye(4)
    assert np.abs(likeness).max() < 0.1
    assert quiet.std(axis=1) == pytest.approx(10 ** (-87 / 20), rel=0.1)


def test_a_train_is_loudest_at_each_microphone_when_it_passes_there():
    machine = MACHINES["ToyTrain"][1]
    lap_frames = round(RATE_HZ / FRAME / (machine.shaft_hz * machine.round_ratio))
    bottom, _, top, _ = (levels_db(mono)[200:800] for mono in hear("ToyTrain", duration_s=10.0))

    across = np.correlate(bottom - bottom.mean(), top - top.mean(), mode="full")[599:]

    # The two stand at opposite sides of the oval: half a lap lies between their loudest moments.
    opposite = across[: 3 * lap_frames // 4].argmax()
    assert opposite == pytest.approx(lap_frames / 2, abs=0.12 * lap_frames)


@given(away_m=st.floats(0.1, 5))
def test_a_fixed_source_is_delayed_by_its_distance_and_attenuated_by_it(away_m):
    click = np.zeros(4800, dtype=np.float32)
    click[1000] = 1.0

    heard = from_away(click, away_m)

    centre = np.sum(heard * np.arange(4800)) / heard.sum() - 1000
    assert centre == pytest.approx(away_m / SOUND_SPEED * RATE_HZ, abs=1e-2)
    assert heard.sum() == pytest.approx(0.5 / away_m, rel=1e-4)


@given(n_samples=st.integers(1, 5 * CONTROL_EVERY))
def test_slow_changes_are_straight_lines_between_control_samples(n_samples):
    at = control_samples(n_samples)
    slow = np.sin(at / 700.0)

    fine = on_every_sample(slow, n_samples)

    assert np.allclose(fine, np.interp(np.arange(n_samples), at, slow))


@pytest.mark.parametrize("toy", TOY_NAMES)
@pytest.mark.parametrize("condition", ["normal", "ab40", "noise"])
def test_the_same_seed_gives_the_same_samples_whatever_was_made_before(toy, condition):
    kind = "CNT" if condition == "noise" else "IND"
    wanted = event(toy, condition, recording_type=kind, duration_s=2.0)
    first = synthesise(wanted, seed=7)
    synthesise(event(toy, "ab05", take=3, duration_s=1.0), seed=7)

    again, other_seed = synthesise(wanted, seed=7), synthesise(wanted, seed=8)

    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(first, other_seed, strict=True))


def test_takes_of_one_condition_differ():
    one, two = hear("ToyTrain", take=1), hear("ToyTrain", take=2)

    assert not np.array_equal(one, two)
