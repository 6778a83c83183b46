"""Where a machine runs: rests go, steady hums and loud moments stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyadmos_datasets.signal.activity import find_activity

RATE_HZ = 16_000


def sound(*parts: tuple[float, float | None], seed: int = 0) -> np.ndarray:
    """Noise of so many seconds at so many dB re full scale, part after part; None is digital silence."""
    random = np.random.default_rng(seed)
    pieces = [
        np.zeros(round(duration_s * RATE_HZ))
        if level_db is None
        else random.normal(0, 10 ** (level_db / 20), round(duration_s * RATE_HZ))
        for duration_s, level_db in parts
    ]
    return np.clip(np.rint(np.concatenate(pieces) * 32768), -32768, 32767).astype(np.int16)


def runs_s(samples: np.ndarray, rate_hz: int = RATE_HZ) -> list[list[float]]:
    return (find_activity(samples, rate_hz).runs / rate_hz).round(3).tolist()


def test_a_rest_sixty_db_below_goes_and_what_runs_on_both_sides_stays():
    assert runs_s(sound((10, -24), (7, -84), (5, -27))) == [[0, 10], [17, 22]]


@pytest.mark.parametrize("rest_db", [None, -90.0, -60.0, -50.0])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000, 11_025])
def test_the_rest_is_found_whatever_its_level_and_the_rate(rest_db, rate_hz):
    found = find_activity(sound((6, -24), (4, rest_db)), rate_hz)

    assert found.runs[:, 0].tolist() == [0]
    assert found.runs[0, 1] == pytest.approx(6 * RATE_HZ, abs=rate_hz * 0.1 + 1)


@pytest.mark.parametrize("level_db", [-10.0, -35.0, -58.0])
def test_a_steady_hum_runs_to_the_last_sample_although_its_quiet_level_is_its_own(level_db):
    samples = sound((12.34, level_db))

    assert find_activity(samples, RATE_HZ).runs.tolist() == [[0, len(samples)]]


def test_a_hum_with_loud_passages_is_no_rest_between_them():
    assert runs_s(sound((8, -45), (6, -30), (8, -45))) == [[0, 22]]


@pytest.mark.parametrize("samples", [sound((5, None)), sound((5, -70)), np.zeros(0, np.int16), np.zeros(10, np.int16)])
def test_a_recording_that_is_all_rest_has_no_run(samples):
    assert find_activity(samples, RATE_HZ).runs.tolist() == []


def test_a_knock_on_a_hum_however_loud_is_no_run_with_rests_around_it():
    assert runs_s(sound((8, -50), (1.5, -15), (8, -50))) == [[0, 17.5]]


def test_a_dip_shorter_than_a_second_is_no_rest_and_a_knock_shorter_than_two_no_run():
    assert runs_s(sound((5, -24), (0.5, -84), (5, -24), (5, -84), (1, -24), (5, -84))) == [[0, 10.5]]


def test_a_ramp_is_decided_by_the_level_that_was_left():
    rising = [(0.1, -84 + step) for step in range(0, 60, 3)]
    samples = sound((3, -84), *rising, (4, -24), *reversed(rising), (3, -84))

    ((start_s, stop_s),) = runs_s(samples)

    assert start_s == pytest.approx(3 + 1.4, abs=0.15)  # two thirds up
    assert stop_s == pytest.approx(5 + 4 + 1.4, abs=0.15)  # two thirds down


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from([3.0, 4.5]), st.booleans()), min_size=1, max_size=5),
    st.floats(-45, -15),
    st.floats(23, 60),
)
def test_runs_are_where_the_sound_is_and_lie_apart_within_the_recording(parts, running_db, depth_db):
    samples = sound(*((duration_s, running_db if is_on else running_db - depth_db) for duration_s, is_on in parts))
    expected = np.concatenate([np.full(round(duration_s * 10), is_on) for duration_s, is_on in parts])

    runs = find_activity(samples, RATE_HZ).runs

    assert (np.diff(runs.ravel()) > 0).all()
    assert runs.max(initial=0) <= len(samples)
    found = np.zeros(len(expected), dtype=bool)
    for start, stop in runs // (RATE_HZ // 10):
        found[start:stop] = True
    if expected.any() and not expected.all():
        assert (found != expected).sum() <= 2 * len(parts)
    elif expected.all():
        assert found.all()
