"""Where in a long recording the machine runs, from its short-term level against its own quiet level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.signal.levels import FULL_SCALE, SILENT_BELOW_DB
from toyadmos_datasets.units import Decibels, Hertz, Seconds

FRAME_S: Seconds = 0.1
"""Length of a frame whose level is looked at: several turns of a motor, and short against a start or a stop."""

QUIET_S: Seconds = 1.0
"""The quiet level is that of the quietest stretch of this length: one dip of a running machine is no rest."""

STEP_DB: Decibels = 20.0
"""How far at least the quiet level is below a level that lasts, in a recording with rests. ToyCar's motor rests
some 60 dB below its running level; a conveyor's hum wanders by a few dB, and passages lift it by ten."""

ON_SHARE, OFF_SHARE = 2 / 3, 1 / 3
"""How far up from the quiet level to the running one, in dB, a machine has begun to run, and has ceased to."""

SHORTEST_RUN_S: Seconds = 2.0
"""What is loud for less is a noise during a rest."""

SHORTEST_REST_S: Seconds = 1.0
"""What is quiet for less is a dip of a running machine."""

FLOOR_DB: Decibels = -120.0
"""Level that stands for digital silence."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """Where a machine runs.

    Attributes:
        runs: First sample and the one after the last of every run, shape (n_runs, 2).
        levels_db: Level of each frame of `FRAME_S`, dB re full scale, shape (n_frames,).
        quiet_db: Level of the quietest stretch.
        running_db: Level at which the machine runs, if it does.
        on_db: Level from which a rest is over; None for a recording of one level.
        off_db: Level below which a run is over; None for a recording of one level.
    """

    runs: npt.NDArray[np.int64]
    levels_db: npt.NDArray[np.float64]
    quiet_db: Decibels
    running_db: Decibels
    on_db: Decibels | None = None
    off_db: Decibels | None = None


def find_activity(samples: npt.NDArray[np.integer], rate_hz: Hertz) -> Activity:
    """Find where the machine runs.

    The quiet level Q is that of the quietest second, and S the highest level that no frame of some two seconds is
    below. If S - Q is under 20 dB the recording has one level: it is all running, or, if its median is under -60 dB
    re full scale, all at rest. Else the running level R is the median of the frames from S - 10 dB on; a run begins
    where a frame reaches Q + 2/3 (R - Q), and ends where one is below Q + 1/3 (R - Q); rests under 1 s are
    filled, runs under 2 s are dropped. Energies are sums of integers, so that every machine finds the same.

    Args:
        samples: Mono recording as integers, shape (n_samples,).
        rate_hz: Its rate.
    """
    frame_n = max(round(FRAME_S * rate_hz), 1)
    levels_db, smooth_db = _levels(samples, frame_n)
    if not len(levels_db):
        return Activity(runs=_runs(levels_db > 0, 1, 0), levels_db=levels_db, quiet_db=FLOOR_DB, running_db=FLOOR_DB)
    quiet_db = float(smooth_db.min())
    width = min(round(SHORTEST_RUN_S / FRAME_S), len(levels_db))
    lasting_db = float(np.lib.stride_tricks.sliding_window_view(levels_db, width).min(axis=1).max())
    is_of_two_levels = lasting_db - quiet_db >= STEP_DB
    running_db = float(np.median(levels_db[levels_db >= lasting_db - STEP_DB / 2] if is_of_two_levels else levels_db))
    if not is_of_two_levels:
        is_running = np.full(len(levels_db), running_db >= SILENT_BELOW_DB)
        runs = _runs(is_running, frame_n, len(samples))
        return Activity(runs=runs, levels_db=levels_db, quiet_db=quiet_db, running_db=running_db)
    on_db, off_db = (quiet_db + share * (running_db - quiet_db) for share in (ON_SHARE, OFF_SHARE))
    is_running = _between(levels_db, on_db, off_db)
    is_running = ~_without_short(~is_running, round(SHORTEST_REST_S / FRAME_S))
    is_running = _without_short(is_running, round(SHORTEST_RUN_S / FRAME_S))
    return Activity(
        runs=_runs(is_running, frame_n, len(samples)),
        levels_db=levels_db,
        quiet_db=quiet_db,
        running_db=running_db,
        on_db=on_db,
        off_db=off_db,
    )


def _levels(samples: npt.NDArray[np.integer], frame_n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the level of each whole frame, and of each stretch of `QUIET_S` from a frame on."""
    n_frames = len(samples) // frame_n
    energies = np.empty(n_frames, dtype=np.int64)
    for number in range(n_frames):  # frame by frame, so that ten minutes need no more memory than one
        frame = samples[number * frame_n : (number + 1) * frame_n].astype(np.int64)
        energies[number] = np.dot(frame, frame)
    width = max(min(round(QUIET_S / FRAME_S), n_frames), 1)
    sums = np.concatenate([[0], energies.cumsum()])
    return _to_db(energies, frame_n), _to_db(sums[width:] - sums[:-width], frame_n * width)


def _to_db(energies: npt.NDArray[np.int64], n_samples: int) -> npt.NDArray[np.float64]:
    powers = energies / (float(n_samples) * FULL_SCALE**2)
    return 10 * np.log10(np.maximum(powers, 10 ** (FLOOR_DB / 10)))


def _between(levels_db: npt.NDArray[np.float64], on_db: Decibels, off_db: Decibels) -> npt.NDArray[np.bool_]:
    """Return the state of each frame; between the two levels the one before goes on, at the start the one to come."""
    decided = np.flatnonzero((levels_db >= on_db) | (levels_db < off_db))
    last = np.searchsorted(decided, np.arange(len(levels_db)), side="right") - 1
    state: npt.NDArray[np.bool_] = levels_db[decided[np.maximum(last, 0)]] >= on_db
    return state


def _without_short(is_so: npt.NDArray[np.bool_], shortest: int) -> npt.NDArray[np.bool_]:
    """Unmark the stretches that are shorter than so many frames, but for those at either end."""
    bounds = _bounds(is_so)
    is_short = (bounds[:, 1] - bounds[:, 0] < shortest) & (bounds[:, 0] > 0) & (bounds[:, 1] < len(is_so))
    cleared = is_so.copy()
    for first, end in bounds[is_short]:
        cleared[first:end] = False
    return cleared


def _runs(is_running: npt.NDArray[np.bool_], frame_n: int, n_samples: int) -> npt.NDArray[np.int64]:
    """Return the bounds of runs in samples; one that lasts to the last frame lasts to the end."""
    bounds = _bounds(is_running)
    runs = bounds * frame_n
    runs[bounds == len(is_running)] = n_samples
    return runs


def _bounds(is_so: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the first place and the one after the last of every stretch of True, shape (n, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_so, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int64)
