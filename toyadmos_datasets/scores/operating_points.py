"""A detector at a threshold: false alarms and hits, precision, recall and F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.scores.metrics import threshold_at
from toyadmos_datasets.scores.scored_clips import ScoredClips

MAX_FPRS = (0.01, 0.05, 0.1)
"""Shares of normal clips that may be judged anomalous, at which thresholds are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold and what it does; clips of at least that score are judged anomalous.

    Attributes:
        max_fpr: Share of normal clips that may be judged anomalous.
        threshold: The lowest that lets no more through; infinite where even one false alarm is too many and a normal
            clip scores highest.
        n_false_alarms: Normal clips that are judged anomalous.
        n_hits: Anomalous clips that are.
        fpr: Share of the normal clips that are: with few normal clips it is below `max_fpr`.
        recall: Share of the anomalous clips that are.
        precision: Share of the clips judged anomalous that are; it depends on how many of the test's clips are.
        f1: Harmonic mean of precision and recall.
    """

    max_fpr: float
    threshold: float
    n_false_alarms: int
    n_hits: int
    fpr: float
    recall: Interval
    precision: Interval
    f1: Interval


def operating_points(clips: ScoredClips, max_fprs: Sequence[float] = MAX_FPRS) -> tuple[OperatingPoint, ...]:
    """Return what a detector does at some thresholds.

    Args:
        clips: Clips of both labels.
        max_fprs: Share of normal clips that each threshold may let through.

    Raises:
        OptionError: A class is missing, or a score is NaN.
    """
    return tuple(_point(clips, max_fpr) for max_fpr in max_fprs)


def _point(clips: ScoredClips, max_fpr: float) -> OperatingPoint:
    threshold = threshold_at(clips.labels, clips.scores, max_fpr)
    is_judged = clips.scores >= threshold
    n_false_alarms = int(np.count_nonzero(is_judged & (clips.labels == 0)))
    return OperatingPoint(
        max_fpr=max_fpr,
        threshold=threshold,
        n_false_alarms=n_false_alarms,
        n_hits=int(np.count_nonzero(is_judged & (clips.labels == 1))),
        fpr=n_false_alarms / int(np.count_nonzero(clips.labels == 0)),
        recall=clips.recall(threshold),
        precision=clips.precision(threshold),
        f1=clips.f1(threshold),
    )
