"""Figures of merit, each named for what it is; NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError

Array = npt.NDArray[np.float64]
MAX_FPR = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Roc:
    """Points of the receiver operating characteristic, from (0, 0) to (1, 1), one for each distinct score.

    Attributes:
        fpr: Normal clips judged anomalous, share.
        tpr: Anomalous clips judged anomalous, share.
        thresholds: Clips of at least this score are judged anomalous; the first is infinite.
    """

    fpr: Array
    tpr: Array
    thresholds: Array


def roc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Roc:
    """Return the ROC; clips of equal score pass the threshold together.

    Args:
        labels: 1 anomalous, 0 normal, shape (n_clips,).
        scores: More is more anomalous.

    Raises:
        OptionError: A class is missing, the shapes differ, or a score is NaN.
    """
    is_anomalous, values = _checked(labels, scores)
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last_of_equal = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    n_hits = np.cumsum(is_anomalous[order])[last_of_equal]
    n_false = last_of_equal + 1 - n_hits
    return Roc(
        fpr=np.append(0.0, n_false / n_false[-1]),
        tpr=np.append(0.0, n_hits / n_hits[-1]),
        thresholds=np.append(np.inf, ordered[last_of_equal]),
    )


def auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the ROC: how often an anomalous clip outscores a normal one, ties counting half."""
    curve = roc(labels, scores)
    return _area(curve.tpr, curve.fpr)


def auc_as_published(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the "AUC" of the published code: the mean TPR over the first N_anomalous thresholds.

    The thresholds are the normal clips' scores from the largest down. The mean over all of them is the area under
    the ROC's steps. The code stops after as many as there are anomalous clips: with fewer of these than of normal
    clips, the part of the FPR axis past N_anomalous / N_normal, where the TPR is highest, is left out, and the
    result is lower than the AUC. With as many or more, all thresholds count.

    Source:
        The published evaluation code, as read.
    """
    is_anomalous, values = _checked(labels, scores)
    anomalous = np.sort(values[is_anomalous])
    thresholds = np.sort(values[~is_anomalous])[::-1][: len(anomalous)]
    n_missed = np.searchsorted(anomalous, thresholds, side="left")
    return float(np.mean(1 - n_missed / len(anomalous)))


def partial_auc(labels: npt.ArrayLike, scores: npt.ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the area under the ROC from FPR 0 to `max_fpr`, as it is: at most `max_fpr`."""
    curve = roc(labels, scores)
    inside = curve.fpr <= max_fpr
    fpr = np.append(curve.fpr[inside], max_fpr)
    tpr = np.append(curve.tpr[inside], np.interp(max_fpr, curve.fpr, curve.tpr))
    return _area(tpr, fpr)


def partial_auc_mcclish(labels: npt.ArrayLike, scores: npt.ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the partial AUC scaled so that chance is 0.5 and perfection 1.

    Source:
        McClish 1989, Analyzing a portion of the ROC curve; what DCASE reports as pAUC.
    """
    chance = max_fpr**2 / 2
    return 0.5 * (1 + (partial_auc(labels, scores, max_fpr) - chance) / (max_fpr - chance))


def threshold_at(labels: npt.ArrayLike, scores: npt.ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the lowest threshold at which at most this share of normal clips is judged anomalous."""
    curve = roc(labels, scores)
    return float(curve.thresholds[np.flatnonzero(curve.fpr <= max_fpr + 1e-12)[-1]])


def f1(labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> float:
    """Return 2 TP / (2 TP + FP + FN) of judging clips of at least this score anomalous."""
    is_anomalous, values = _checked(labels, scores)
    is_judged = values >= threshold
    n_hits = np.count_nonzero(is_judged & is_anomalous)
    return float(2 * n_hits / (np.count_nonzero(is_judged) + np.count_nonzero(is_anomalous)))


def harmonic_mean(values: npt.ArrayLike) -> float:
    """Return the harmonic mean, as DCASE joins domains; 0 if any is 0."""
    found = np.asarray(values, dtype=np.float64)
    return 0.0 if (found <= 0).any() else float(len(found) / np.sum(1 / found))


def _area(heights: Array, places: Array) -> float:
    return float(np.sum(np.diff(places) * (heights[1:] + heights[:-1]) / 2))


def _checked(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Array]:
    is_anomalous = np.asarray(labels).astype(bool)
    values = np.asarray(scores, dtype=np.float64)
    n_anomalous = np.count_nonzero(is_anomalous)
    if is_anomalous.shape != values.shape or not 0 < n_anomalous < len(is_anomalous) or np.isnan(values).any():
        raise OptionError(
            "These scores have no ROC.",
            where="labels, scores",
            expected="as many labels as scores, both normal and anomalous clips, no NaN",
            actual=f"labels {is_anomalous.shape}, {n_anomalous} anomalous; scores {values.shape}, "
            f"{np.count_nonzero(np.isnan(values))} NaN",
            remedy="Score the whole test split.",
        )
    return is_anomalous, values
