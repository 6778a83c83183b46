"""Stretches of recordings as columns, and the loudness of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.engine import Engine, LazyTasks, Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError, PlanError
from toyadmos_datasets.rendering.clip_memory import Scratch
from toyadmos_datasets.rendering.mixing_rules import MixingRules
from toyadmos_datasets.signal.levels import active_frames, energies_of, frame_energies
from toyadmos_datasets.signal.mixing import Stem
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.recording_store import RecordingReader, needed_to_read


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of every example.

    Attributes:
        targets: The target of each example.
        noisy: Which examples have noise, shape (n_noisy,).
        noises: The noise of each of these.
    """

    targets: Stretches
    noisy: Numbers
    noises: Stretches

    def of_noisy(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Spread values of the noises over all examples, NaN where there is no noise."""
        spread = np.full(len(self.targets), np.nan)
        spread[self.noisy] = values
        return spread


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64, NaN where it is null."""
    return column.cast(pa.float64()).to_numpy()  # type: ignore[no-any-return]  # pyarrow has no annotations


def place(examples: pa.Table, catalogue: pa.Table, rules: MixingRules) -> Parts:
    """Find where targets and noises lie, in samples of the output.

    Raises:
        DatasetError: A recording is not in the store.
        PlanError: A window or a clip does not fit its recordings.
    """
    lengths = catalogue["n_samples"].to_numpy()
    of_targets = recording_numbers(examples["recording_ids"], catalogue)
    whole = shortest(of_targets, lengths)
    windows = [floats(examples[name]) for name in ("target_start", "target_length")]
    is_window = ~np.isnan(windows[0])
    start, length = (np.nan_to_num(one).astype(np.int64) * rules.rate_hz // CORPUS_RATE_HZ for one in windows)
    targets = stretches_of(of_targets, start, np.where(is_window, length, whole))
    _require_windows_inside(targets, whole, examples)
    of_noises = recording_numbers(examples["noise_recording_ids"], catalogue)
    noisy = np.flatnonzero((of_noises >= 0).any(axis=1))
    n_samples, n_noise = targets.n_samples[noisy], shortest(of_noises[noisy], lengths)
    _require_long_noise(noisy, n_samples, n_noise, examples)
    position = floats(examples["noise_position"])[noisy]
    noise_start = np.floor(position * (n_noise - n_samples + 1)).astype(np.int64)
    noises = stretches_of(of_noises[noisy], noise_start, n_samples)
    if rules.snr_reference == "active":
        noises = noises.while_running(targets[noisy])
    return Parts(targets=targets, noisy=noisy, noises=noises)


def _require_windows_inside(targets: Stretches, whole: Numbers, examples: pa.Table) -> None:
    outside = np.flatnonzero(targets.start + targets.n_samples > whole)
    if len(outside):
        row = outside[0]
        raise PlanError(
            "A window reaches past the end of its recording.",
            where=_first(examples["recording_ids"], row),
            expected=f"at most {whole[row]} samples",
            actual=f"{targets.n_samples[row]} samples from {targets.start[row]} on",
            remedy="Make the recipe from the source that it is rendered from.",
        )


def _require_long_noise(noisy: Numbers, n_samples: Numbers, n_noise: Numbers, examples: pa.Table) -> None:
    short = np.flatnonzero(n_noise < n_samples)
    if len(short):
        one = short[0]
        row = noisy[one]
        raise PlanError(
            "A noise recording is shorter than the clip it is mixed with.",
            where=_first(examples["noise_recording_ids"], row),
            expected=f"at least {n_samples[one]} samples, as long as {_first(examples['recording_ids'], row)}",
            actual=f"{n_noise[one]} samples",
            remedy="Use longer noise recordings, or prepare without noise: --protocol basic",
        )


def _first(lists: pa.ChunkedArray, row: int) -> str:
    return str(lists[int(row)][0].as_py())


STRETCHES_A_TASK = 1000

NO_RECORDING = -1
"""Fills a row of recordings up to the length of the longest."""

Numbers = npt.NDArray[np.int64]
Decibel = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Stretches of some recordings together, an element of every column each.

    Attributes:
        recordings: Rows of the catalogue, `NO_RECORDING` after the last, shape (n_stretches, most_recordings).
        start: First sample, shape (n_stretches,).
        n_samples: Length, shape (n_stretches,).
        machines: The recordings whose activity decides which frames are active, as `recordings`; none where
            the stretch's own does.
        machine_start: Where in these it begins, shape (n_stretches,).
    """

    recordings: Numbers
    start: Numbers
    n_samples: Numbers
    machines: Numbers
    machine_start: Numbers

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: Numbers) -> Stretches:
        return Stretches(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def __add__(self, other: Stretches) -> Stretches:
        """Return the stretches of both."""
        pairs = {one.name: (getattr(self, one.name), getattr(other, one.name)) for one in fields(self)}
        return Stretches(**{name: np.concatenate(_widened(pair)) for name, pair in pairs.items()})

    def while_running(self, machines: Stretches) -> Stretches:
        """Return the same stretches with others, as long as they are, that decide which frames are active."""
        return replace(self, machines=machines.recordings, machine_start=machines.start)

    def distinct(self) -> tuple[Stretches, Numbers]:
        """Return each stretch once, ordered by recordings and start, and which of them every one is."""
        columns = [*self.recordings.T, self.start, self.n_samples, *self.machines.T, self.machine_start]
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
        active_level_db: The same over the active frames.
        peak: Largest magnitude, full scale 1.
    """

    level_db: Decibel
    active_level_db: Decibel
    peak: Decibel

    def __getitem__(self, chosen: Numbers) -> StretchLevels:
        return StretchLevels(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def compared_db(self, rules: MixingRules) -> Decibel:
        """Return the levels that an SNR compares, dB re full scale."""
        return self.active_level_db if rules.snr_reference == "active" else self.level_db


def stretches_of(recordings: Numbers, start: Numbers, n_samples: Numbers) -> Stretches:
    """Make stretches whose own activity decides which frames are active."""
    return Stretches(
        recordings=recordings,
        start=start,
        n_samples=n_samples,
        machines=np.empty((len(start), 0), dtype=np.int64),
        machine_start=np.zeros_like(start),
    )


def _widened(columns: Sequence[Numbers]) -> list[Numbers]:
    if columns[0].ndim == 1:
        return list(columns)
    width = max(one.shape[1] for one in columns)
    return [np.pad(one, ((0, 0), (0, width - one.shape[1])), constant_values=NO_RECORDING) for one in columns]


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
    stretches: Stretches,
    catalogue: pa.Table,
    rules: MixingRules,
    *,
    workers: int,
    engine: Engine | None = None,
    progress: Progress,
) -> StretchLevels:
    """Measure stretches, each distinct one once; whole recordings were measured when they were ingested."""
    distinct, which = stretches.distinct()
    columns = [catalogue[one.name].to_numpy() for one in fields(StretchLevels)]
    levels = np.stack(columns, axis=1)[distinct.recordings[:, 0]]
    unknown = np.flatnonzero(~_are_whole_recordings(distinct, catalogue) | bool(rules.weighting))

    def measuring(number: int) -> _Measuring:
        """Make one task, when its turn comes."""
        places = unknown[number * STRETCHES_A_TASK : (number + 1) * STRETCHES_A_TASK]
        return _measuring(distinct, places, catalogue, rules)

    tasks = LazyTasks(-(-len(unknown) // STRETCHES_A_TASK), measuring)
    with progress.stage("Measuring levels", len(unknown), "stretches") as on_progress:
        for places, measured in run_tasks(_measure, tasks, workers=workers, engine=engine, on_progress=on_progress):
            levels[places] = measured
    return StretchLevels(**dict(zip((one.name for one in fields(StretchLevels)), levels.T, strict=True)))[which]


def _are_whole_recordings(stretches: Stretches, catalogue: pa.Table) -> npt.NDArray[np.bool_]:
    lengths: npt.NDArray[np.int64] = catalogue["n_samples"].to_numpy()
    others = np.concatenate([stretches.recordings[:, 1:], stretches.machines], axis=1)
    is_alone = (others == NO_RECORDING).all(axis=1)
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
        rules: How recordings are put together and measured.
    """

    places: Numbers
    stretches: Stretches
    catalogue: pa.Table
    rules: MixingRules


def _measuring(stretches: Stretches, places: Numbers, catalogue: pa.Table, rules: MixingRules) -> _Measuring:
    some = stretches[places]
    numbers = np.concatenate([some.recordings, some.machines], axis=1)
    needed = np.unique(numbers[numbers != NO_RECORDING])

    def among_needed(rows: Numbers) -> Numbers:
        """Turn rows of the catalogue into rows of what of it is needed."""
        return np.where(rows == NO_RECORDING, NO_RECORDING, np.searchsorted(needed, rows))

    return _Measuring(
        places=places,
        stretches=replace(some, recordings=among_needed(some.recordings), machines=among_needed(some.machines)),
        catalogue=needed_to_read(catalogue.take(needed)),
        rules=rules,
    )


def _measure(task: _Measuring, watch: Watch) -> tuple[Numbers, Decibel]:
    reader = RecordingReader(task.catalogue)
    ids = np.array(task.catalogue["recording_id"].to_pylist(), dtype=object)
    some, rules = task.stretches, task.rules
    measured = np.empty((len(some), len(fields(StretchLevels))))
    scratch = Scratch()
    for row, (recordings, start, n_samples, machines, machine_start) in enumerate(
        zip(*(getattr(some, one.name) for one in fields(some)), strict=True)
    ):
        names, of_machines = (ids[numbers[numbers != NO_RECORDING]] for numbers in (recordings, machines))
        watch.advance(1, at=names[0])
        stem = rules.stem(reader, names, start, n_samples)
        machine = rules.stem(reader, of_machines, machine_start, n_samples) if len(of_machines) else None
        measured[row] = _levels(stem, machine, rules, scratch)
    return task.places, measured


def _levels(stem: Stem, machine: Stem | None, rules: MixingRules, scratch: Scratch) -> tuple[Decibels, Decibels, float]:
    """Return the level, the level over the frames in which the machine is active, and the peak.

    Without a machine, the sound's own activity counts.
    """
    floats = stem.with_floats(scratch.floats(0, stem.total.size)).floats
    energies = energies_of(stem.total, rules.rate_hz, rules.weighting, floats=floats)
    by_frame = energies.by_frame
    if machine is not None:
        floats = machine.with_floats(scratch.floats(0, machine.total.size)).floats
        by_frame = frame_energies(machine.total, rules.rate_hz, floats=floats)
    elif rules.weighting is not None:
        by_frame = frame_energies(stem.total, rules.rate_hz, floats=floats)
    active = active_frames(by_frame)
    peak = max(-int(stem.total.min()), int(stem.total.max())) / stem.full_scale
    return energies.level_db(stem.full_scale), energies.level_over_db(active, stem.full_scale), peak
