"""The rules that every row of a user's recipe keeps, and all of them together: those that protocols keep by design."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.planning.custom_table import OwnTable, Recordings
from toyadmos_datasets.planning.events import ABSENT, Numbers
from toyadmos_datasets.values.recipe import FILE_SCHEMA
from toyadmos_datasets.values.recipe_rows import fault_of_rows

SIDE_COLUMNS = ("config", "split")


def check_rows(own: OwnTable) -> None:
    """Raise unless each row is valid by itself, and its target, noise and window are in the source.

    Raises:
        PlanError: It names the first row that breaks a rule.
    """
    _check_one_event(own, own.targets, "recording_ids")
    own.refuse_fault(fault_of_rows(own.table, FILE_SCHEMA))
    _check_targets(own)
    _check_noise(own)
    _check_window(own)


def require_sides_apart(own: OwnTable, whole: pa.Table, *, is_noise_shared: bool) -> None:
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


def takes_on_two_sides(own: OwnTable, whole: pa.Table) -> list[str]:
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


def _check_targets(own: OwnTable) -> None:
    is_noise = own.sounds_of(own.event) == "noise"
    own.refuse(is_noise, "A noise recording stands where a machine's belongs.", "normal or anomalous", "noise")


def _check_noise(own: OwnTable) -> None:
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


def _check_window(own: OwnTable) -> None:
    start, length = own.column("target_start"), own.column("target_length")
    has_start = pc.is_valid(start).to_numpy(zero_copy_only=False)
    first, n = (
        pc.fill_null(start, 0).to_numpy(zero_copy_only=False),
        pc.fill_null(length, 1).to_numpy(zero_copy_only=False),
    )
    ends = own.events.n_samples[own.event]
    is_outside = has_start & (first > ends - n)
    own.refuse(is_outside, "A window is not within its recording.", pa.array(ends), "more samples at 48 kHz")


def _check_one_event(own: OwnTable, some: Recordings, column: str) -> None:
    strange = some.event != some.of_rows(some.event)[some.row]
    twice = np.zeros(len(strange), dtype=np.bool_)
    order = np.lexsort((some.channel, some.row))
    twice[order[1:]] = (np.diff(some.row[order]) == 0) & (np.diff(some.channel[order]) == 0)
    for marked, what in ((strange, "are of several events"), (twice, "name a microphone twice")):
        is_wrong = np.zeros(len(some.lengths), dtype=np.bool_)
        is_wrong[some.row[marked]] = True
        own.refuse(is_wrong, f"The recordings of one row {what}.", "one event, each microphone once", column)


def _require_one_side(own: OwnTable, what: str, numbers: Numbers, config: Numbers, split: Numbers) -> None:
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


def _require_sound_on_one_side(own: OwnTable, column: str, numbers: Numbers, config: Numbers, split: Numbers) -> None:
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
    own: OwnTable, numbers: Numbers, is_second: npt.NDArray[np.bool_], config: Numbers, split: Numbers
) -> str:
    """Name the splits that have the number of the first marked row."""
    row = np.flatnonzero(is_second)[0]
    names = own.table["split"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    return ", ".join(names[one] for one in np.unique(split[(numbers == numbers[row]) & (config == config[row])]))
