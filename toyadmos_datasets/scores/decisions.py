"""Decisions: a threshold set before the test, its origin, and its results on the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from toyadmos_datasets.files.checked_json import Count
from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.scores.metrics import MAX_FPR
from toyadmos_datasets.scores.scored_clips import ScoredClips

Origin: TypeAlias = Literal["calibration", "validation", "train", "test"]

HELD_BACK: tuple[Origin, ...] = ("calibration", "validation", "train")
"""Splits that a threshold is taken from, the best first: all that a factory has before anything breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold, at which at most 10 % of the clips that it comes from are judged anomalous.

    Attributes:
        value: Clips of at least this score are judged anomalous.
        origin: Split whose normal clips it comes from; ``test`` where it took the labels of the test.
        n_clips: How many normal clips these are.
    """

    value: Annotated[float, msgspec.Meta(ge=-1.7e308, le=1.7e308)]
    origin: Origin
    n_clips: Count

    @property
    def told(self) -> str:
        """Where it comes from, for people."""
        if self.origin == "test":
            return "the test's own labels"
        return f"{self.n_clips} normal clips of {self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The results of a test at a threshold.

    Attributes:
        threshold: The threshold.
        false_alarms: Share of the normal clips that are judged anomalous.
        precision: Share of the clips judged anomalous that are; without a value where none is.
        recall: Share of the anomalous clips that are judged so.
        f1: Harmonic mean of precision and recall.
    """

    threshold: Threshold
    false_alarms: Interval
    precision: Interval
    recall: Interval
    f1: Interval


def threshold_of_normal(scores: npt.ArrayLike, origin: Origin, max_fpr: float = MAX_FPR) -> Threshold | None:
    """Return the lowest threshold that at most a share of some normal clips reaches; None where no number is one.

    It stands just above the highest score that is still to be judged normal, so that ties do not pass together.

    Args:
        scores: Of normal clips, more is more anomalous.
        origin: Split that they are of.
        max_fpr: The share.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    if not len(ordered) or np.isnan(ordered).any():
        return None
    value = np.nextafter(ordered[len(ordered) - 1 - int(max_fpr * len(ordered) + 1e-9)], np.inf)
    return Threshold(value=float(value), origin=origin, n_clips=len(ordered)) if np.isfinite(value) else None


def decisions(clips: ScoredClips, threshold: Threshold | None, of_labels: float) -> Iterator[Decision]:
    """Yield the results at a threshold set before the test, and at the one chosen by the test's labels.

    Args:
        clips: The test.
        threshold: Taken from other clips; None if unknown.
        of_labels: The threshold that the test's labels choose.
    """
    n_normal = int(np.count_nonzero(clips.labels == 0))
    for one in (threshold, Threshold(value=of_labels, origin="test", n_clips=n_normal)):
        if one is not None:
            yield Decision(
                threshold=one,
                false_alarms=clips.false_alarms(one.value),
                precision=clips.precision(one.value),
                recall=clips.recall(one.value),
                f1=clips.f1(one.value),
            )
