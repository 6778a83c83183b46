"""What damage does to the sound, measured."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_sound import FRAME, RATE_HZ, band_levels_db, hear, levels_db, spectrum_db

from toyadmos_datasets.corpus.damage import conditions_of, damage_of
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.simulation.simulated_events import chosen_conditions
from toyadmos_datasets.simulation.sound_tables import (
    CURVE_AT,
    DAMAGED_SOUNDS,
    MACHINES,
    STRAIGHT_AT,
    UNDAMAGED,
    damaged_sound,
)

TOY_NAMES = [toy.name for toy in TOYS]
STATES = [(toy, condition) for toy in TOY_NAMES for condition in chosen_conditions(toy, "a state")]


def damaged_states(toy, condition):
    return [pair for pair in damage_of(toy, condition).states if pair[1] != "Normal"]


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_every_state_of_the_damage_table_has_a_row_and_no_row_is_without_a_state(toy):
    states = {pair for condition in conditions_of(toy) for pair in damaged_states(toy, condition)}

    alone = {pair for state_toy, condition in STATES if state_toy == toy for pair in damaged_states(toy, condition)}
    assert set(DAMAGED_SOUNDS[toy]) == states == alone
    assert UNDAMAGED not in DAMAGED_SOUNDS[toy].values()


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_every_condition_changes_the_sound_and_the_normal_one_does_not(toy):
    sounds = [damaged_sound(toy, condition) for condition in conditions_of(toy)]

    assert UNDAMAGED not in sounds
    assert damaged_sound(toy, "normal") == UNDAMAGED


def test_what_several_damaged_parts_do_adds_up():
    both = damaged_sound("ToyCar", "ab28")

    assert both.sidebands == damaged_sound("ToyCar", "ab27").sidebands
    assert both.speed == damaged_sound("ToyCar", "ab01").speed


def mesh_hz(toy, condition, take):
    """Frequency of the strongest harmonic around the gears' mesh."""
    machine = MACHINES[toy][1]
    hz, level_db = spectrum_db(hear(toy, condition, take=take)[0])
    nominal_hz = machine.teeth * machine.shaft_hz
    near = np.abs(hz / nominal_hz - 1) < 0.12
    return hz[near][level_db[near].argmax()] / nominal_hz


@pytest.mark.parametrize("toy", ["ToyCar", "ToyConveyor"])
def test_voltage_shifts_the_pitch_its_way(toy):
    under, normal, over = ([mesh_hz(toy, c, take) for take in (1, 2, 3)] for c in ("ab01", "normal", "ab02"))

    assert max(under) < min(normal)
    assert max(normal) < min(over)
    assert np.mean(normal) == pytest.approx(1, abs=0.03)


NEAR_THE_CURVE, NEAR_THE_STRAIGHT = 1, 2
"""Rows of the microphones that stand beside the damaged places."""


def click_times(condition, microphone):
    """Seconds at which several axles in a row click: treble that stands out of the half second around it."""
    treble_db = band_levels_db(hear("ToyTrain", condition, duration_s=11.0)[microphone], (4500, 9000))[0]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(treble_db, 25, mode="edge"), 51)
    excess_db = np.maximum(treble_db - np.median(around, axis=1) - 7, 0)
    within_200_ms = np.convolve(excess_db, np.ones(20))[19:]
    times = np.flatnonzero(within_200_ms[80:970] > 20) * FRAME / RATE_HZ
    return times[np.diff(times, prepend=-10) > 0.15]


@pytest.mark.parametrize(("condition", "microphone"), [("ab04", NEAR_THE_CURVE), ("ab16", NEAR_THE_STRAIGHT)])
def test_a_disjointed_rail_clicks_once_a_lap(condition, microphone):
    lap_s = 1 / (MACHINES["ToyTrain"][1].shaft_hz * MACHINES["ToyTrain"][1].round_ratio)

    clicks = click_times(condition, microphone)

    assert len(clicks) in {3, 4, 5}
    assert np.diff(clicks) == pytest.approx(lap_s, rel=0.06)
    assert len(click_times("normal", microphone)) == 0


