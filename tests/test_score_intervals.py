"""Intervals of scores: their laws, their parts against the formulas, and how often they hold the truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from toyadmos_datasets.scores.auc_intervals import (
    auc_interval,
    holm,
    model_variances,
    paired_difference,
    placements_of,
)
from toyadmos_datasets.scores.intervals import (
    Interval,
    clustered_variance,
    design_effect,
    share_interval,
    square_and_add,
)
from toyadmos_datasets.scores.partial_auc_intervals import log_spread, mean_tpr_interval

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from interval_coverage import Cell, coverage, false_positives

LABELS = np.repeat([0, 1], [12, 15])
EVENTS = np.arange(27).astype(np.str_)


def scores(seed: int, distance: float = 1.0) -> np.ndarray:
    """Scores of both classes, one clip an event."""
    return np.random.default_rng(seed).normal(size=len(LABELS)) + distance * LABELS


def ends(found: Interval) -> list[float]:
    return [found.value, found.low, found.high]


def test_the_variance_of_an_auc_is_delongs():
    values = scores(1)
    normal, anomalous = values[LABELS == 0], values[LABELS == 1]
    wins = (anomalous[:, None] > normal).astype(float)

    found = placements_of(LABELS, values, EVENTS)
    assert found.area == pytest.approx(wins.mean())
    assert found.variances == pytest.approx((wins.mean(0).var(ddof=1) / 12, wins.mean(1).var(ddof=1) / 15))


def test_the_variance_of_clips_of_events_is_obuchowskis():
    values, events = np.array([0.2, 0.4, 0.9, 0.5, 0.6]), np.array(["a", "a", "b", "c", "c"])
    theta = values.mean()
    sums = [values[:2].sum() - 2 * theta, values[2] - theta, values[3:].sum() - 2 * theta]
    s10 = 3 / (2 * 5) * np.sum(np.square(sums))  # I / ((I - 1) M) times the sum over events of the squared sums

    assert clustered_variance(values, events) == pytest.approx(s10 / 5)
    assert np.isnan(clustered_variance(values, np.array(["a"] * 5)))


def test_the_model_variance_is_that_of_simulated_aucs():
    random = np.random.default_rng(3)
    normal, anomalous = random.normal(size=(4000, 8)), random.normal(size=(4000, 20)) + 1.5
    shown = (anomalous[:, :, None] > normal[:, None, :]).mean(axis=(1, 2))
    areas, variances = model_variances(8, 20)

    assert np.interp(stats.norm.cdf(1.5 / np.sqrt(2)), areas, variances) == pytest.approx(shown.var(), rel=0.05)


def test_copies_of_a_clip_under_one_event_add_nothing():
    values = scores(2)
    once = placements_of(LABELS, values, EVENTS)
    copied = placements_of(*(np.repeat(one, 4) for one in (LABELS, values, EVENTS)))

    assert ends(auc_interval(copied)) == pytest.approx(ends(auc_interval(once)))
    assert ends(mean_tpr_interval(copied, 0.4, 0.1)) == pytest.approx(ends(mean_tpr_interval(once, 0.4, 0.1)))
    is_in = values > 0.5
    assert ends(share_interval(np.repeat(is_in, 4), np.repeat(EVENTS, 4))) == pytest.approx(
        ends(share_interval(is_in, EVENTS))
    )
    assert design_effect(np.repeat(values, 4), np.repeat(EVENTS, 4)) == 4.0


def test_microphones_that_hear_different_things_add_much():
    random = np.random.default_rng(5)
    labels, events = np.repeat([0, 1], 80), np.repeat(np.arange(40), 4).astype(np.str_)
    values = random.normal(size=160) + labels

    assert 1.0 <= design_effect(values[:80], events[:80]) < 1.4
    found, of_clips = (auc_interval(placements_of(labels, values, one)) for one in (events, np.arange(160).astype(str)))
    assert found.high - found.low < 1.4 * (of_clips.high - of_clips.low)


@pytest.mark.parametrize("n", [1, 5, 20, 100])
def test_a_perfect_split_is_the_less_certain_the_fewer_clips_there_are(n):
    labels = np.repeat([0, 1], n)
    found = auc_interval(placements_of(labels, labels.astype(float), np.arange(2 * n).astype(str)))
    fewer = auc_interval(placements_of(np.array([0, 1]), np.array([0.0, 1.0]), np.array(["a", "b"])))

    assert (found.value, found.high) == (1.0, 1.0)
    assert fewer.low <= found.low < 1.0 - 0.5 / n / 10


def test_the_opposite_scores_have_the_mirrored_interval():
    values = scores(6)
    found, opposite = (auc_interval(placements_of(LABELS, one, EVENTS)) for one in (values, -values))

    assert ends(opposite) == pytest.approx(ends(found.mirrored), abs=1e-5)


def test_an_infinite_score_is_the_highest_and_a_nan_has_no_auc():
    values = scores(7)
    highest = np.where(values == values.max(), np.inf, values)
    found = auc_interval(placements_of(LABELS, values, EVENTS))

    assert auc_interval(placements_of(LABELS, highest, EVENTS)) == found
    assert placements_of(LABELS, np.where(values == values.max(), np.nan, values), EVENTS) is None
    assert str(auc_interval(None)) == "-"


def test_the_spread_of_anomalous_scores_is_told_by_the_roc():
    random = np.random.default_rng(8)
    labels, events = np.repeat([0, 1], 3000), np.arange(6000).astype(str)
    for spread in (0.5, 1.0, 2.0):
        values = random.normal(size=6000) * np.where(labels == 1, spread, 1) + 1.2 * labels
        assert log_spread(placements_of(labels, values, events)) == pytest.approx(np.log(spread), abs=0.12)


def test_shares_have_wilsons_interval():
    is_in = np.arange(40) < 12
    found = share_interval(is_in, np.arange(40).astype(str))
    expected = stats.binomtest(12, 40).proportion_ci(method="wilson")

    assert ends(found) == pytest.approx([0.3, expected.low, expected.high])
    assert share_interval(is_in[:0], np.array([], dtype=str)).as_percent == "-"


def test_a_share_of_none_counts_as_many_clips_as_there_are_events():
    of_events = share_interval(np.full(40, fill_value=False), np.repeat(np.arange(10), 4).astype(str))

    assert of_events.high == pytest.approx(stats.binomtest(0, 10).proportion_ci(method="wilson").high)


def test_a_figure_of_others_has_their_distances_added_as_squares():
    assert ends(square_and_add(0.5, [0.2, 0.1], [0.8, 0.9])) == pytest.approx([0.5, 0.0, 1.0])
    assert ends(square_and_add(0.5, [0.47, 0.46], [0.56, 0.58])) == pytest.approx([0.5, 0.45, 0.6])


def test_the_difference_of_two_detectors_is_delongs_test_with_students_distribution():
    a, b = scores(10), scores(11, 2.0)
    parts = []
    for values in (a, b):
        wins = (values[LABELS == 1][:, None] > values[LABELS == 0]).astype(float)
        parts.append((wins.mean(0), wins.mean(1)))
    (normal_a, anomalous_a), (normal_b, anomalous_b) = parts
    variances = [(normal_b - normal_a).var(ddof=1) / 12, (anomalous_b - anomalous_a).var(ddof=1) / 15]
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 11 + variances[1] ** 2 / 14)
    found = paired_difference(LABELS, a, b, EVENTS)

    difference = anomalous_b.mean() - anomalous_a.mean()
    assert found.difference.value == pytest.approx(difference)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(difference) / np.sqrt(sum(variances)), freedom))
    assert found.difference.low < difference < found.difference.high


def test_two_detectors_of_one_order_differ_by_nothing_and_two_perfect_ones_by_little():
    a = scores(12)
    perfect = LABELS * 9.0 + np.argsort(np.argsort(a)) / 100
    other = LABELS * 9.0 - np.argsort(np.argsort(a)) / 100
    same, both = paired_difference(LABELS, a, np.exp(a), EVENTS), paired_difference(LABELS, perfect, other, EVENTS)

    assert (ends(same.difference), same.p_value) == ([0.0, 0.0, 0.0], 1.0)
    assert both.difference.low < 0.0 < both.difference.high
    assert both.p_value == 1.0


def test_holm_multiplies_the_smallest_by_the_number_of_rows_and_never_falls():
    assert holm([0.01, 0.04, 0.03, 0.9]) == pytest.approx([0.04, 0.09, 0.09, 0.9])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    found = holm([0.02, float("nan"), 0.01])
    assert (found[0], found[2]) == pytest.approx((0.02, 0.02))
    assert np.isnan(found[1])


@pytest.mark.parametrize(("n_normal", "n_anomalous"), [(26, 108), (8, 20), (26, 5), (20, 20), (100, 100)])
def test_intervals_of_aucs_hold_the_truth_as_often_as_they_say(n_normal, n_anomalous):
    for auc in (0.9, 0.99):
        cell = Cell(n_normal=n_normal, n_anomalous=n_anomalous, auc=auc)
        share = coverage("auc", cell, 300)
        assert 0.93 <= share <= (0.98 if cell.is_large else 1.0), (cell, share)  # 0.97 and chance


def test_intervals_of_partial_aucs_and_shares_hold_the_truth():
    for figure in ("pauc", "overlooked", "f1"):
        for sizes in ((26, 108), (8, 20)):
            cell = Cell(n_normal=sizes[0], n_anomalous=sizes[1], auc=0.9)
            assert coverage(figure, cell, 100) >= 0.92, (figure, cell)


def test_intervals_of_clips_that_four_microphones_hear_hold_the_truth():
    cell = Cell(n_normal=20, n_anomalous=20, auc=0.9, n_heard=4, correlation=0.9)

    assert 0.93 <= coverage("auc", cell, 200) <= 0.99


def test_a_comparison_of_equals_is_seldom_clear():
    alone, of_any = false_positives(Cell(n_normal=26, n_anomalous=20, auc=0.75), 200, n_parts=4)

    assert alone <= 0.06
    assert of_any <= 0.06


def test_an_interval_is_written_without_a_negative_zero():
    assert str(Interval(value=-1e-17, low=-0.0004, high=0.25)) == "0.000 [0.000, 0.250]"
