"""Intervals of shares, and of figures computed from other figures; the units of sampling are events, not clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Names = npt.NDArray[np.str_]

COVERAGE = 0.95
"""How often an interval holds the true value. `benchmarks/interval_coverage.py` measures it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval; all three are NaN where the figure has no value.

    Attributes:
        value: Of the clips as they are.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "-"
        value, low, high = (f"{round(one, 3) + 0.0:.3f}" for one in (self.value, self.low, self.high))  # no -0.000
        return f"{value} [{low}, {high}]"

    @property
    def as_percent(self) -> str:
        """The same of a share, as whole percent."""
        if not np.isfinite(self.value):
            return "-"
        return f"{self.value:.0%} [{100 * self.low:.0f}, {100 * self.high:.0f}]"

    @property
    def mirrored(self) -> Interval:
        """One minus it: the AUC of the opposite scores."""
        return Interval(value=1 - self.value, low=1 - self.high, high=1 - self.low)

    def changed(self, function: Callable[[float], float]) -> Interval:
        """Return the interval of a growing function of the figure."""
        return Interval(value=function(self.value), low=function(self.low), high=function(self.high))


NO_VALUE = Interval(value=float("nan"), low=float("nan"), high=float("nan"))


def normal_quantile() -> float:
    """Return the number of standard deviations to either side that hold `COVERAGE` of a normal distribution."""
    from scipy.special import ndtri  # noqa: PLC0415

    return float(ndtri((1 + COVERAGE) / 2))


def clustered_variance(values: Array, events: Names) -> float:
    """Return the variance of the mean of values, of which those of one event may go together.

    With M values in I events, and s_i the sum of the m_i deviations from the mean in event i, it is
    I / (I - 1) * sum(s_i**2) / M**2. With one value an event that is the usual s**2 / M.

    Returns:
        The variance; NaN with fewer than two events.

    Source:
        Obuchowski 1997, Nonparametric analysis of clustered ROC curve data, Biometrics 53: the terms S10 and S01.
        No event has clips of both classes, so her term S11 is 0.
    """
    names, event_of = np.unique(events, return_inverse=True)
    if len(names) < 2:
        return float("nan")
    sums = np.bincount(event_of, weights=values - values.mean())
    return float(len(names) / (len(names) - 1) * np.sum(sums**2) / len(values) ** 2)


def design_effect(values: Array, events: Names) -> float:
    """Return how many clips of these events carry as much information as one clip of a separate event.

    It is 1 + (m - 1) * r, with m the mean size of an event, weighted by size, and r the intraclass correlation of the
    ranks of the values (analysis of variance), at least 0. With one clip an event it is 1; where all clips of an event
    have one value it is m.

    Source:
        Kish 1965, Survey sampling; Donner and Klar 2000, for the estimate of r with events of different sizes.
    """
    names, event_of = np.unique(events, return_inverse=True)
    sizes = np.bincount(event_of)
    n, n_events = len(values), len(names)
    mean_size = float(np.sum(sizes**2) / n)
    if n_events == n:
        return 1.0
    if n_events < 2:
        return mean_size
    ranks = _midranks(values)
    means = np.bincount(event_of, weights=ranks) / sizes
    between = float(np.sum(sizes * (means - ranks.mean()) ** 2) / (n_events - 1))
    within = float(np.sum((ranks - means[event_of]) ** 2) / (n - n_events))
    typical_size = (n - mean_size) / (n_events - 1)
    total = between + (typical_size - 1) * within
    correlation = 1.0 if total <= 0 else min(max((between - within) / total, 0.0), 1.0)
    return 1 + (mean_size - 1) * correlation


def _midranks(values: Array) -> Array:
    """Return ranks, equal values sharing the mean of theirs; infinite values have ranks, too."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return found


def share_interval(is_in: npt.NDArray[np.bool_], events: Names) -> Interval:
    """Return the share of clips that are in, with Wilson's interval for as many independent clips as they are worth.

    n clips are worth n / d, where d is how much the variance of the share exceeds that of independent clips,
    between 1 and the mean size of an event. Where none or all are in, they are worth as many as there are events.

    Source:
        Wilson 1927. The effective number of clips: Korn and Graubard 1998, Survey Methodology 24.
    """
    n = len(is_in)
    if not n:
        return NO_VALUE
    share, n_events = float(np.mean(is_in)), len(np.unique(events))
    spread = share * (1 - share) / n
    excess = n / n_events
    if spread > 0 and n_events > 1:
        excess = min(max(clustered_variance(is_in.astype(np.float64), events) / spread, 1.0), excess)
    worth = n / excess
    z2 = normal_quantile() ** 2
    middle = (share + z2 / worth / 2) / (1 + z2 / worth)
    half = float(np.sqrt(z2 * (share * (1 - share) + z2 / worth / 4) / worth)) / (1 + z2 / worth)
    return Interval(value=share, low=min(max(middle - half, 0.0), share), high=max(min(middle + half, 1.0), share))


def square_and_add(value: float, lowered: Sequence[float], raised: Sequence[float]) -> Interval:
    """Return the interval of a figure that grows with each of several independent figures.

    Args:
        value: The figure.
        lowered: The figure with one of the others at the end of its interval that lowers it, one after the other.
        raised: The same for the ends that raise it.

    Source:
        Newcombe 1998; Zou and Donner 2008, Construction of confidence limits about effect measures (MOVER).
    """
    if not np.isfinite([value, *lowered, *raised]).all():
        return NO_VALUE
    down = float(np.sqrt(np.sum((value - np.asarray(lowered)) ** 2)))
    up = float(np.sqrt(np.sum((np.asarray(raised) - value) ** 2)))
    return Interval(value=value, low=max(value - down, 0.0), high=min(value + up, 1.0))
