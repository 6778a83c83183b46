"""What scores come to: every figure with its interval, over all clips and by case, channel, condition, part, SNR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.baseline.intervals import Interval, event_weights, interval, weighted_aucs
from toyadmos_datasets.signal.metrics import (
    auc,
    auc_as_published,
    f1,
    harmonic_mean,
    partial_auc,
    partial_auc_mcclish,
    threshold_at,
)

Array = npt.NDArray[np.float64]

TOLD_APART_BY = ("case", "channel", "snr_db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some anomalous clips against the normal clips they are to be told from.

    Attributes:
        by: What the group shares: ``case``, ``channel``, ``snr_db``, ``condition``, ``part`` or ``damage``.
        name: Its value of that.
        n_normal: Normal clips.
        n_anomalous: Anomalous clips.
        auc: With its interval.
        share_overlooked: Anomalous clips below the threshold that lets 10 % of all normal clips through.
    """

    by: str
    name: str
    n_normal: int
    n_anomalous: int
    auc: Interval
    share_overlooked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All figures of one set of scores.

    Attributes:
        clip_score: How clip scores were made, for people.
        n_normal: Normal clips.
        n_anomalous: Anomalous clips.
        n_events: Events; the microphones of one take are one.
        auc: Area under the ROC.
        auc_as_published: As the published code computes it; see `metrics.auc_as_published`.
        pauc: Area under the ROC up to FPR 0.1, at most 0.1.
        pauc_mcclish: The same, scaled to 0.5 for chance and 1 for perfection.
        auc_of_loudness: Of the clips' RMS level as the score: what a system has to beat.
        threshold: At which at most 10 % of normal clips are judged anomalous.
        f1: At that threshold.
        share_overlooked: Of the anomalous clips at that threshold.
        harmonic_mean_of_cases: Of the AUCs of the cases, as DCASE joins domains; None for a single case.
        groups: By case, channel, SNR, condition, part, and state of a part.
    """

    clip_score: str
    n_normal: int
    n_anomalous: int
    n_events: int
    auc: Interval
    auc_as_published: Interval
    pauc: Interval
    pauc_mcclish: Interval
    auc_of_loudness: Interval
    threshold: float
    f1: float
    share_overlooked: float
    harmonic_mean_of_cases: float | None
    groups: tuple[Group, ...]

    def by(self, what: str) -> list[Group]:
        """Return the groups of one kind, worst first."""
        return sorted((one for one in self.groups if one.by == what), key=lambda one: (one.auc.value, one.name))

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; a threshold that no clip reaches is null."""
        found = asdict(self)
        threshold = self.threshold if np.isfinite(self.threshold) else None
        return found | {"groups": list(found["groups"]), "threshold": threshold}


def summarise(table: pa.Table, *, clip_score: str = "score") -> Summary:
    """Compute all figures of a table of scores.

    Args:
        table: Columns `event_id`, `label`, `score`, `level_db`, `case`, `channel`, `snr_db`, `condition`, `damage`.
        clip_score: How the scores were made.

    Raises:
        OptionError: A class is missing or a score is NaN.
    """
    labels = table["label"].to_numpy().astype(np.int64)
    scores = table["score"].to_numpy().astype(np.float64)
    loudness = table["level_db"].to_numpy()
    events = np.array(table["event_id"].to_pylist())
    value = auc(labels, scores)  # refuses what has none before anything is drawn
    weights = event_weights(labels, events)
    threshold = threshold_at(labels, scores)
    groups = tuple(_groups(table, labels, scores, weights, threshold))
    cases = [one.auc.value for one in groups if one.by == "case"]
    others = {
        name: _drawn(function, labels, scores, weights)
        for name, function in (
            ("auc_as_published", auc_as_published),
            ("pauc", partial_auc),
            ("pauc_mcclish", partial_auc_mcclish),
        )
    }
    return Summary(
        clip_score=clip_score,
        n_normal=int(np.count_nonzero(labels == 0)),
        n_anomalous=int(np.count_nonzero(labels == 1)),
        n_events=len(np.unique(events)),
        auc=interval(value, weighted_aucs(labels, scores, weights)),
        auc_of_loudness=interval(auc(labels, loudness), weighted_aucs(labels, loudness, weights)),
        threshold=threshold,
        f1=f1(labels, scores, threshold),
        share_overlooked=float(np.mean(scores[labels == 1] < threshold)),
        harmonic_mean_of_cases=harmonic_mean(cases) if len(cases) > 1 else None,
        groups=groups,
        **others,
    )


def _drawn(function: Any, labels: npt.NDArray[np.int64], scores: Array, weights: Array) -> Interval:  # noqa: ANN401
    """Compute a figure for the clips as they are and for a part of the draws, clips repeated as drawn."""
    draws = [
        function(np.repeat(labels, count), np.repeat(scores, count))
        for count in weights[:: max(len(weights) // 300, 1)].astype(np.int64)
    ]
    return interval(function(labels, scores), np.array(draws))


def _groups(
    table: pa.Table, labels: npt.NDArray[np.int64], scores: Array, weights: Array, threshold: float
) -> Iterator[Group]:
    is_normal = labels == 0
    for by, name, is_anomaly, is_own_normal in _selections(table, is_normal):
        chosen = is_anomaly | is_own_normal
        if not is_anomaly.any() or not is_own_normal.any():
            continue
        mine, of_mine = labels[chosen], scores[chosen]
        yield Group(
            by=by,
            name=name,
            n_normal=int(is_own_normal.sum()),
            n_anomalous=int(is_anomaly.sum()),
            auc=interval(auc(mine, of_mine), weighted_aucs(mine, of_mine, weights[:, chosen])),
            share_overlooked=float(np.mean(scores[is_anomaly] < threshold)),
        )


Selection = tuple[str, str, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


def _selections(table: pa.Table, is_normal: npt.NDArray[np.bool_]) -> Iterator[Selection]:
    """Yield each group's kind and name, its anomalous clips, and the normal clips to tell them from."""
    for by in TOLD_APART_BY:
        values = table[by].to_pylist()
        for value in sorted({one for one in values if one is not None}):
            is_mine = np.array([one == value for one in values])
            yield by, f"{value:g}", is_mine & ~is_normal, is_mine & is_normal
    conditions = np.array(table["condition"].to_pylist())
    for condition in sorted(set(conditions[~is_normal])):
        yield "condition", str(condition), (conditions == condition) & ~is_normal, is_normal
    damages = table["damage"].to_pylist()
    for by, kinds in (("part", _parts(damages)), ("damage", damages)):
        for name in sorted({one for some in kinds for one in some}):
            yield by, name, np.array([name in some for some in kinds]) & ~is_normal, is_normal


def _parts(damages: list[list[str]]) -> list[list[str]]:
    return [[one.partition(":")[0] for one in some] for some in damages]
