"""A user's table of examples: read strictly, and its recordings found in the index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from toyadmos_datasets.errors import DatasetError, PlanError
from toyadmos_datasets.planning.events import ABSENT, Events, Numbers
from toyadmos_datasets.values.parquet_files import open_in_own_memory, read_parquet
from toyadmos_datasets.values.recipe import FILE_SCHEMA, HEADER_KEY, IS_EXCLUDED, RECIPE_SCHEMA, Recipe, read_recipe
from toyadmos_datasets.values.recipe_rows import RowFault, fault_of_rows
from toyadmos_datasets.values.shared_recipe import is_shared_recipe, read_shared_recipe

SIDE_COLUMNS = ("config", "split")


def check_rows(own: CustomTable) -> None:
    """Raise unless each row is valid by itself, and its target, noise and window are in the source.

    Raises:
        PlanError: It names the first row that breaks a rule.
    """
    _check_one_event(own, own.targets, "recording_ids")
    own.refuse_fault(fault_of_rows(own.table, FILE_SCHEMA))
    _check_targets(own)
    _check_noise(own)
    _check_window(own)


def require_disjoint_splits(own: CustomTable, whole: pa.Table, *, is_noise_shared: bool) -> None:
    """Raise where an event, a noise recording or a sound is in two splits of a config, or an example stands twice."""
    config, split = _codes(whole)
    start, draw, channel = (
        pc.fill_null(whole[name], 0).to_numpy(zero_copy_only=False) for name in ("target_start", "draw", "channel")
    )
    key = np.stack([config, split, own.event, start, draw, channel]).astype(np.int64)
    order = np.lexsort(key)
    same = np.zeros(len(order), dtype=np.bool_)
    same[order[1:]] = (np.diff(key[:, order], axis=1) == 0).all(axis=0)
    own.refuse(same, "An example stands twice.", "another draw, window, channel or event", "the same as before")
    _require_one_side(own, "event", own.event, config, split)
    _require_sound_on_one_side(own, "recording_ids", own.event, config, split)
    if not is_noise_shared:
        _require_one_side(own, "noise recording", own.noise_event, config, split)
        _require_sound_on_one_side(own, "noise_recording_ids", own.noise_event, config, split)


def takes_in_several_splits(own: CustomTable, whole: pa.Table) -> list[str]:
    """Say which noise of one take number is in several splits of a config: the takes of cases may be one recording."""
    config, split = _codes(whole)
    noise = own.noise_event
    take = np.where(own.has_noise, own.events.take[noise], ABSENT)
    crossing = np.flatnonzero(_is_on_second_side(take, config, split))
    if not len(crossing):
        return []
    row = crossing[0]
    other = _row_on_another_side(take, row, config, split)
    names = " and ".join(sorted(own.events.name(noise[one]) for one in (row, other)))
    n = len(np.unique(take[crossing]))
    takes = "1 take" if n == 1 else f"{n} takes"
    return [f"The recipe has {takes} of noise in several splits (such as {names}): each may be one recording."]


def _codes(whole: pa.Table) -> tuple[Numbers, Numbers]:
    """Return config and split of each row as numbers."""
    config, split = (
        whole[name].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
        for name in SIDE_COLUMNS
    )
    return config, split


def _check_targets(own: CustomTable) -> None:
    is_noise = own.sounds_of(own.event) == "noise"
    own.refuse(is_noise, "A noise recording stands where a machine's belongs.", "normal or anomalous", "noise")


def _check_noise(own: CustomTable) -> None:
    _check_one_event(own, own.noise, "noise_recording_ids")
    noise = own.noise_event
    is_other = own.has_noise & (own.sounds_of(noise) != "noise")
    own.refuse(is_other, "What is mixed in is no noise recording.", "EnvironmentalNoise_CNT", "a machine's")
    is_noisy = np.isin(own.targets.row, np.flatnonzero(own.has_noise))  # with as many recordings as noise has
    differs = own.targets.channel[is_noisy] != own.noise.channel
    is_other = np.zeros(len(own.event), dtype=np.bool_)
    is_other[own.targets.row[is_noisy][differs]] = True
    own.refuse(is_other, "Noise is of another microphone than the target.", "the same, in order", "another")
    is_other = own.has_noise & ~own.events.may_serve(noise, own.events.case[own.event])
    own.refuse(is_other, "Noise is of another case than the target.", "the same case", "another")


def _check_window(own: CustomTable) -> None:
    start, length = own.column("target_start"), own.column("target_length")
    has_start = pc.is_valid(start).to_numpy(zero_copy_only=False)
    first, n = (
        pc.fill_null(start, 0).to_numpy(zero_copy_only=False),
        pc.fill_null(length, 1).to_numpy(zero_copy_only=False),
    )
    ends = own.events.n_samples[own.event]
    is_outside = has_start & (first > ends - n)
    own.refuse(is_outside, "A window is not within its recording.", pa.array(ends), "more samples at 48 kHz")


def _check_one_event(own: CustomTable, some: Recordings, column: str) -> None:
    strange = some.event != some.of_rows(some.event)[some.row]
    twice = np.zeros(len(strange), dtype=np.bool_)
    order = np.lexsort((some.channel, some.row))
    twice[order[1:]] = (np.diff(some.row[order]) == 0) & (np.diff(some.channel[order]) == 0)
    for marked, what in ((strange, "are of several events"), (twice, "name a microphone twice")):
        is_wrong = np.zeros(len(some.lengths), dtype=np.bool_)
        is_wrong[some.row[marked]] = True
        own.refuse(is_wrong, f"The recordings of one row {what}.", "one event, each microphone once", column)


def _require_one_side(own: CustomTable, what: str, numbers: Numbers, config: Numbers, split: Numbers) -> None:
    is_second = _is_on_second_side(numbers, config, split)
    if is_second.any():
        number = numbers[np.flatnonzero(is_second)[0]]
        remedy = "Leave it in one of them."
        if what != "event":
            remedy = "Draw from other noise recordings, or accept it: --shared-noise"
        own.refuse(
            is_second,
            f"One {what} is in several splits: {own.events.name(number)}.",
            "one split",
            _splits_of(own, numbers, is_second, config, split),
            remedy=remedy,
        )


def _require_sound_on_one_side(
    own: CustomTable, column: str, numbers: Numbers, config: Numbers, split: Numbers
) -> None:
    group = np.where(numbers == ABSENT, ABSENT, own.events.group[numbers])
    is_second = _is_on_second_side(group, config, split)
    if is_second.any():
        row = np.flatnonzero(is_second)[0]
        rows = sorted((int(row), _row_on_another_side(group, row, config, split)))
        first, second = (own.column(column)[one].as_py()[0] for one in rows)
        remedy = "Leave one of them out, or put both in one split."
        if column != "recording_ids":
            remedy = "Draw from other noise recordings, or accept it: --shared-noise"
        own.refuse(
            is_second,
            f"Two recordings with the same sound are in several splits: {first} and {second}.",
            "one split",
            _splits_of(own, group, is_second, config, split),
            remedy=remedy,
        )


def _is_on_second_side(numbers: Numbers, config: Numbers, split: Numbers) -> npt.NDArray[np.bool_]:
    """Mark rows whose number is in an earlier split of their config too."""
    order = np.lexsort((split, numbers, config))
    c, n, s = config[order], numbers[order], split[order]
    crosses = (np.diff(c) == 0) & (np.diff(n) == 0) & (np.diff(s) != 0) & (n[1:] != ABSENT)
    is_second = np.zeros(len(order), dtype=np.bool_)
    is_second[order[1:][crosses]] = True
    return is_second


def _row_on_another_side(numbers: Numbers, row: np.integer, config: Numbers, split: Numbers) -> int:
    """Return the first row of the same number and config in another split."""
    return int(np.flatnonzero((numbers == numbers[row]) & (config == config[row]) & (split != split[row]))[0])


def _splits_of(
    own: CustomTable, numbers: Numbers, is_second: npt.NDArray[np.bool_], config: Numbers, split: Numbers
) -> str:
    """Name the splits that have the number of the first marked row."""
    row = np.flatnonzero(is_second)[0]
    names = own.table["split"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    return ", ".join(names[one] for one in np.unique(split[(numbers == numbers[row]) & (config == config[row])]))


_MAGIC = b"PAR1"

REQUIRED = ("config", "split", "recording_ids")
"""Columns that nothing else tells."""

_REMEDY = "See docs/protocols.md for the columns, or look at a recipe.parquet that prepare wrote."


def read_examples(path: Path) -> Recipe | pa.Table:
    """Read a recipe, or a table that can become one.

    Args:
        path: Parquet, or CSV with a first line of names; lists have blanks between their words there.

    Returns:
        A recipe where a program has written one; else the columns that there are, with the types of
        `FILE_SCHEMA`, those of `REQUIRED` among them.

    Raises:
        DatasetError: The file cannot be read, or has a column that recipes have not, or one of another type.
    """
    if is_shared_recipe(path):
        return read_shared_recipe(path).recipe
    table = _read_table(path)
    if HEADER_KEY in (table.schema.metadata or {}):
        return read_recipe(path)
    known = ", ".join(FILE_SCHEMA.names)
    names = table.column_names
    strange = [name for name in names if name not in FILE_SCHEMA.names or names.count(name) > 1]
    if strange:
        raise _unreadable(path, f"columns of these, each once: {known}", f"a column {strange[0]!r}")
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        raise _unreadable(path, f"the columns {', '.join(REQUIRED)}", f"no column {absent[0]!r}")
    fields = [field for field in FILE_SCHEMA if field.name in names]
    return pa.table({field.name: _cast(path, table[field.name], field) for field in fields})


def _read_table(path: Path) -> pa.Table:
    unreadable = partial(_unreadable, path, "a table in Parquet or CSV (UTF-8)")
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                return read_parquet(path, unreadable)
        return _read_csv(open_in_own_memory(path))
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise unreadable(f"{type(error).__name__}: {error}") from error


def _read_csv(file: pa.BufferReader) -> pa.Table:
    """Read every column as text; what a text stands for is decided by the column's name."""
    head = pa_csv.open_csv(file).schema
    file.seek(0)
    kinds = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(head.names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    return pa_csv.read_csv(file, convert_options=kinds)


def _cast(path: Path, column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        if pa.types.is_list(field.type) and pa.types.is_string(column.type):
            column = pc.split_pattern(pc.fill_null(pc.utf8_trim_whitespace(column), ""), " ")
            column = pc.if_else(pc.equal(pc.list_element(column, 0), ""), pa.scalar([], pa.list_(pa.string())), column)
        cast = column.cast(field.type)
    except (pa.ArrowException, TypeError) as error:
        raise _unreadable(path, f"{field.type} in the column {field.name!r}", str(error).splitlines()[0]) from error
    if field.name == "noise_recording_ids" and cast.null_count:
        cast = pc.coalesce(cast, pa.scalar([], field.type))
    if not field.nullable and cast.null_count:
        raise _unreadable(path, f"a value in every row of the column {field.name!r}", f"{cast.null_count} rows without")
    return cast


def _unreadable(path: Path, expected: str, actual: str) -> DatasetError:
    return DatasetError(
        "This table cannot become a recipe.", where=path, expected=expected, actual=actual, remedy=_REMEDY
    )


Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recordings:
    """The recordings of a column of lists: of each, its row, event and channel."""

    row: Numbers
    event: Numbers
    channel: Numbers
    lengths: Numbers
    first: Numbers

    def of_rows(self, values: Numbers) -> Numbers:
        """Return what the first recording of each row has, or `ABSENT` for a row without."""
        padded = np.append(values, ABSENT)
        found: Numbers = np.where(self.lengths > 0, padded[np.minimum(self.first, len(values))], ABSENT)
        return found


class CustomTable:
    """The rows of a table that is to become a recipe.

    Args:
        table: As `read_examples` gives it, in one piece.
        events: Every event of the source.
        path: Where the table is from, for errors.

    Raises:
        PlanError: There is no row, or one names a recording that the source has not.
    """

    def __init__(self, *, table: pa.Table, events: Events, path: Path) -> None:
        self.table, self.events, self.path = table, events, path
        is_excluded = table.column_names.count(IS_EXCLUDED.name) and pc.all(table[IS_EXCLUDED.name]).as_py()
        if not len(table) or is_excluded:
            raise PlanError(
                "The recipe has no examples.",
                where=path,
                expected="a row for each example",
                actual="none",
                remedy="Write at least one row.",
            )
        self.targets = self._find("recording_ids")
        self.noise = self._find("noise_recording_ids")
        self.event = self.targets.of_rows(self.targets.event)
        self.has_noise = self.noise.lengths > 0

    @property
    def noise_event(self) -> Numbers:
        """Noise event of each row, `ABSENT` for a row without."""
        return self.noise.of_rows(self.noise.event)

    def sounds_of(self, numbers: Numbers) -> npt.NDArray[np.object_]:
        """Return ``normal``, ``anomalous`` or ``noise`` of each event."""
        sounds: npt.NDArray[np.object_] = self.events.sound.to_numpy(zero_copy_only=False)[numbers]
        return sounds

    def column(self, name: str) -> pa.ChunkedArray | pa.Array:
        """Return a column, all of it null where the table has none."""
        if name in self.table.column_names:
            return self.table[name].combine_chunks()
        return pa.nulls(len(self.table), RECIPE_SCHEMA.field(name).type)

    def refuse_fault(self, fault: RowFault | None) -> None:
        """Raise for a row that is invalid by itself."""
        if fault is not None:
            is_wrong = np.arange(fault.n_rows) == fault.row
            self.refuse(is_wrong, fault.what, fault.expected, fault.actual)

    def refuse(self, is_wrong: Bools, what: str, expected: Any, actual: Any, *, remedy: str = "") -> None:  # noqa: ANN401
        """Raise for the first row that is wrong; what is expected and there may be columns."""
        if not is_wrong.any():
            return
        row = int(np.flatnonzero(is_wrong)[0])
        shown = [one[row].as_py() if isinstance(one, pa.Array | pa.ChunkedArray) else one for one in (expected, actual)]
        raise PlanError(
            what,
            where=f"{self.path}, row {row + 1} of {len(is_wrong)}",
            expected=shown[0],
            actual=shown[1],
            remedy=remedy or "Mend the row; docs/protocols.md says what a recipe of your own has to keep.",
        )

    def _find(self, column: str) -> Recordings:
        lists = self.column(column)
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        flat = pc.list_flatten(lists)
        flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
        row = np.repeat(np.arange(len(lengths)), lengths)
        place = pc.index_in(flat, value_set=self.events.recording_id)
        is_unknown = np.zeros(len(lengths), dtype=np.bool_)
        unknown = np.flatnonzero(pc.is_null(place).to_numpy(zero_copy_only=False))
        is_unknown[row[unknown]] = True
        told = flat[int(unknown[0])].as_py() if len(unknown) else None
        self.refuse(is_unknown, "The source has no such recording.", "recordings of the source", told)
        event, channel = np.divmod(np.flatnonzero(self.events.recordings.ravel() != ABSENT), 4)
        by_place = self.events.recordings[event, channel].argsort()
        found = place.to_numpy(zero_copy_only=False).astype(np.int64)
        return Recordings(
            row=row,
            event=event[by_place][found],
            channel=channel[by_place][found] + 1,
            lengths=lengths,
            first=lengths.cumsum() - lengths,
        )
