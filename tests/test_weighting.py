"""A-weighting, against the table of the standard and sums over the spectrum."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toyadmos_datasets.signal.levels import a_weighted, a_weighting, energies_of

RATE_HZ = 16_000

TABLE = {31.62: -39.4, 63.10: -26.2, 125.9: -16.1, 251.2: -8.6, 501.2: -3.2, 1000.0: 0.0, 1995.0: 1.2, 3981.0: 1.0}
"""IEC 61672-1, table 3: exact frequencies of octaves to dB, given to a tenth."""


@pytest.mark.parametrize(("frequency_hz", "gain_db"), TABLE.items())
def test_gains_are_those_of_the_standard(frequency_hz, gain_db):
    (gain,) = a_weighting(np.array([frequency_hz]))

    assert 20 * np.log10(gain) == pytest.approx(gain_db, abs=0.06)


def test_gains_are_librosas_but_for_its_rounding_of_1_khz():
    """Librosa adds 2.0 dB where the standard's sum is 1.9997; and 1 kHz has a gain of 1 only without that."""
    frequencies_hz = np.linspace(10, 24_000, 500)
    gains_db = 20 * np.log10(a_weighting(frequencies_hz))

    difference_db = librosa.A_weighting(frequencies_hz, min_db=None) - gains_db

    np.testing.assert_allclose(difference_db, difference_db[0], atol=1e-9)
    assert abs(difference_db[0]) < 1e-3


def test_a_tone_comes_out_with_its_gain_and_its_phase():
    time_s = np.arange(RATE_HZ) / RATE_HZ
    tone = np.rint(10_000 * np.sin(2 * np.pi * 250 * time_s)).astype(np.int16)

    weighted = a_weighted(tone, RATE_HZ)

    np.testing.assert_allclose(weighted, tone * a_weighting(np.array([250.0])), atol=2)


@given(st.integers(-32768, 32767), st.integers(1, 700))
def test_what_never_changes_is_not_heard(value, n_samples):
    energies = energies_of(np.full(n_samples, value, dtype=np.int16), RATE_HZ, "A")

    assert energies.whole == 0


@given(arrays(np.int16, (2, 600), elements=st.integers(-32768, 32767)))
def test_channels_are_weighted_each_by_itself_and_their_energies_added(samples):
    together = energies_of(samples, RATE_HZ, "A")

    apart = [energies_of(channel, RATE_HZ, "A") for channel in samples]
    assert together.whole == pytest.approx(sum(one.whole for one in apart), rel=1e-9)
    assert together.n_values == sum(one.n_values for one in apart)


@given(arrays(np.int16, st.integers(1, 700), elements=st.integers(-32768, 32767), fill=st.just(0)))
def test_without_weighting_energies_are_exact(samples):
    wide = [int(value) for value in samples]

    assert energies_of(samples, RATE_HZ).whole == sum(value * value for value in wide)
