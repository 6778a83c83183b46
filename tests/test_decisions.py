"""Thresholds are taken from clips that are no test, and the test tells what they come to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.scores.decisions import decisions, threshold_of_normal
from toyadmos_datasets.scores.scored_clips import ScoredClips
from toyadmos_datasets.values.shards import open_split


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60))
def test_at_most_a_tenth_of_the_clips_reaches_the_threshold_and_no_lower_one_would_do(scores):
    found = threshold_of_normal(scores, "calibration")
    values = np.array(scores, dtype=np.float64)

    assert np.mean(values >= found.value) <= 0.1
    assert np.mean(values >= np.nextafter(found.value, -np.inf)) > 0.1
    assert (found.origin, found.n_clips) == ("calibration", len(scores))


@pytest.mark.parametrize("scores", [[], [np.inf, np.inf], [1.0, np.nan]])
def test_scores_without_a_finite_threshold_give_none(scores):
    assert threshold_of_normal(scores, "train") is None


def clips() -> ScoredClips:
    """Ten normal clips of which two, and ten damaged ones of which six, score 5 or more."""
    scores = np.array([1.0] * 8 + [5.0, 7.0] + [2.0] * 4 + [6.0] * 6)
    labels = np.repeat([0, 1], 10)
    return ScoredClips(labels=labels, scores=scores, events=np.array([f"event{n}" for n in range(20)]))


def test_precision_recall_and_f1_are_those_of_a_count_by_hand():
    held_back, of_labels = decisions(clips(), threshold_of_normal([4.0] * 10, "validation"), 6.5)

    figures = held_back.precision, held_back.recall, held_back.f1, held_back.false_alarms
    assert [one.value for one in figures] == pytest.approx([6 / 8, 6 / 10, 2 * 6 / (2 * 6 + 2 + 4), 2 / 10])
    assert all(one.low <= one.value <= one.high for one in figures)
    assert (of_labels.threshold.value, of_labels.threshold.origin) == (6.5, "test")
    assert (of_labels.precision.value, of_labels.recall.value) == (0.0, 0.0)


def test_where_no_clip_is_judged_anomalous_there_is_no_precision():
    (found,) = decisions(clips(), None, 99.0)

    assert np.isnan(found.precision.value)
    assert (found.recall.value, found.f1.value) == (0.0, 0.0)


def test_what_overlooks_and_what_recalls_are_one_in_sum():
    found = clips()

    assert found.share_overlooked(5.0).value + found.recall(5.0).value == pytest.approx(1.0)


def test_a_split_that_is_scored_whole_in_a_file_gives_the_threshold(prepared: Path, tmp_path: Path):
    evaluation = pytest.importorskip("toyadmos_datasets.runs.evaluation", reason="torch is not installed")
    for name, splits in (("test", ["test"]), ("all", ["train", "test"])):
        rows = [row for split in splits for row in open_split(prepared, "clean", split).rows()]
        lines = [f"{row['event_id']},{row['channel']},{row['label'] + 0.001 * row['take']}" for row in rows]
        (tmp_path / "scores.csv").write_text("\n".join(["event_id,channel,score", *lines]) + "\n")
        options = EvaluateOptions(run=tmp_path / name, dataset=prepared, scores=tmp_path / "scores.csv", config="clean")
        found = evaluation.evaluate(options)
        written = json.loads((found.folder / "metrics.json").read_text())

        origins = [one.threshold.origin for one in found.summary.decisions]
        assert origins == {"test": ["test"], "all": ["train", "test"]}[name]
        assert [one["threshold"]["origin"] for one in written["decisions"]] == origins
