"""The intervals of an AUC and of the difference of two; they are valid for few clips and for an AUC of 1."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.scores.intervals import (
    COVERAGE,
    NO_VALUE,
    Interval,
    clustered_variance,
    design_effect,
    normal_quantile,
)

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]

_TRUSTED_FROM = 8.0
"""So many clips in error make the variance that the clips show, where it is small, count as much as the model's."""

_N_CANDIDATES = 2001
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Placements:
    """The rank of each clip among those of the other class, which determines everything about an AUC.

    Attributes:
        area: The AUC.
        of_normal: For each normal clip, the share of anomalous clips above it, ties counting half.
        of_anomalous: For each anomalous clip, the share of normal clips below it.
        normal_events: Of each normal clip.
        anomalous_events: Of each anomalous clip.
        normal_worth: As how many independent clips the normal ones count.
        anomalous_worth: As how many the anomalous ones count.
    """

    area: float
    of_normal: Array
    of_anomalous: Array
    normal_events: Names
    anomalous_events: Names
    normal_worth: float
    anomalous_worth: float

    @cached_property
    def variances(self) -> tuple[float, float]:
        """What the drawing of normal events, and that of anomalous ones, add to the variance of the AUC.

        Source:
            DeLong, DeLong and Clarke-Pearson 1988; Obuchowski 1997 for several clips of one event.
        """
        return (
            clustered_variance(self.of_normal, self.normal_events),
            clustered_variance(self.of_anomalous, self.anomalous_events),
        )

    @cached_property
    def n_in_error(self) -> float:
        """How many clips, effectively, the errors (or the hits, if they are fewer) are spread over; the worse class.

        Of errors e_i that is sum(e)**2 / sum(e**2): 1 if one clip has them all, n if n clips share them evenly.
        """
        found = []
        for placements, worth in (
            (self.of_normal, self.normal_worth),
            (self.of_anomalous, self.anomalous_worth),
        ):
            for errors in (1 - placements, placements):
                squares = float(np.sum(errors**2))
                spread = float(np.sum(errors)) ** 2 / squares if squares else 0.0
                found.append(spread * worth / len(errors))
        return min(found)

    @cached_property
    def quantile(self) -> float:
        """The half width of a 95 % interval, in standard deviations: the wider the fewer events, if errors tell it."""
        from scipy.special import stdtrit  # noqa: PLC0415

        counts = (len(np.unique(self.normal_events)), len(np.unique(self.anomalous_events)))
        of_t = float(stdtrit(degrees_of_freedom(self.variances, counts), (1 + COVERAGE) / 2))
        trust = self.n_in_error / (self.n_in_error + _TRUSTED_FROM)
        return trust * of_t + (1 - trust) * normal_quantile()


def placements_of(labels: Labels, scores: Array, events: Names) -> Placements | None:
    """Return the ranks of the clips; None if a class is missing or a score is NaN."""
    is_anomalous = labels == 1
    normal, anomalous = scores[~is_anomalous], scores[is_anomalous]
    if not len(normal) or not len(anomalous) or np.isnan(scores).any():
        return None
    normal_events, anomalous_events = events[~is_anomalous], events[is_anomalous]
    n_below = _doubled_below(normal, anomalous)
    return Placements(
        area=float(n_below.sum() / (2 * len(normal) * len(anomalous))),
        of_normal=1 - _doubled_below(anomalous, normal) / (2 * len(anomalous)),
        of_anomalous=n_below / (2 * len(normal)),
        normal_events=normal_events,
        anomalous_events=anomalous_events,
        normal_worth=len(normal) / design_effect(normal, normal_events),
        anomalous_worth=len(anomalous) / design_effect(anomalous, anomalous_events),
    )


def _doubled_below(values: Array, of: Array) -> npt.NDArray[np.int64]:
    """Return, for each of some scores, twice the number of `values` below it; one of equal score counts once."""
    ordered = np.sort(values)
    found: npt.NDArray[np.int64] = np.searchsorted(ordered, of, side="left") + np.searchsorted(
        ordered, of, side="right"
    )
    return found


