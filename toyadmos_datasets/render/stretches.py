"""Stretches of recordings as columns: which there are, and how loud each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.engine import LazyTasks, Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.signal.levels import FULL_SCALE, measure
from toyadmos_datasets.signal.mixing import sum_of
from toyadmos_datasets.units import Hertz
from toyadmos_datasets.values.recordings import RecordingReader, needed_to_read

STRETCHES_A_TASK = 1000

NO_RECORDING = -1
"""Fills a row of recordings up to the length of the longest."""

Numbers = npt.NDArray[np.int64]
Decibel = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Stretches of the mean of some recordings, an element of every column each.

    Attributes:
        recordings: Rows of the catalogue, `NO_RECORDING` after the last, shape (n_stretches, most_recordings).
        start: First sample, shape (n_stretches,).
        n_samples: Length, shape (n_stretches,).
    """

    recordings: Numbers
    start: Numbers
    n_samples: Numbers

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: Numbers | slice | npt.NDArray[np.bool_]) -> Stretches:
        return Stretches(recordings=self.recordings[chosen], start=self.start[chosen], n_samples=self.n_samples[chosen])

    def __add__(self, other: Stretches) -> Stretches:
        """Return the stretches of both."""
        width = max(one.recordings.shape[1] for one in (self, other))
        return Stretches(
            recordings=np.concatenate([_widened(one.recordings, width) for one in (self, other)]),
            start=np.concatenate([self.start, other.start]),
            n_samples=np.concatenate([self.n_samples, other.n_samples]),
        )

    def distinct(self) -> tuple[Stretches, Numbers]:
        """Return each stretch once, ordered by recordings and start, and which of them every one is."""
        columns = [*self.recordings.T, self.start, self.n_samples]
        codes = np.zeros(len(self), dtype=np.int64)
        for column in columns:  # two codes at a time become one, so that no row is ever compared as a whole
            values, column_codes = np.unique(column, return_inverse=True)
            _, codes = np.unique(codes * len(values) + column_codes, return_inverse=True)
        _, first = np.unique(codes, return_index=True)
        return self[first], codes


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchLevels:
    """How loud stretches are, an element of every column each.

    Attributes:
        level_db: RMS over all of it, dB re full scale; -inf for digital silence.
        active_level_db: The same over its active frames.
        peak: Largest magnitude, full scale 1.
    """

    level_db: Decibel
    active_level_db: Decibel
    peak: Decibel

    def __getitem__(self, chosen: Numbers) -> StretchLevels:
        return StretchLevels(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})


def _widened(recordings: Numbers, width: int) -> Numbers:
    return np.pad(recordings, ((0, 0), (0, width - recordings.shape[1])), constant_values=NO_RECORDING)


def recording_numbers(lists: pa.ChunkedArray, catalogue: pa.Table) -> Numbers:
    """Return the rows of the catalogue that lists of recording_ids stand for, as `Stretches.recordings`.

    Raises:
        DatasetError: A recording is not in the catalogue.
    """
    counts = pc.list_value_length(lists).to_numpy()
    ids = pc.list_flatten(lists)
    found = pc.index_in(ids, value_set=catalogue["recording_id"].combine_chunks())
    if found.null_count:
        raise DatasetError(
            "The recipe needs a recording that the store has not.",
            where=ids.filter(pc.is_null(found))[0].as_py(),
            expected="an ingested recording",
            actual="none",
            remedy="Prepare from a source that has it.",
        )
    numbers = np.full((len(counts), counts.max(initial=0)), NO_RECORDING, dtype=np.int64)
    numbers[np.arange(numbers.shape[1]) < counts[:, np.newaxis]] = found.to_numpy()
    return numbers


def shortest(recordings: Numbers, lengths: Numbers) -> Numbers:
    """Return the length of the shortest recording in each row, shape (n_rows,).

    The microphones of one take may differ by a few samples.
    """
    no_limit = np.iinfo(np.int64).max
    found: Numbers = np.where(recordings >= 0, lengths[recordings], no_limit).min(axis=1, initial=no_limit)
    return found


def measure_stretches(
    stretches: Stretches, catalogue: pa.Table, rate_hz: Hertz, *, workers: int, progress: Progress
) -> StretchLevels:
    """Measure stretches, each distinct one once; whole recordings were measured when they were ingested."""
    distinct, which = stretches.distinct()
    columns = [catalogue[one.name].to_numpy() for one in fields(StretchLevels)]
    levels = np.stack(columns, axis=1)[distinct.recordings[:, 0]]
    unknown = np.flatnonzero(~_are_whole_recordings(distinct, catalogue))
    measuring = LazyTasks(
        -(-len(unknown) // STRETCHES_A_TASK),
        lambda number: _measuring(
            distinct, unknown[number * STRETCHES_A_TASK : (number + 1) * STRETCHES_A_TASK], catalogue, rate_hz
        ),
    )
    with progress.stage("Measuring levels", len(unknown), "stretches") as on_progress:
        for places, measured in run_tasks(_measure, measuring, workers=workers, on_progress=on_progress):
            levels[places] = measured
    return StretchLevels(**dict(zip((one.name for one in fields(StretchLevels)), levels.T, strict=True)))[which]


def _are_whole_recordings(stretches: Stretches, catalogue: pa.Table) -> npt.NDArray[np.bool_]:
    lengths: Numbers = catalogue["n_samples"].to_numpy()
    is_alone = (stretches.recordings[:, 1:] == NO_RECORDING).all(axis=1)
    is_all = (stretches.start == 0) & (stretches.n_samples == lengths[stretches.recordings[:, 0]])
    both: npt.NDArray[np.bool_] = is_alone & is_all
    return both


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    """One task.

    Attributes:
        places: Where the measured levels belong.
        stretches: What is to be measured, by rows of `catalogue`.
        catalogue: The recordings that it takes to do so.
        rate_hz: Their rate.
    """

    places: Numbers
    stretches: Stretches
    catalogue: pa.Table
    rate_hz: Hertz


def _measuring(stretches: Stretches, places: Numbers, catalogue: pa.Table, rate_hz: Hertz) -> _Measuring:
    some = stretches[places]
    needed = np.unique(some.recordings[some.recordings >= 0])
    numbers = np.where(some.recordings >= 0, np.searchsorted(needed, some.recordings), NO_RECORDING)
    return _Measuring(
        places=places,
        stretches=Stretches(recordings=numbers, start=some.start, n_samples=some.n_samples),
        catalogue=needed_to_read(catalogue.take(needed)),
        rate_hz=rate_hz,
    )


def _measure(task: _Measuring, watch: Watch) -> tuple[Numbers, Decibel]:
    reader = RecordingReader(task.catalogue)
    ids: Sequence[str] = task.catalogue["recording_id"].to_pylist()
    some = task.stretches
    measured = np.empty((len(some), len(fields(StretchLevels))))
    for row, (numbers, start, n_samples) in enumerate(zip(some.recordings, some.start, some.n_samples, strict=True)):
        recordings = [ids[number] for number in numbers if number != NO_RECORDING]
        watch.advance(1, at=recordings[0])
        total = sum_of([reader.stretch(one, start, n_samples) for one in recordings])
        levels = measure(total, task.rate_hz, full_scale=FULL_SCALE * len(recordings))
        measured[row] = levels.level_db, levels.active_level_db, levels.peak
    return task.places, measured
