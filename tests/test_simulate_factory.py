"""The noise of the factory: each thing in the hall sounds like what it is, and all are in a recording."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_sound import FRAME, RATE_HZ, band_levels_db, levels_db

from toyadmos_datasets.simulation import factory_noise

SEEDS = range(4)
BANDS_HZ = (60, 300, 1500, 5000, 12_000)


def made(sounds, seed):
    return sounds(np.random.default_rng(seed))


def share_above(mono, edge_hz):
    """Share of the energy above a frequency."""
    energies = np.abs(np.fft.rfft(mono)) ** 2
    return energies[np.fft.rfftfreq(len(mono), 1 / RATE_HZ) > edge_hz].sum() / energies.sum()


def strongest_period_s(values, step_s, shortest_s, longest_s):
    """Lag at which a course of values is most like itself."""
    centred = values - values.mean()
    lags = np.arange(round(shortest_s / step_s), round(longest_s / step_s))
    return lags[np.argmax([np.corrcoef(centred[:-lag], centred[lag:])[0, 1] for lag in lags])] * step_s


@pytest.mark.parametrize("seed", SEEDS)
def test_a_blow_is_loudest_at_once_and_rings_out(seed):
    level_db = levels_db(made(factory_noise._blow, seed))

    assert level_db.argmax() <= 1
    assert level_db[-1] < level_db[0] - 20


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drill_turns_some_hundred_times_a_second_and_more_slowly_under_load(seed):
    mono = made(factory_noise._drill, seed)
    middle, early = (mono[start : start + 4800] for start in (len(mono) // 2, round(0.26 * RATE_HZ)))
    turn_s, free_turn_s = (strongest_period_s(one, 1 / RATE_HZ, 1 / 450, 1 / 220) for one in (middle, early))

    assert 1 / 425 < free_turn_s < turn_s < 1 / 225


@pytest.mark.parametrize("seed", SEEDS)
def test_compressed_air_hisses(seed):
    assert share_above(made(factory_noise._air, seed), 1500) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pump_works_with_one_or_two_strokes_a_second(seed):
    stroke_s = strongest_period_s(levels_db(made(factory_noise._pump, seed)), FRAME / RATE_HZ, 0.45, 1.1)

    assert 1 / 1.95 < stroke_s < 1 / 1.05


def test_every_thing_in_the_hall_is_heard_on_every_microphone():
    microphones = [(x, y, 0.0) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]

    def heard(kinds):
        hall, draws = np.random.default_rng(0), np.random.default_rng(1)
        return factory_noise.factory_noise(
            kinds, microphones, 4 * RATE_HZ, hall=hall, draws=draws, noise=np.random.default_rng
        )

    background = heard({})
    for kind, how in factory_noise.KINDS.items():
        for quiet, loud in zip(background, heard({kind: how}), strict=True):
            gained_db = band_levels_db(loud, BANDS_HZ) - band_levels_db(quiet, BANDS_HZ)
            assert gained_db.max() > 2, kind.__name__
    assert sorted(kind.__name__ for kind in factory_noise.KINDS) == ["_air", "_blow", "_clatter", "_drill", "_pump"]
