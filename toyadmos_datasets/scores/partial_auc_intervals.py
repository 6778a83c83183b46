"""The interval of an AUC up to a false positive rate, corrected for few normal clips."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.scores.auc_intervals import Placements
from toyadmos_datasets.scores.intervals import NO_VALUE, Interval

Array = npt.NDArray[np.float64]

_DRAWS = 500
_MOST_RANKS = 24
"""Ranks of normal clips that stand for all below the FPR."""

_DISTANCES = np.linspace(-4.0, 10.0, 57)
"""Candidates: distance of the means of the two classes, in root mean square deviations."""

_LOG_SPREADS = np.linspace(-1.2, 1.2, 13)
_TRUSTED_FROM = 40.0
"""So many clips in error make the spread that the clips show count as much as equal spreads."""

_ROC_POINTS = 1000


def mean_tpr_interval(placements: Placements | None, value: float, max_fpr: float) -> Interval:
    """Return the mean TPR over FPR 0 to `max_fpr` with its interval.

    The candidates are normal scores of both classes, one for each distance of their means. Under each, the figure that
    so many clips give has a mean and a variance: with few normal clips the mean is above the truth, since the highest
    of 8 normal clips is exceeded by 11 % of them, not by the 0 to 10 % that are meant. The interval holds the truths of
    those candidates whose mean is within q standard deviations of the figure. The ratio of the classes' spreads is
    that which explains the variances of the AUC, in so far as several clips are in error, and else 1.

    Args:
        placements: Ranks of the clips; None if a class is missing.
        value: The figure, 0 to 1: the area under the ROC up to `max_fpr`, divided by it.
        max_fpr: Above 0, at most 1.

    Source:
        Ours. A bias-corrected bootstrap (Efron 1987) covers 70 to 90 % at 26 normal clips: it cannot see what lies
        between the highest normal clip and the next that was not drawn. See `benchmarks/README.md`.
    """
    if placements is None:
        return NO_VALUE
    trust = placements.n_in_error / (placements.n_in_error + _TRUSTED_FROM)
    model = _model(
        max(round(placements.normal_worth), 1),
        max(round(placements.anomalous_worth), 1),
        max_fpr,
        tenths_of_log_spread=round(10 * trust * log_spread(placements)),
    )
    low, high = model.ends(value, placements.quantile)
    return Interval(value=value, low=min(low, value), high=max(high, value))


def log_spread(placements: Placements) -> float:
    """Return the logarithm of the spread of anomalous scores over that of normal ones, as the ROC shows it.

    If both are normal, the variance of the normal clips' placements is the chance that two anomalous clips outscore
    one normal clip, less the AUC squared; that of the anomalous clips' placements is the chance that one anomalous clip
    outscores two normal ones, less the same. The wider class has the larger variance, so their ratio tells the spread.
    """
    from scipy.special import ndtri, owens_t  # noqa: PLC0415

    shown = float(np.var(placements.of_normal)), float(np.var(placements.of_anomalous))
    if min(shown) <= 0 or not 0 < placements.area < 1:
        return 0.0
    h, squares = ndtri(placements.area), np.exp(2 * _LOG_SPREADS)
    normal, anomalous = (
        # correlation r of two differences that share a clip: sqrt((1 - r) / (1 + r)) is the argument of T
        np.maximum(placements.area - 2 * owens_t(h, np.sqrt(one)) - placements.area**2, 1e-12)
        for one in (squares / (2 + squares), 1 / (1 + 2 * squares))
    )
    return float(np.interp(np.log(shown[1] / shown[0]), np.log(anomalous / normal), _LOG_SPREADS))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What so many clips give under each candidate, shape (n_candidates,): mean, deviation, and the truth."""

    means: Array
    deviations: Array
    truths: Array

    def ends(self, value: float, quantile: float) -> tuple[float, float]:
        """Return the truths of the first and the last candidate that agree with a figure."""
        far = (value - self.means) / np.maximum(self.deviations, 1e-9)
        is_above, is_below = np.flatnonzero(far > quantile), np.flatnonzero(far < -quantile)
        low, high = 0.0, 1.0
        if len(is_above) and is_above[-1] + 1 < len(far):
            low = self._between(far, int(is_above[-1]), quantile)
        if len(is_below) and is_below[0] > 0:
            high = self._between(far, int(is_below[0]) - 1, -quantile)
        return low, high

    def _between(self, far: Array, first: int, level: float) -> float:
        one, other = far[first], far[first + 1]
        share = (one - level) / (one - other)
        return float(self.truths[first] + share * (self.truths[first + 1] - self.truths[first]))


@functools.lru_cache(maxsize=256)
def _model(n_normal: int, n_anomalous: int, max_fpr: float, *, tenths_of_log_spread: int) -> _Model:
    """Compute what clips give under each candidate.

    With w_i the weight of the i-th highest normal clip, and u_i the true FPR at it, the figure is the mean over
    anomalous clips of the weights of those normal clips that they outscore. Given u its mean is g = sum(w_i R(u_i))
    with the true ROC R, and the mean square of a clip's term is sum(w_i w_j R(min(u_i, u_j))).
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    spread = float(np.exp(tenths_of_log_spread / 10))
    weights, below = _top_ranks(n_normal, max_fpr)
    z = ndtri(below)
    later = np.append(np.cumsum(weights[::-1])[::-1][1:], 0.0)
    grid = ndtri((np.arange(_ROC_POINTS) + 0.5) / _ROC_POINTS * max_fpr)
    distances = _DISTANCES * np.sqrt((1 + spread**2) / 2)
    means, variances, truths = (np.empty(len(distances)) for _ in range(3))
    for number, distance in enumerate(distances):
        tprs = ndtr((distance + z) / spread)
        given = tprs @ weights
        squares = tprs @ (weights * (weights + 2 * later))
        means[number] = given.mean()
        variances[number] = given.var() + np.mean(squares - given**2) / n_anomalous
        truths[number] = ndtr((distance + grid) / spread).mean()
    return _Model(means=means, deviations=np.sqrt(np.maximum(variances, 0)), truths=truths)


def _top_ranks(n_normal: int, max_fpr: float) -> tuple[Array, Array]:
    """Return the weights of the highest normal clips, and draws of the true FPR at each, shape (n_draws, n_ranks).

    The true FPRs at the n scores are n uniform numbers in order: sums of exponential ones over the sum of n + 1. Of
    many ranks some stand for their neighbours. The draws are the same every time.
    """
    n_whole = int(max_fpr * n_normal + 1e-9)
    weights = np.full(n_whole + 1, 1 / n_normal / max_fpr)
    weights[-1] = max(1 - n_whole / n_normal / max_fpr, 0.0)
    if weights[-1] < 1e-9:
        weights = weights[:-1]
    groups = np.array_split(np.arange(len(weights)), min(len(weights), _MOST_RANKS))
    ranks = np.array([one[len(one) // 2] for one in groups]) + 1
    generator = np.random.default_rng(0)
    sums = np.cumsum(generator.gamma(np.diff(ranks, prepend=0), size=(_DRAWS, len(ranks))), axis=1)
    totals = sums[:, -1] + generator.gamma(n_normal + 1 - ranks[-1], size=_DRAWS)
    return np.array([weights[one].sum() for one in groups]), sums / totals[:, None]
