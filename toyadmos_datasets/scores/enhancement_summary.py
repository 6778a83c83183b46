"""A summary of the scores of noise reduction: means with intervals, over all clips and by group."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.scores.intervals import COVERAGE, NO_VALUE, Interval
from toyadmos_datasets.units import Decibels

Array = npt.NDArray[np.float64]

GROUPED_BY = ("snr_db", "case", "condition", "channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancementGroup:
    """Means over some clips.

    Attributes:
        by: What the clips share: ``snr_db``, ``case``, ``condition`` or ``channel``; ``all`` for all.
        name: Its value of that.
        n_clips: Clips.
        si_sdr_db: Of the estimates.
        si_sdr_improvement_db: Over the mixtures, with its interval.
        sdr_db: Of the estimates.
        sdr_improvement_db: Over the mixtures, with its interval.
        lsd_db: Log-spectral distance of the estimates.
        lsd_mixture_db: Of the mixtures.
    """

    by: str
    name: str
    n_clips: int
    si_sdr_db: Decibels
    si_sdr_improvement_db: Interval
    sdr_db: Decibels
    sdr_improvement_db: Interval
    lsd_db: Decibels
    lsd_mixture_db: Decibels


def summarise_enhancement(table: pa.Table) -> tuple[EnhancementGroup, ...]:
    """Return the means over all clips, then by each of `GROUPED_BY`.

    Args:
        table: A row a clip: ``event_id``, `GROUPED_BY`, and the fields of `EnhancementScore`.
    """
    every = np.ones(len(table), dtype=np.bool_)
    return (_group("all", "", table, every), *(_group(*one) for one in _selections(table)))


def _selections(table: pa.Table) -> Iterator[tuple[str, str, pa.Table, npt.NDArray[np.bool_]]]:
    for by in GROUPED_BY:
        values: list[Any] = table[by].to_pylist()
        for value in sorted({one for one in values if one is not None}):
            name = value if isinstance(value, str) else f"{value:g}"
            yield by, name, table, np.array([one == value for one in values])


def _group(by: str, name: str, table: pa.Table, chosen: npt.NDArray[np.bool_]) -> EnhancementGroup:
    events = np.array(table["event_id"].to_pylist(), dtype=np.str_)[chosen]

    def of(column: str) -> Array:
        """Return the chosen values of a column."""
        values: Array = table[column].to_numpy()[chosen]
        return values

    return EnhancementGroup(
        by=by,
        name=name,
        n_clips=int(chosen.sum()),
        si_sdr_db=_mean(of("si_sdr_db")),
        si_sdr_improvement_db=_mean_interval(of("si_sdr_db") - of("si_sdr_mixture_db"), events),
        sdr_db=_mean(of("sdr_db")),
        sdr_improvement_db=_mean_interval(of("sdr_db") - of("sdr_mixture_db"), events),
        lsd_db=_mean(of("lsd_db")),
        lsd_mixture_db=_mean(of("lsd_mixture_db")),
    )


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else math.nan


def _mean_interval(values: Array, events: npt.NDArray[np.str_]) -> Interval:
    """Return the mean with Student's interval over the means of events, which are the sampling units."""
    from scipy.special import stdtrit  # noqa: PLC0415

    if not len(values):
        return NO_VALUE
    _, event = np.unique(events, return_inverse=True)
    means = np.bincount(event, weights=values) / np.bincount(event)
    if len(means) < 2 or not np.isfinite(means).all():
        return Interval(value=float(values.mean()), low=-math.inf, high=math.inf)
    reach = float(stdtrit(len(means) - 1, (1 + COVERAGE) / 2) * means.std(ddof=1) / math.sqrt(len(means)))
    middle = float(means.mean())
    return Interval(value=middle, low=middle - reach, high=middle + reach)
