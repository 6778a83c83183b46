"""Clips with their labels and scores, and every figure of theirs with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.scores.auc_intervals import Placements, auc_interval, placements_of
from toyadmos_datasets.scores.intervals import NO_VALUE, Interval, share_interval, square_and_add
from toyadmos_datasets.scores.metrics import MAX_FPR, auc_as_published, f1, mcclish_of_area, partial_auc
from toyadmos_datasets.scores.partial_auc_intervals import mean_tpr_interval


@dataclass(frozen=True, kw_only=True)
class ScoredClips:
    """Some clips and their figures; a figure has no value if the clips lack a class that it needs.

    Attributes:
        labels: 1 anomalous, 0 normal, shape (n_clips,).
        scores: More is more anomalous; infinite ones are the highest or the lowest.
        events: What each clip is heard of; the microphones of one take are one event.
    """

    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    events: npt.NDArray[np.str_]

    @cached_property
    def placements(self) -> Placements | None:
        """The ranks of the clips among those of the other class."""
        return placements_of(self.labels, self.scores, self.events)

    def chosen(self, chosen: npt.NDArray[np.bool_]) -> ScoredClips:
        """Return some of them."""
        return ScoredClips(labels=self.labels[chosen], scores=self.scores[chosen], events=self.events[chosen])

    def auc(self) -> Interval:
        """Return the area under the ROC."""
        return auc_interval(self.placements)

    def auc_as_published(self) -> Interval:
        """Return the published figure: a mean TPR up to an FPR, or the AUC where it is no other."""
        if self.placements is None:
            return NO_VALUE
        value = auc_as_published(self.labels, self.scores)
        if abs(value - self.placements.area) < 1e-12:
            return self.auc()
        n_normal, n_anomalous = np.bincount(self.labels)
        return mean_tpr_interval(self.placements, value, min(n_anomalous / n_normal, 1.0))

    def pauc_mcclish(self) -> Interval:
        """Return the partial AUC up to FPR 0.1, scaled to 0.5 for chance and 1 for perfection."""
        if self.placements is None:
            return NO_VALUE
        mean_tpr = min(max(partial_auc(self.labels, self.scores) / MAX_FPR, 0.0), 1.0)
        found = mean_tpr_interval(self.placements, mean_tpr, MAX_FPR)
        return found.changed(lambda one: mcclish_of_area(one * MAX_FPR))

    def share_overlooked(self, threshold: float) -> Interval:
        """Return the share of anomalous clips below a threshold."""
        is_anomalous = self.labels == 1
        return share_interval(self.scores[is_anomalous] < threshold, self.events[is_anomalous])

    def recall(self, threshold: float) -> Interval:
        """Return the share of anomalous clips at or above a threshold: all but the overlooked ones."""
        return self.share_overlooked(threshold).mirrored

    def false_alarms(self, threshold: float) -> Interval:
        """Return the share of normal clips at or above a threshold."""
        is_normal = self.labels == 0
        return share_interval(self.scores[is_normal] >= threshold, self.events[is_normal])

    def f1(self, threshold: float) -> Interval:
        """Return F1 at a threshold; it grows with the share of hits and falls with that of false alarms."""
        if self.placements is None:
            return NO_VALUE
        n_normal, n_anomalous = np.bincount(self.labels)

        def of(alarms: float, hits: float) -> float:
            return float(2 * hits * n_anomalous / (hits * n_anomalous + n_anomalous + alarms * n_normal))

        return self._of_shares(threshold, of, f1(self.labels, self.scores, threshold))

    def precision(self, threshold: float) -> Interval:
        """Return the share of anomalous clips among those at or above a threshold; no value where there are none."""
        is_judged = self.scores >= threshold
        if self.placements is None or not is_judged.any():
            return NO_VALUE
        n_normal, n_anomalous = np.bincount(self.labels)

        def of(alarms: float, hits: float) -> float:
            n_judged = hits * n_anomalous + alarms * n_normal
            return float(hits * n_anomalous / n_judged) if n_judged else float("nan")

        return self._of_shares(threshold, of, float(np.mean(self.labels[is_judged])))

    def _of_shares(self, threshold: float, of: Callable[[float, float], float], value: float) -> Interval:
        """Return the interval of a figure that falls with the share of false alarms and grows with that of hits."""
        alarms, hits = (
            share_interval(self.scores[self.labels == label] >= threshold, self.events[self.labels == label])
            for label in (0, 1)
        )
        return square_and_add(
            value,
            lowered=[of(alarms.high, hits.value), of(alarms.value, hits.low)],
            raised=[of(alarms.low, hits.value), of(alarms.value, hits.high)],
        )
