"""What a detector does at thresholds, against counts by hand; curves against their laws."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyadmos_datasets.reports.run_report import verdict_of
from toyadmos_datasets.reports.score_charts import DET_ENDS, det_chart, on_det_axis, precision_recall_chart
from toyadmos_datasets.scores.metrics import equal_error_rate, precision_recall, roc
from toyadmos_datasets.scores.operating_points import operating_points
from toyadmos_datasets.scores.scored_clips import ScoredClips
from toyadmos_datasets.scores.summary import summarise

scored = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=4, max_size=60).filter(
    lambda some: {label for label, _ in some} == {0, 1}
)


def clips_of(some):
    labels, scores = map(np.array, zip(*some, strict=True))
    return ScoredClips(
        labels=labels, scores=scores.astype(float), events=np.array([f"e{at}" for at in range(len(some))])
    )


@settings(max_examples=40)
@given(scored)
def test_precision_recall_and_f1_are_those_of_the_counts_and_within_their_intervals(some):
    clips = clips_of(some)
    n_normal, n_anomalous = np.bincount(clips.labels)
    for point in operating_points(clips):
        n_judged = point.n_hits + point.n_false_alarms

        assert n_judged == np.count_nonzero(clips.scores >= point.threshold)
        assert point.fpr == point.n_false_alarms / n_normal <= point.max_fpr
        assert point.recall.value == pytest.approx(point.n_hits / n_anomalous)
        assert point.f1.value == pytest.approx(2 * point.n_hits / (n_judged + n_anomalous))
        if n_judged:
            assert point.precision.value == pytest.approx(point.n_hits / n_judged)
        else:
            assert np.isnan(point.precision.value)
        for figure in (point.recall, point.precision, point.f1):
            assert np.isnan(figure.value) or 0 <= figure.low <= figure.value <= figure.high <= 1


def test_where_a_normal_clip_scores_highest_no_threshold_lets_fewer_through_and_none_is_judged():
    point = operating_points(clips_of([(0, 5), (0, 1), (1, 2), (1, 3)]))[0]

    assert point.threshold == np.inf
    assert (point.n_hits, point.n_false_alarms, point.recall.value) == (0, 0, 0)
    assert str(point.precision) == "-"


@settings(max_examples=40)
@given(scored)
def test_the_steps_that_a_chart_draws_have_the_average_precision_as_their_area(some):
    clips = clips_of(some)
    curve = precision_recall(clips.labels, clips.scores)
    chart = precision_recall_chart(curve, float(clips.labels.mean()))
    points = np.array([one.split(",") for one in chart.shapes[-1].points.split()], float)
    axes = chart.axes
    recall = (points[:, 0] - axes.left) / (axes.right - axes.left)
    precision = (axes.bottom - points[:, 1]) / (axes.bottom - axes.top)

    assert np.sum(-np.diff(recall) * precision[:-1]) == pytest.approx(curve.average_precision, abs=0.01)


@settings(max_examples=40)
@given(scored)
def test_the_equal_error_rate_is_the_mirror_of_that_of_swapped_labels(some):
    clips = clips_of(some)
    rate = equal_error_rate(roc(clips.labels, clips.scores))

    assert 0 <= rate <= 1
    assert equal_error_rate(roc(1 - clips.labels, -clips.scores)) == pytest.approx(rate)


def test_a_det_chart_stays_within_its_axes_where_rates_are_0_and_1():
    clips = clips_of([(0, 1), (0, 2), (1, 3), (1, 4)])
    chart = det_chart(roc(clips.labels, clips.scores))
    x = [float(one.split(",")[0]) for one in chart.shapes[-1].points.split()]

    assert equal_error_rate(roc(clips.labels, clips.scores)) == 0
    assert min(x) == chart.axes.left
    assert max(x) == chart.axes.right
    assert list(on_det_axis([0, 1])) == list(on_det_axis(DET_ENDS))


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0] * 10 + [1] * 10, "It beats loudness alone (0.500)."),
        ([*range(10), *range(3, 13)], "It is not clear that it beats loudness alone (0.500)."),
        ([0] * 20, "It does not beat loudness alone (0.500)."),
    ],
)
def test_the_verdict_of_a_run_says_of_loudness_what_its_interval_allows(scores, said):
    n, text = len(scores), [""] * len(scores)
    table = pa.table(
        {
            "event_id": [f"e{number}" for number in range(n)],
            "label": [0] * (n // 2) + [1] * (n // 2),
            "score": np.array(scores, float),
            "level_db": np.zeros(n),
            "domain": text,
            "case": [1] * n,
            "channel": [1] * n,
            "snr_db": pa.nulls(n, pa.float64()),
            "condition": ["normal"] * (n // 2) + ["ab01"] * (n // 2),
            "damage": [[]] * n,
        }
    )

    assert said in verdict_of(summarise(table))
