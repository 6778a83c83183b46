"""What scores come to: every figure with its interval, over all clips and by case, channel, condition, part, SNR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.scores.metrics import (
    Interval,
    auc,
    auc_as_published,
    event_weights,
    f1,
    harmonic_mean,
    interval,
    partial_auc,
    partial_auc_mcclish,
    threshold_at,
    weighted_aucs,
)

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

TOLD_APART_BY = ("domain", "case", "channel", "snr_db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some anomalous clips against the normal clips they are to be told from.

    Attributes:
        by: What the group shares: ``domain``, ``case``, ``channel``, ``snr_db``, ``condition``, ``part`` or
            ``damage``.
        name: Its value of that.
        n_normal: Normal clips.
        n_anomalous: Anomalous clips.
        auc: With its interval.
        pauc_mcclish: Partial AUC up to FPR 0.1, scaled to 0.5 for chance and 1 for perfection.
        share_overlooked: Anomalous clips below the threshold that lets 10 % of all normal clips through.
    """

    by: str
    name: str
    n_normal: int
    n_anomalous: int
    auc: Interval
    pauc_mcclish: float
    share_overlooked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicMeans:
    """Groups of one kind joined by the harmonic mean, which a single bad one pulls down.

    Attributes:
        names: Of the groups.
        auc: Harmonic mean of their AUCs, with its interval.
        pauc_mcclish: The same of their partial AUCs.

    Source:
        DCASE 2021 and later, task 2: sections and domains are joined by the harmonic mean.
    """

    names: tuple[str, ...]
    auc: Interval
    pauc_mcclish: float


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
        cases: The cases joined; None for a single one.
        domains: The domains joined, source (cases that were trained on) and target; None for a single one.
        groups: By domain, case, channel, SNR, condition, part, and state of a part.
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
    cases: HarmonicMeans | None
    domains: HarmonicMeans | None
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
        table: Columns `event_id`, `label`, `score`, `level_db`, `domain`, `case`, `channel`, `snr_db`, `condition`,
            `damage`.
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
    judged = _Judged(labels=labels, scores=scores, weights=weights, threshold=threshold)
    selections = list(_selections(table, labels == 0))
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
        cases=judged.joined(selections, "case"),
        domains=judged.joined(selections, "domain"),
        groups=tuple(judged.group(one) for one in selections),
        **others,
    )


def _drawn(function: Any, labels: npt.NDArray[np.int64], scores: Array, weights: Array) -> Interval:  # noqa: ANN401
    """Compute a figure for the clips as they are and for a part of the draws, clips repeated as drawn."""
    draws = [
        function(np.repeat(labels, count), np.repeat(scores, count))
        for count in weights[:: max(len(weights) // 300, 1)].astype(np.int64)
    ]
    return interval(function(labels, scores), np.array(draws))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """A group's kind and name, its anomalous clips, and the normal clips to tell them from; it has both."""

    by: str
    name: str
    is_anomaly: Mask
    is_own_normal: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """All clips, and what groups of them come to."""

    labels: npt.NDArray[np.int64]
    scores: Array
    weights: Array
    threshold: float

    def group(self, selection: _Selection) -> Group:
        """Return the figures of one group."""
        labels, scores = self._of(selection)
        return Group(
            by=selection.by,
            name=selection.name,
            n_normal=int(selection.is_own_normal.sum()),
            n_anomalous=int(selection.is_anomaly.sum()),
            auc=interval(auc(labels, scores), self._drawn_aucs(selection)),
            pauc_mcclish=partial_auc_mcclish(labels, scores),
            share_overlooked=float(np.mean(self.scores[selection.is_anomaly] < self.threshold)),
        )

    def joined(self, selections: Sequence[_Selection], by: str) -> HarmonicMeans | None:
        """Join the groups of one kind, if there are several."""
        mine = [one for one in selections if one.by == by]
        if len(mine) < 2:
            return None
        drawn = np.array([self._drawn_aucs(one) for one in mine])
        with np.errstate(divide="ignore"):  # an AUC of 0 makes the mean 0
            draws = len(mine) / np.sum(1 / drawn, axis=0)
        return HarmonicMeans(
            names=tuple(one.name for one in mine),
            auc=interval(harmonic_mean([auc(*self._of(one)) for one in mine]), draws),
            pauc_mcclish=harmonic_mean([partial_auc_mcclish(*self._of(one)) for one in mine]),
        )

    def _of(self, selection: _Selection) -> tuple[npt.NDArray[np.int64], Array]:
        chosen = selection.is_anomaly | selection.is_own_normal
        return self.labels[chosen], self.scores[chosen]

    def _drawn_aucs(self, selection: _Selection) -> Array:
        chosen = selection.is_anomaly | selection.is_own_normal
        return weighted_aucs(self.labels[chosen], self.scores[chosen], self.weights[:, chosen])


def _selections(table: pa.Table, is_normal: Mask) -> Iterator[_Selection]:
    """Yield the groups that have anomalous clips, and normal clips to tell them from."""
    for by, name, is_anomaly, is_own_normal in _candidates(table, is_normal):
        if is_anomaly.any() and is_own_normal.any():
            yield _Selection(by=by, name=name, is_anomaly=is_anomaly, is_own_normal=is_own_normal)


def _candidates(table: pa.Table, is_normal: Mask) -> Iterator[tuple[str, str, Mask, Mask]]:
    for by in TOLD_APART_BY:
        values = table[by].to_pylist()
        for value in sorted({one for one in values if one is not None}):
            is_mine = np.array([one == value for one in values])
            name = value if isinstance(value, str) else f"{value:g}"
            yield by, name, is_mine & ~is_normal, is_mine & is_normal
    conditions = np.array(table["condition"].to_pylist())
    for condition in sorted(set(conditions[~is_normal])):
        yield "condition", str(condition), (conditions == condition) & ~is_normal, is_normal
    damages = table["damage"].to_pylist()
    for by, kinds in (("part", _parts(damages)), ("damage", damages)):
        for name in sorted({one for some in kinds for one in some}):
            yield by, name, np.array([name in some for some in kinds]) & ~is_normal, is_normal


def _parts(damages: list[list[str]]) -> list[list[str]]:
    return [[one.partition(":")[0] for one in some] for some in damages]
