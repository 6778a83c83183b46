"""How far a figure may be off: the bootstrap over events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.signal.randomness import derived_generator

Array = npt.NDArray[np.float64]

N_DRAWS = 1000
COVERAGE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its bootstrap percentile interval.

    Attributes:
        value: Of the clips as they are.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def event_weights(labels: npt.NDArray[np.int64], events: npt.NDArray[np.str_], *, seed: int = 0) -> Array:
    """Return how often each clip counts in each bootstrap draw, shape (N_DRAWS, n_clips).

    Events are drawn with replacement, not clips: the microphones of one take are no independent evidence.
    Normal and anomalous events are drawn apart, as many as there are.
    """
    weights = np.zeros((N_DRAWS, len(labels)))
    generator = derived_generator(seed, "bootstrap over events")
    for label in (0, 1):
        chosen = np.flatnonzero(labels == label)
        names, clip_of = np.unique(events[chosen], return_inverse=True)
        n = max(len(names), 1)
        counts = generator.multinomial(n, np.full(n, 1 / n), size=N_DRAWS)
        weights[:, chosen] = counts[:, clip_of]
    return weights


def weighted_aucs(labels: npt.NDArray[np.int64], scores: Array, weights: Array) -> Array:
    """Return the AUC of each draw, shape (n_draws,): ties count half, as in `metrics.auc`."""
    order = np.argsort(scores, kind="stable")
    ordered, is_anomalous = scores[order], labels[order] == 1
    begins = np.flatnonzero(np.append(True, np.diff(ordered) != 0))
    mine = weights[:, order]
    normal = np.add.reduceat(mine * ~is_anomalous, begins, axis=1)
    anomalous = np.add.reduceat(mine * is_anomalous, begins, axis=1)
    below = np.cumsum(normal, axis=1) - normal
    wins: Array = (anomalous * (below + normal / 2)).sum(axis=1)
    with np.errstate(invalid="ignore"):  # a group that a draw has nothing of has no AUC in it
        found: Array = wins / (normal.sum(axis=1) * anomalous.sum(axis=1))
    return found


def interval(value: float, draws: Array) -> Interval:
    """Return the percentile interval of a figure; draws that have none (a class drawn away) do not count."""
    found = draws[np.isfinite(draws)]
    low, high = np.quantile(found, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]) if len(found) else (np.nan, np.nan)
    return Interval(value=value, low=float(low), high=float(high))