def degrees_of_freedom(variances: Sequence[float], counts: Sequence[int]) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances of so many events each; at least 2.

    Source:
        Brunner and Munzel 2000, for the AUC.
    """
    total = float(np.sum(variances))
    if not total > 0:
        return 2.0
    spread = sum(one**2 / (count - 1) for one, count in zip(variances, counts, strict=True) if count > 1)
    return max(total**2 / spread, 2.0)


@functools.cache
def _candidates() -> tuple[Array, Array, Array]:
    """Return areas from 0 to 1, close together at both ends, and both terms of the variance of each.

    With a the area, and q the chance that two anomalous clips both outscore one normal clip (that an anomalous clip
    outscores two normal ones is as likely), the variance of the Mann-Whitney statistic is

        (a (1 - a) + (n_normal + n_anomalous - 2) (q - a**2)) / (n_normal n_anomalous)

    Scores of both classes are normal and of one variance. Then the two differences of scores are normal with the
    correlation 1/2, so that q is their bivariate normal integral to h = ndtri(a): q = a - 2 T(h, sqrt(1/3)), with
    Owen's T.

    Source:
        Bamber 1975 for the variance; Owen 1956 for T.
    """
    from scipy.special import ndtr, owens_t  # noqa: PLC0415

    h = np.linspace(-7, 7, _N_CANDIDATES)
    areas = ndtr(h)
    areas[[0, -1]] = 0, 1
    both = areas - 2 * owens_t(h, np.sqrt(1 / 3))
    return areas, areas * (1 - areas), np.maximum(both - areas**2, 0)


def model_variances(n_normal: float, n_anomalous: float) -> tuple[Array, Array]:
    """Return areas from 0 to 1, and the variance of the AUC of so many clips if each of them is the truth."""
    areas, of_pair, of_shared = _candidates()
    return areas, (of_pair + (n_normal + n_anomalous - 2) * of_shared) / (n_normal * n_anomalous)


def auc_interval(placements: Placements | None) -> Interval:
    """Return the AUC with its interval: all areas a for which (AUC - a)**2 <= q**2 k V(a).

    V is the variance by the model, at a and not at the estimate, so that an AUC of 1 has an interval (as Wilson's of a
    share). k is how much larger than the model's the variance is that the clips show (DeLong's, clustered by
    event); where it is smaller, it is believed in so far as several clips are in error, since a handful of errors shows
    too small a variance more often than not. q is Student's quantile where errors tell the variance, else the normal's.

    Source:
        Newcombe 2006, Statistics in Medicine 25, method 5, for the construction. His V is that of exponential scores,
        by which 100 and 100 clips with an AUC of 0.99 are covered in 99 % of tests, and few and many of different
        spread in 86 %; DeLong's on the logit scale covers 23 % near 1. See `benchmarks/README.md`.
    """
    if placements is None:
        return NO_VALUE
    area = placements.area
    candidates, variances = model_variances(placements.normal_worth, placements.anomalous_worth)
    width = placements.quantile * np.sqrt(variance_ratio(placements) * variances)
    # Both grow with the candidate: what is left of the estimate on one side, and what it exceeds on the other.
    excess = candidates - area
    low = _crossing(candidates, excess + width, from_below=True)
    high = _crossing(candidates, excess - width, from_below=False)
    return Interval(
        value=area,
        low=0.0 if area == 0 else min(low, area),
        high=1.0 if area == 1 else max(high, area),
    )


def _crossing(candidates: Array, excess: Array, *, from_below: bool) -> float:
    """Return the first candidate whose excess reaches 0, or the last one before it is above 0."""
    place = int(np.argmax(excess >= 0)) if from_below else len(excess) - int(np.argmax(excess[::-1] <= 0))
    if not 0 < place < len(excess):
        return float(candidates[min(place, len(excess) - 1)])
    below, above = excess[place - 1], excess[place]
    share = 0.0 if above == below else -below / (above - below)
    return float(candidates[place - 1] + share * (candidates[place] - candidates[place - 1]))


def variance_ratio(placements: Placements) -> float:
    """Return k of `auc_interval`."""
    shown = sum(placements.variances)
    candidates, variances = model_variances(placements.normal_worth, placements.anomalous_worth)
    model = float(np.interp(placements.area, candidates, variances))
    if not np.isfinite(shown) or not 0 < placements.area < 1 or model <= _LEAST_VARIANCE:
        return 1.0
    ratio = shown / model
    trust = placements.n_in_error / (placements.n_in_error + _TRUSTED_FROM)
    return ratio if ratio > 1 else trust * ratio + 1 - trust


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The AUC of detector B minus that of A, on the same clips.

    Attributes:
        difference: With its interval.
        p_value: Of there being no difference, two-sided.
    """

    difference: Interval
    p_value: float


