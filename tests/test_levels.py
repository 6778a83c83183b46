"""Levels of recordings, against formulas written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toyadmos_datasets.signal.levels import (
    active_frames,
    count_full_scale,
    db_to_gain,
    frame_energies,
    frame_length,
    health_flags,
    measure,
    power_to_db,
)

RATE_HZ = 1000
FRAME_N = 32

recordings = arrays(np.int16, st.integers(1, 700), elements=st.integers(-32768, 32767), fill=st.just(0))


def expected_levels(samples: np.ndarray, full_scale: float = 32768.0) -> dict[str, float]:
    """Every level by its definition, frame by frame, in float64."""
    mono = samples.astype(np.float64) / full_scale
    frame_n = min(FRAME_N, len(mono))
    frames = [mono[start : start + frame_n] for start in range(0, len(mono) - frame_n + 1, frame_n)]
    energies = [float(np.mean(frame**2)) for frame in frames]
    active = [energy for energy in energies if energy > 0 and energy >= max(energies) / 1000 * (1 - 1e-12)]
    return {
        "level_db": to_db(float(np.mean(mono**2))),
        "active_level_db": to_db(float(np.mean(active))) if active else -math.inf,
        "active_share": len(active) / len(frames),
        "peak": float(np.abs(mono).max()),
        "mean": float(mono.mean()),
    }


def to_db(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf


@given(recordings)
def test_levels_are_what_their_definitions_give(samples):
    levels = measure(samples, RATE_HZ)

    for name, value in expected_levels(samples).items():
        assert getattr(levels, name) == pytest.approx(value, abs=1e-9), name


@given(arrays(np.int32, st.integers(1, 300), elements=st.integers(-4 * 32768, 4 * 32767)))
def test_a_sum_of_four_recordings_is_measured_on_its_own_full_scale(total):
    levels = measure(total, RATE_HZ, full_scale=4 * 32768)

    for name, value in expected_levels(total, 4 * 32768.0).items():
        assert getattr(levels, name) == pytest.approx(value, abs=1e-9), name


def test_a_recording_of_many_pieces_is_measured_as_a_whole():
    samples = np.random.default_rng(1).integers(-3000, 3000, FRAME_N * 2048 * 2 + FRAME_N * 3 + 5).astype(np.int16)
    samples[: FRAME_N * 100] //= 1000

    levels = measure(samples, RATE_HZ)

    for name, value in expected_levels(samples).items():
        assert getattr(levels, name) == pytest.approx(value, abs=1e-9), name
    assert 0 < 1 - levels.active_share < 0.1


@pytest.mark.parametrize("value", [-32768, 32767])
def test_ten_minutes_at_full_scale_do_not_overflow(value):
    levels = measure(np.full(16_000 * 600, value, dtype=np.int16), 16_000)

    assert levels.level_db == pytest.approx(20 * math.log10(abs(value) / 32768), abs=1e-12)
    assert levels.mean == pytest.approx(value / 32768)


def test_a_full_scale_sine_is_three_decibels_below_full_scale():
    time_s = np.arange(16_000) / 16_000
    levels = measure(np.rint(32767 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.int16), 16_000)

    assert levels.level_db == pytest.approx(-3.0103, abs=0.001)
    assert levels.active_level_db == pytest.approx(levels.level_db, abs=1e-9)
    assert levels.active_share == 1


def test_the_active_part_leaves_out_what_stands_still():
    samples = np.zeros(FRAME_N * 10, dtype=np.int16)
    samples[FRAME_N * 2 : FRAME_N * 6] = 1000

    levels = measure(samples, RATE_HZ)

    assert levels.active_share == pytest.approx(0.4)
    assert levels.active_level_db == pytest.approx(20 * math.log10(1000 / 32768))
    assert levels.active_level_db - levels.level_db == pytest.approx(-10 * math.log10(0.4))


def test_a_frame_thirty_decibels_below_the_loudest_is_active_and_one_below_that_is_not():
    marked = active_frames(np.array([1_000_000, 1000, 999], dtype=np.int64))

    assert marked.tolist() == [True, True, False]


def test_digital_silence_has_no_level_and_no_active_part():
    levels = measure(np.zeros(100, dtype=np.int16), RATE_HZ)

    assert (levels.level_db, levels.active_level_db) == (-math.inf, -math.inf)
    assert (levels.active_share, levels.peak, levels.mean) == (0, 0, 0)


def test_a_signal_shorter_than_a_frame_is_one_frame():
    energies = frame_energies(np.array([1, -2, 3], dtype=np.int16), RATE_HZ)

    assert energies.tolist() == [14]


def test_frames_have_the_length_of_the_papers_window():
    assert frame_length(16_000) == 512


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([], 0), ([0, 32766, -32767], 0), ([32767], 1), ([-32768, 0, 32767, 32767], 3)],
)
def test_samples_at_full_scale_are_counted(samples, expected):
    assert count_full_scale(np.array(samples, dtype=np.int16)) == expected


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.full(1000, 32, dtype=np.int16), ["silent"]),
        (np.full(1000, 33, dtype=np.int16), []),
        (np.tile(np.array([1000, -1000], dtype=np.int16), 500), []),
        (np.tile(np.array([1400, -700], dtype=np.int16), 500), ["dc"]),
        (np.tile(np.array([32767, -32768], dtype=np.int16), 1), []),
        (np.tile(np.array([32767, -32768], dtype=np.int16), 2), ["clipped"]),
        (np.full(10, 32767, dtype=np.int16), ["clipped", "dc"]),
    ],
)
def test_what_is_odd_about_a_recording_is_named(samples, expected):
    flags = health_flags(measure(samples, RATE_HZ), count_full_scale(samples))

    assert flags == expected


@given(st.floats(-200, 200))
def test_gains_and_decibels_are_each_others_inverse(level_db):
    assert power_to_db(db_to_gain(level_db) ** 2) == pytest.approx(level_db, abs=1e-9)


def test_no_power_is_minus_infinity_decibels():
    assert power_to_db(0.0) == -math.inf
