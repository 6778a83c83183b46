"""Windows of continuous recordings, laid where the machine runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.planning.events import Numbers
from toyadmos_datasets.planning.split_layout import Scope


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Windows of events.

    Attributes:
        targets: Event of each window, ascending.
        starts: Where in its recordings each begins, samples at 48 kHz, ascending within an event.
        active_share: Share of the recordings' time in which the machine runs.
        is_upper_bound: Whether activity is unknown, so that the whole of every recording counts.
    """

    targets: Numbers
    starts: Numbers
    active_share: float
    is_upper_bound: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Runs:
    """Stretches of events in which the machine runs: places of the events, first and last samples at 48 kHz."""

    event: Numbers
    start: Numbers
    stop: Numbers


def windows_of(scope: Scope, events: Numbers, *, window: int, hop: int) -> Windows:
    """Lay windows into each run of the machine, from the run's beginning on, as many as fit.

    Args:
        scope: What is planned.
        events: Continuous recordings' events, ascending.
        window: Length, samples at 48 kHz.
        hop: From one window to the next, samples at 48 kHz.
    """
    runs = _whole(scope, events) if scope.activity is None else _common(scope, events, scope.activity)
    length = runs.stop - runs.start
    counts = np.where(length >= window, (length - window) // hop + 1, 0)
    number = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    total = int(scope.events.n_samples[events].sum())
    return Windows(
        targets=np.repeat(runs.event, counts),
        starts=np.repeat(runs.start, counts) + number * hop,
        active_share=float(length.sum()) / total if total else 0.0,
        is_upper_bound=scope.activity is None,
    )


def _whole(scope: Scope, events: Numbers) -> _Runs:
    return _Runs(event=events, start=np.zeros(len(events), dtype=np.int64), stop=scope.events.n_samples[events])


def _common(scope: Scope, events: Numbers, activity: pa.Table) -> _Runs:
    """Return the stretches in which the machine runs on every microphone that is used.

    Each beginning counts one more running microphone, each end one less; the stretches are where all count.
    """
    microphones = [channel - 1 for channel in scope.channels.needed]
    used = scope.events.recordings[events][:, microphones]
    event_of = np.full(len(scope.events.recording_id) + 1, -1, dtype=np.int64)
    event_of[used.ravel()] = np.repeat(events, len(microphones))
    event_of[-1] = -1  # what `ABSENT` points at
    place = pc.index_in(activity["recording_id"], value_set=scope.events.recording_id).combine_chunks()
    event = event_of[place.fill_null(len(event_of) - 1).to_numpy()]
    is_used = event >= 0
    n = int(is_used.sum())
    bounds = np.concatenate([activity[name].to_numpy()[is_used] for name in ("start", "stop")])
    change = np.repeat([1, -1], n)
    order = np.lexsort((-change, bounds, np.tile(event[is_used], 2)))
    bounds, change, event = bounds[order], change[order], np.tile(event[is_used], 2)[order]
    running = change.cumsum()
    needed = _needed(used)[np.searchsorted(events, event)] if len(event) else running
    begins = np.flatnonzero((running == needed) & (change == 1))
    return _Runs(event=event[begins], start=bounds[begins], stop=bounds[begins + 1])


def _needed(used: Numbers) -> npt.NDArray[np.int64]:
    """Return how many of the microphones of each event there are."""
    counts: npt.NDArray[np.int64] = (used >= 0).sum(axis=1)
    return counts