def paired_difference(labels: Labels, of_a: Array, of_b: Array, events: Names) -> PairedDifference:
    """Return the difference of two AUCs of the same clips.

    The p value is DeLong's test for paired AUCs, clustered by event, with Student's distribution in place of the
    normal. The interval joins those of the two AUCs, less what their correlation takes away, so that it holds near 1,
    where DeLong's own covers 74 %.

    Args:
        labels: 1 anomalous, 0 normal, shape (n_clips,).
        of_a: Scores of detector A.
        of_b: Scores of detector B.
        events: Of each clip.

    Source:
        DeLong, DeLong and Clarke-Pearson 1988; Obuchowski 1997; for the interval Zou 2007, Toward using confidence
        intervals to compare correlations.
    """
    a, b = placements_of(labels, of_a, events), placements_of(labels, of_b, events)
    if a is None or b is None:
        return PairedDifference(difference=NO_VALUE, p_value=float("nan"))
    found = b.area - a.area
    normal = clustered_variance(b.of_normal - a.of_normal, a.normal_events)
    anomalous = clustered_variance(b.of_anomalous - a.of_anomalous, a.anomalous_events)
    counts = (len(np.unique(a.normal_events)), len(np.unique(a.anomalous_events)))
    return PairedDifference(
        difference=_joined(found, a, b, normal + anomalous, is_same_order=_same_order(of_a, of_b)),
        p_value=_p_value(found, (normal, anomalous), counts),
    )


def _same_order(of_a: Array, of_b: Array) -> bool:
    ranks_a, ranks_b = (np.unique(one, return_inverse=True)[1] for one in (of_a, of_b))
    return bool(np.array_equal(ranks_a, ranks_b))


def _p_value(found: float, variances: tuple[float, float], counts: tuple[int, int]) -> float:
    from scipy.special import stdtr  # noqa: PLC0415

    total = sum(variances)
    if not total > _LEAST_VARIANCE**2:
        return 1.0  # one event in a class, or every clip stands alike in both: nothing is shown
    return float(2 * stdtr(degrees_of_freedom(variances, counts), -abs(found) / np.sqrt(total)))


def _joined(found: float, a: Placements, b: Placements, variance: float, *, is_same_order: bool) -> Interval:
    if is_same_order:
        return Interval(value=0.0, low=0.0, high=0.0)
    of_a, of_b = auc_interval(a), auc_interval(b)
    variance_a, variance_b = sum(a.variances), sum(b.variances)
    scale = np.sqrt(variance_a * variance_b)
    correlation = (variance_a + variance_b - variance) / 2 / scale if scale > 0 else 0.0
    correlation = float(np.clip(correlation, -1, 1)) if np.isfinite(correlation) else 0.0
    down = _distance(of_b.value - of_b.low, of_a.high - of_a.value, correlation)
    up = _distance(of_b.high - of_b.value, of_a.value - of_a.low, correlation)
    return Interval(value=found, low=max(found - down, -1.0), high=min(found + up, 1.0))


def _distance(one: float, other: float, correlation: float) -> float:
    return float(np.sqrt(max(one**2 + other**2 - 2 * correlation * one * other, 0.0)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for how many there are, in the given order; NaN stays and does not count.

    The i-th smallest of n, from 0, becomes the largest of (n - j) * p_j for j up to i, at most 1. The chance of one or
    more false alarms in the table is then at most the level, whatever the rows have in common.

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    given = np.asarray(p_values, dtype=np.float64)
    found = np.full(len(given), np.nan)
    counted = np.flatnonzero(~np.isnan(given))
    order = counted[np.argsort(given[counted], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(factors * given[order]), 1.0)
    return [float(one) for one in found]