def test_curve_and_straight_are_damaged_at_different_points_of_the_lap():
    lap_s = 1 / (MACHINES["ToyTrain"][1].shaft_hz * MACHINES["ToyTrain"][1].round_ratio)

    clicks = click_times("ab17", NEAR_THE_CURVE)

    assert len(clicks) in {7, 8, 9}
    assert clicks[1:7:2] - clicks[0:6:2] == pytest.approx((STRAIGHT_AT - CURVE_AT) * lap_s, abs=0.12)
    assert clicks[2:7:2] - clicks[0:5:2] == pytest.approx(lap_s, rel=0.06)


def sideband_db(condition, cycle_ratio):
    """Level beside the gears' mesh, one turn of the cycle away, over the mesh itself."""
    machine = MACHINES["ToyCar"][1]
    hz, level_db = spectrum_db(hear("ToyCar", condition, duration_s=8.0)[0])
    near = np.abs(hz / (machine.teeth * machine.shaft_hz) - 1) < 0.05
    carrier_hz = hz[near][level_db[near].argmax()]
    away_hz = carrier_hz / machine.teeth * cycle_ratio
    beside = np.abs(np.abs(hz - carrier_hz) - away_hz) < 4
    return level_db[beside].max() - level_db[near].max()


@pytest.mark.parametrize(("condition", "per_cycle"), [("ab27", 1), ("ab09", 2)])
def test_a_bent_shaft_and_deformed_gears_put_sidebands_beside_the_mesh(condition, per_cycle):
    ratio = per_cycle * MACHINES["ToyCar"][1].wheel_ratio

    assert sideband_db(condition, ratio) > sideband_db("normal", ratio) + 12


def test_heavier_objects_on_the_belt_knock_harder():
    peaks = [
        np.mean([np.abs(hear("ToyConveyor", condition, take=take)[0]).max() for take in (1, 2, 3)])
        for condition in ("normal", "ab03", "ab06", "ab09")
    ]

    assert peaks == sorted(peaks)
    assert peaks[3] > 1.3 * peaks[1]


def test_an_object_on_the_belt_knocks_once_a_revolution():
    machine = MACHINES["ToyConveyor"][1]
    treble_db = band_levels_db(hear("ToyConveyor", "ab09", duration_s=10.0)[0], (5000, 12000))[0]
    running = treble_db[150:800] - treble_db[150:800].mean()

    echo = np.correlate(running, running, mode="full")[len(running) - 1 :]
    lag_s = (30 + echo[30:150].argmax()) * FRAME / RATE_HZ

    assert lag_s == pytest.approx(1 / (machine.shaft_hz * machine.round_ratio), rel=0.05)


def features(mono):
    """What an ear goes by: level, unsteadiness and peakedness of bands, and pitch."""
    bands_db = band_levels_db(mono, np.geomspace(200, 16000, 17))
    running = bands_db[:, levels_db(mono) > levels_db(mono).max() - 25]
    centred = running - running.mean(axis=1, keepdims=True)
    hz, level_db = spectrum_db(mono)
    pitch = np.log(hz[level_db.argmax()]) if len(hz) else 0
    return np.concatenate([running.mean(axis=1), running.std(axis=1), (centred**4).mean(axis=1) ** 0.25, [50 * pitch]])


def heard_features(toy, condition, takes):
    return np.array([[features(mono) for mono in hear(toy, condition, take=take)] for take in takes])


def strangeness(heard, like):
    """Distance from normal takes in their standard deviations, RMS over features, at the best microphone.

    A feature counts for ten of them at most, as a pitch that jumps to the next harmonic must not drown all others.
    """
    deviations = (heard - like.mean(axis=0)) / (like.std(axis=0) + 0.05)
    return np.sqrt((np.clip(deviations, -10, 10) ** 2).mean(axis=2)).max(axis=1)


@pytest.fixture(scope="module")
def normal():
    return {toy: heard_features(toy, "normal", range(1, 11)) for toy in TOY_NAMES}


@pytest.fixture(scope="module")
def strangest_normal(normal):
    return {toy: strangeness(heard_features(toy, "normal", range(20, 28)), normal[toy]).max() for toy in TOY_NAMES}


@pytest.mark.parametrize(("toy", "condition"), STATES)
def test_every_state_sounds_unlike_normal_takes(toy, condition, normal, strangest_normal):
    damaged = strangeness(heard_features(toy, condition, (1, 2)), normal[toy])

    assert damaged.min() > strangest_normal[toy]
