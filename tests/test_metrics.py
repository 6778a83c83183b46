"""The figures of merit: against small cases counted by hand, against scikit-learn, and against their laws."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.scores.metrics import (
    auc,
    auc_as_published,
    f1,
    harmonic_mean,
    partial_auc,
    partial_auc_mcclish,
    roc,
    threshold_at,
)

LABELS = [0, 0, 0, 0, 1, 1]
SCORES = [1.0, 2.0, 3.0, 4.0, 2.5, 5.0]


@st.composite
def judged(draw):
    """Labels of both classes and scores with many ties."""
    n = draw(st.integers(4, 60))
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))]
    scores = draw(st.lists(st.integers(0, 9).map(float), min_size=n + 2, max_size=n + 2))
    return np.array(labels), np.array(scores)


def test_auc_counts_the_pairs_that_are_in_order():
    # 2.5 beats 1 and 2 of four, 5.0 beats all four: 6 of 8 pairs.
    assert auc(LABELS, SCORES) == pytest.approx(6 / 8)


def test_auc_counts_a_tie_as_half_a_pair():
    assert auc([0, 1], [1.0, 1.0]) == 0.5
    assert auc([0, 0, 1], [1.0, 2.0, 2.0]) == pytest.approx(0.75)


def test_scores_without_end_tie_as_others_do():
    assert auc([0, 1, 1], [-np.inf, -np.inf, 1.0]) == pytest.approx(0.75)
    assert roc([0, 1], [1.0, np.inf]).thresholds.tolist() == [np.inf, np.inf, 1.0]


def test_the_published_auc_stops_after_as_many_thresholds_as_there_are_anomalous_clips():
    # Thresholds 4 and 3 of the normal clips: one of two anomalous clips is at or above each. 2 and 1 are left out.
    assert auc_as_published(LABELS, SCORES) == pytest.approx(0.5)
    assert auc_as_published(LABELS, SCORES) < auc(LABELS, SCORES)


def test_the_published_auc_is_the_auc_where_all_thresholds_count_and_none_ties():
    assert auc_as_published([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0]) == pytest.approx(
        auc([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0])
    )


def test_the_published_auc_of_a_detector_of_one_constant_score_is_0():
    assert auc_as_published([0, 0, 1, 1, 1], [1.0] * 5) == 0.0
    assert auc_as_published([0, 1], [1.0, np.inf]) == 1.0


@given(judged())
def test_the_published_auc_counts_strictly_above_each_threshold(case):
    labels, scores = case
    normal, anomalous = scores[labels == 0], scores[labels == 1]
    shares = [np.mean(anomalous > threshold) for threshold in sorted(normal, reverse=True)[: len(anomalous)]]

    assert auc_as_published(labels, scores) == pytest.approx(np.mean(shares))


def test_the_partial_auc_is_the_area_up_to_its_bound():
    # TPR is 0.5 at FPR 0 and stays so up to FPR 0.5.
    assert partial_auc(LABELS, SCORES, 0.1) == pytest.approx(0.05)
    assert partial_auc(LABELS, SCORES, 1.0) == pytest.approx(auc(LABELS, SCORES))
    assert partial_auc_mcclish([0, 1], [0.0, 1.0]) == pytest.approx(1.0)
    assert partial_auc_mcclish([0, 1], [1.0, 1.0]) == pytest.approx(0.5)


@given(judged())
def test_auc_and_partial_auc_agree_with_scikit_learn(case):
    labels, scores = case

    assert auc(labels, scores) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores))
    assert partial_auc_mcclish(labels, scores) == pytest.approx(
        sklearn.metrics.roc_auc_score(labels, scores, max_fpr=0.1)
    )


@given(judged())
def test_all_figures_are_those_of_pairs_and_shares_counted_one_by_one(case):
    labels, scores = case
    normal, anomalous = scores[labels == 0], scores[labels == 1]
    won = (anomalous[:, None] > normal).mean() + (anomalous[:, None] == normal).mean() / 2
    thresholds = [np.inf, *sorted(set(scores), reverse=True)]
    fpr, tpr = (np.array([np.mean(some >= one) for one in thresholds]) for some in (normal, anomalous))
    x = np.append(fpr[fpr <= 0.1], 0.1)
    y = np.append(tpr[fpr <= 0.1], np.interp(0.1, fpr, tpr))

    curve = roc(labels, scores)
    np.testing.assert_allclose([curve.fpr, curve.tpr], [fpr, tpr], atol=1e-12)
    assert curve.thresholds.tolist() == thresholds
    assert auc(labels, scores) == pytest.approx(won, abs=1e-12)
    assert partial_auc(labels, scores) == pytest.approx(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2), abs=1e-12)


@given(judged())
def test_the_roc_and_f1_agree_with_scikit_learn(case):
    labels, scores = case
    fpr, tpr, thresholds = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    threshold = float(np.median(scores))

    curve = roc(labels, scores)
    np.testing.assert_allclose(curve.fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert f1(labels, scores, threshold) == pytest.approx(sklearn.metrics.f1_score(labels, scores >= threshold))


@given(judged())
def test_the_threshold_is_the_lowest_that_lets_a_tenth_of_the_normal_clips_through(case):
    labels, scores = case
    normal = scores[labels == 0]

    threshold = threshold_at(labels, scores)

    assert np.mean(normal >= threshold) <= 0.1
    lower = scores[scores < threshold]
    assert not len(lower) or np.mean(normal >= lower.max()) > 0.1 or np.isinf(threshold)


def test_the_harmonic_mean_is_dominated_by_the_worst():
    assert harmonic_mean([0.5, 1.0]) == pytest.approx(2 / 3)
    assert harmonic_mean([0.0, 1.0]) == 0.0
    assert np.isnan(harmonic_mean([np.nan, 1.0]))


@pytest.mark.parametrize(
    ("labels", "scores"), [([0, 0], [1.0, 2.0]), ([1, 1], [1.0, 2.0]), ([0, 1], [1.0, np.nan]), ([0, 1], [1.0])]
)
def test_scores_without_a_roc_are_refused(labels, scores):
    with refused(OptionError):
        auc(labels, scores)
