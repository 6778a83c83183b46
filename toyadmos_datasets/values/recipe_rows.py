"""The rules for a single row of any recipe, from any author, checked for all rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import MAX_TAKE, NORMAL
from toyadmos_datasets.corpus.toys import CHANNELS, TOYS
from toyadmos_datasets.files.safe_paths import unsafe_reason
from toyadmos_datasets.values.manifest import SIDE

Bools = npt.NDArray[np.bool_]

GAIN_LIMIT_DB = 100.0
MIXING = ("target_gain_db", "noise_gain_db", "snr_db", "noise_position")
"""Columns that say how loud a row's noise is, and where it begins."""

MAX_DRAWS = 1 << 20
MAX_WINDOW = 1 << 40
"""Samples; half a year at 48 kHz."""

_SPLIT = r"[A-Za-z_][A-Za-z0-9_]*"
"""What `datasets` takes for the name of a split."""

_ID = r"^[^/\\\x00-\x1f\x7f]{1,251}$"
"""With ``.wav`` behind it the name of a file."""

_KNOWN = {
    "label": ["normal", "anomalous"],
    "toy": [toy.name for toy in TOYS],
    "recording_type": ["IND", "CNT"],
    "condition": [NORMAL, *sorted({condition for toy in TOYS for condition in conditions_of(toy.name)})],
}
_RANGES = {
    "case": (1, max(max(toy.cases) for toy in TOYS)),
    "channel": (0, max(CHANNELS)),
    "take": (0, MAX_TAKE),
    "draw": (0, MAX_DRAWS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """The first row that breaks a rule.

    Attributes:
        row: Its number, from 0.
        n_rows: How many rows there are.
        what: The rule, as a sentence.
        expected: What the rule asks for.
        actual: What is there.
    """

    row: int
    n_rows: int
    what: str
    expected: str
    actual: object

    def __str__(self) -> str:
        return f"row {self.row + 1} of {self.n_rows}: {self.what} ({self.expected}, not {_shown(self.actual)})"


def fault_of_rows(table: pa.Table, schema: pa.Schema) -> RowFault | None:
    """Return the first fault in the rows of a recipe, or None.

    Args:
        table: Some or all columns of the schema, with the types that this has; valid for Arrow.
        schema: What a recipe's columns are.
    """
    return next(_faults(_Rows(table=table.combine_chunks(), schema=schema)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    table: pa.Table
    schema: pa.Schema

    def has(self, *names: str) -> bool:
        return set(names) <= set(self.table.column_names)

    def column(self, name: str) -> pa.Array:
        """Return a column in one piece, all of it null where the table has none."""
        if not self.has(name):
            return pa.nulls(len(self.table), self.schema.field(name).type)
        column = self.table[name].combine_chunks()
        return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column

    def is_there(self, name: str) -> Bools:
        return _bools(pc.is_valid(self.column(name)))

    def faults(self, is_wrong: Bools, what: str, expected: str, actual: pa.Array | str) -> Iterator[RowFault]:
        if is_wrong.any():
            row = int(np.flatnonzero(is_wrong)[0])
            shown = actual[row].as_py() if isinstance(actual, pa.Array) else actual
            yield RowFault(row=row, n_rows=len(self.table), what=what, expected=expected, actual=shown)


def _faults(rows: _Rows) -> Iterator[RowFault]:
    yield from _of_nulls(rows)
    yield from _of_sides(rows)
    yield from _of_known_words(rows)
    yield from _of_ranges(rows)
    yield from _of_recordings(rows)
    yield from _of_window(rows)
    yield from _of_mixing(rows)


def _of_nulls(rows: _Rows) -> Iterator[RowFault]:
    for name in rows.table.column_names:
        if not rows.schema.field(name).nullable:
            yield from rows.faults(~rows.is_there(name), f"The column {name!r} has no value.", "a value", "null")


def _of_sides(rows: _Rows) -> Iterator[RowFault]:
    for name, pattern in (("config", SIDE), ("split", _SPLIT)):
        if rows.has(name):
            column = rows.column(name)
            distinct = pc.unique(column)
            fits = _bools(pc.match_substring_regex(distinct, rf"\A(?:{pattern})\z"))
            usable = [_is_usable(one, name) and fit for one, fit in zip(distinct.to_pylist(), fits, strict=True)]
            is_wrong = ~_bools(pc.is_in(column, value_set=distinct.filter(pa.array(usable, pa.bool_()))))
            yield from rows.faults(is_wrong, f"This cannot be the name of a {name}.", "letters, digits and _", column)


def _is_usable(name: str, kind: str) -> bool:
    return unsafe_reason(name) is None and not (kind == "split" and name == "all")


def _of_known_words(rows: _Rows) -> Iterator[RowFault]:
    for name, known in _KNOWN.items():
        if rows.has(name):
            is_known = _bools(pc.is_in(rows.column(name), value_set=pa.array(known)))
            expected = ", ".join(known[:4]) + (" .." if len(known) > 4 else "")
            yield from rows.faults(~is_known, f"The column {name!r} has an unknown word.", expected, rows.column(name))


def _of_ranges(rows: _Rows) -> Iterator[RowFault]:
    for name, (least, most) in _RANGES.items():
        if rows.has(name):
            values = rows.column(name).to_numpy(zero_copy_only=False)
            is_wrong = (values < least) | (values > most)
            expected = f"{least} to {most}"
            yield from rows.faults(is_wrong, f"The column {name!r} is out of bounds.", expected, rows.column(name))


def _of_recordings(rows: _Rows) -> Iterator[RowFault]:
    if rows.has("event_id"):
        is_name = _bools(pc.match_substring_regex(rows.column("event_id"), _ID))
        yield from rows.faults(~is_name, "This cannot be the name of an event.", "words", rows.column("event_id"))
    for name in ("recording_ids", "noise_recording_ids"):
        if not rows.has(name):
            continue
        lists = rows.column(name)
        lengths = _lengths(lists)
        least = 1 if name == "recording_ids" else 0
        what = "An example has no recording." if least else ""
        yield from rows.faults(lengths < least, what, name, "none")
        yield from rows.faults(
            lengths > len(CHANNELS), f"A row of {name!r} is too long.", f"at most {len(CHANNELS)}", "more"
        )
        ids = lists.flatten()
        is_name = _bools(pc.fill_null(pc.match_substring_regex(ids, _ID), False))
        row = np.repeat(np.arange(len(lengths)), lengths)
        is_wrong = np.zeros(len(lengths), dtype=np.bool_)
        is_wrong[row[~is_name]] = True
        yield from rows.faults(is_wrong, "This cannot be the name of a recording.", "a file's name", lists)


def _of_window(rows: _Rows) -> Iterator[RowFault]:
    has_start, has_length = rows.is_there("target_start"), rows.is_there("target_length")
    yield from rows.faults(
        has_start != has_length, "A window has a start or a length alone.", "both, or neither", "one"
    )
    start, length = (_filled(rows.column(name), 1) for name in ("target_start", "target_length"))
    is_outside = (start < 0) | (length < 1) | (start > MAX_WINDOW) | (length > MAX_WINDOW)
    expected = "a start from 0 on, a length from 1 on"
    yield from rows.faults(is_outside, "A window is not within its recording.", expected, "another")


def _of_mixing(rows: _Rows) -> Iterator[RowFault]:
    n_noise = _lengths(rows.column("noise_recording_ids"))
    has_noise = n_noise > 0
    is_other = has_noise & (n_noise != _lengths(rows.column("recording_ids")))
    yield from rows.faults(is_other, "Noise has another number of microphones than the target.", "as many", "others")
    has = {name: rows.is_there(name) for name in MIXING}
    has_gains = has["target_gain_db"] & has["noise_gain_db"] & ~has["snr_db"]
    has_snr = has["snr_db"] & ~has["target_gain_db"] & ~has["noise_gain_db"]
    yield from rows.faults(
        has_noise & ~(has_gains | has_snr),
        "It is not said how loud the noise is.",
        "snr_db, or target_gain_db and noise_gain_db",
        "neither, or both",
    )
    is_clean_and_says = ~has_noise & (has["noise_gain_db"] | has["snr_db"] | has["noise_position"])
    yield from rows.faults(
        is_clean_and_says, "Noise is spoken of in a row without noise.", "noise_recording_ids", "none"
    )
    limits = f"-{GAIN_LIMIT_DB:g} to {GAIN_LIMIT_DB:g} dB"
    for name in ("target_gain_db", "noise_gain_db", "snr_db"):
        is_outside = ~(np.abs(_filled(rows.column(name), 0.0)) <= GAIN_LIMIT_DB)  # NaN is outside too
        yield from rows.faults(is_outside, f"{name} is out of bounds.", limits, rows.column(name))
    position = _filled(rows.column("noise_position"), -1.0)
    is_outside = has_noise & ~((position >= 0) & (position < 1))
    expected = "0 up to, not including, 1"
    yield from rows.faults(is_outside, "noise_position is out of bounds.", expected, rows.column("noise_position"))


def _bools(values: pa.Array) -> Bools:
    found: Bools = values.to_numpy(zero_copy_only=False)
    return found


def _lengths(lists: pa.Array) -> npt.NDArray[np.int64]:
    lengths: npt.NDArray[np.int64] = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return lengths.astype(np.int64)


def _filled(values: pa.Array, instead: float) -> npt.NDArray[np.float64]:
    filled: npt.NDArray[np.float64] = pc.fill_null(values, instead).to_numpy(zero_copy_only=False)
    return filled


def _shown(actual: object) -> str:
    return ascii(actual)[:200]
