"""Figures of merit, each named for what it is; ROC and areas by scikit-learn, which is loaded when one is asked for."""

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
    from sklearn.metrics import roc_curve  # noqa: PLC0415

    is_anomalous, values = _checked(labels, scores)
    distinct, ranks = np.unique(values, return_inverse=True)  # ranks are finite where scores are not
    fpr, tpr, _ = roc_curve(is_anomalous, ranks, drop_intermediate=False)
    return Roc(fpr=fpr, tpr=tpr, thresholds=np.append(np.inf, distinct[::-1]))


def auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the ROC: how often an anomalous clip outscores a normal one, ties counting half."""
    from sklearn.metrics import auc as area_under  # noqa: PLC0415

    curve = roc(labels, scores)
    return float(area_under(curve.fpr, curve.tpr))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecall:
    """Points of the precision-recall curve, from recall 1 to recall 0, one for each distinct score and the end.

    Attributes:
        recall: Anomalous clips judged anomalous, share.
        precision: Anomalous among the clips judged anomalous, share; 1 at recall 0.
        average_precision: The area under the curve's steps; the share of anomalous clips is what chance gives.
    """

    recall: Array
    precision: Array
    average_precision: float


def precision_recall(labels: npt.ArrayLike, scores: npt.ArrayLike) -> PrecisionRecall:
    """Return the precision-recall curve; see `roc`."""
    from sklearn.metrics import average_precision_score, precision_recall_curve  # noqa: PLC0415

    is_anomalous, values = _checked(labels, scores)
    ranks = np.unique(values, return_inverse=True)[1]
    precision, recall, _ = precision_recall_curve(is_anomalous, ranks)
    average = float(average_precision_score(is_anomalous, ranks))
    return PrecisionRecall(recall=recall, precision=precision, average_precision=average)


def equal_error_rate(curve: Roc) -> float:
    """Return the rate at which as large a share of normal clips alarms as of anomalous ones is missed.

    Between two thresholds the rates are interpolated. FPR minus miss rate rises at every point of a ROC.
    """
    return float(np.interp(0.0, curve.fpr - (1 - curve.tpr), curve.fpr))


def auc_as_published(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the "AUC" of the published code: the mean TPR over the first N_anomalous thresholds.

    The thresholds are the normal clips' scores from the largest down. The mean over all of them is the area under
    the ROC's steps, with ties counting nothing: a clip is judged anomalous where its score is above the threshold, so
    that a detector of one constant score gets 0. The code stops after as many thresholds as there are anomalous clips:
    with fewer of these than of normal clips, the part of the FPR axis past N_anomalous / N_normal, where the TPR is
    highest, is left out, and the result is lower than the AUC. With as many or more, all thresholds count.

    Source:
        The published evaluation code, as read.
    """
    is_anomalous, values = _checked(labels, scores)
    anomalous = np.sort(values[is_anomalous])
    thresholds = np.sort(values[~is_anomalous])[::-1][: len(anomalous)]
    n_missed = np.searchsorted(anomalous, thresholds, side="right")  # a clip at the threshold is missed, too
    return float(np.mean(1 - n_missed / len(anomalous)))


def partial_auc(labels: npt.ArrayLike, scores: npt.ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the area under the ROC from FPR 0 to `max_fpr`, as it is: at most `max_fpr`."""
    return area_of_mcclish(partial_auc_mcclish(labels, scores, max_fpr), max_fpr)


def area_of_mcclish(scaled: float, max_fpr: float = MAX_FPR) -> float:
    """Return the area under the ROC up to `max_fpr` of its McClish-scaled value."""
    chance = max_fpr**2 / 2
    return chance + (2 * scaled - 1) * (max_fpr - chance)


def mcclish_of_area(area: float, max_fpr: float = MAX_FPR) -> float:
    """Return the McClish-scaled value of an area under the ROC up to `max_fpr`."""
    chance = max_fpr**2 / 2
    return (1 + (area - chance) / (max_fpr - chance)) / 2


def partial_auc_mcclish(labels: npt.ArrayLike, scores: npt.ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the partial AUC scaled so that chance is 0.5 and perfection 1, as scikit-learn does.

    Source:
        McClish 1989, Analyzing a portion of the ROC curve; what DCASE reports as pAUC.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    is_anomalous, values = _checked(labels, scores)
    ranks = np.unique(values, return_inverse=True)[1]
    return float(roc_auc_score(is_anomalous, ranks, max_fpr=max_fpr))


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
    """Return the harmonic mean, as DCASE joins domains; 0 if any is 0, NaN if any is NaN."""
    found = np.asarray(values, dtype=np.float64)
    if np.isnan(found).any():
        return float("nan")
    return 0.0 if (found <= 0).any() else float(len(found) / np.sum(1 / found))


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
