"""A user's own recipe: completed from the index, and held to the rules that every protocol keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import ALL_CASES
from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.plan.events import ABSENT, Events, Numbers, events_of
from toyadmos_datasets.plan.options import STACK, PlanOptions
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe

GAIN_LIMIT_DB = 100.0
_SIDE = ("config", "split")

OWN = "own"
"""What stands in the place of the protocols among a recipe's parameters."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Recordings:
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


def require_own(options: PlanOptions, path: Path) -> None:
    """Refuse options that choose examples beside a recipe that says which.

    Raises:
        OptionError: There is one.
    """
    plain = PlanOptions(toy=options.toy)
    fine = {name: getattr(options, name) for name in ("snr_reference", "weighting", "is_noise_shared")}
    fine["channels"] = options.channels if options.channels == STACK else None
    if options != replace(plain, **fine):
        raise OptionError(
            "A recipe of your own says itself which examples there are.",
            where=f"--recipe {path}",
            expected="no other choice than --channels stack, --snr-reference, --weighting, --shared-noise",
            actual="other options that choose examples",
            remedy="Leave out either the recipe or those options.",
        )


def own_recipe(examples: Recipe | pa.Table, index: pa.Table, options: PlanOptions, path: Path) -> Recipe:
    """Check a user's recipe against the index and make it whole.

    Columns that are left out follow from the recordings' names (label, toy, case, channel, recording_type,
    condition, take, event_id), are counted (draw) or empty; those that are there have to agree.

    Args:
        examples: As `read_examples` gives them; a recipe comes back as it is, if it passes.
        index: Every recording of the source.
        options: Toy, and for a table without parameters of its own what else holds for all examples.
        path: Where it is from, for errors.

    Raises:
        PlanError: A rule is broken; names the first row that breaks it.
    """
    table = examples.examples if isinstance(examples, Recipe) else examples
    parameters: dict[str, Any] = options.as_parameters() | {"protocols": [OWN]}
    if isinstance(examples, Recipe):
        _require_its_own_parameters(examples, options, path)
        parameters = examples.parameters
    checker = _Checker(table=table.combine_chunks(), events=events_of(index), path=path)
    whole = checker.completed(options.toy)
    is_noise_shared = any(parameters.get(name) for name in ("is_noise_shared", "is_faithful"))
    checker.require_sides_apart(whole, is_noise_shared=is_noise_shared)
    if isinstance(examples, Recipe):
        return examples
    note = f"The recipe is the user's own ({path.name}); no protocol has made it."
    return Recipe(examples=_in_order(whole, checker.event), parameters=parameters, notes=(note,))


def _require_its_own_parameters(recipe: Recipe, options: PlanOptions, path: Path) -> None:
    """Raise where options beside a written recipe contradict what it was made with."""
    if options != PlanOptions(toy=options.toy) or recipe.parameters.get("toy") != options.toy:
        raise OptionError(
            "The recipe was written with its own toy and options.",
            where=f"--recipe {path}",
            expected=f"--toy {recipe.parameters.get('toy')} and no other choice of examples or levels",
            actual=f"--toy {options.toy}, or more options",
            remedy="Leave those options out.",
        )


class _Checker:
    def __init__(self, *, table: pa.Table, events: Events, path: Path) -> None:
        self.table, self.events, self.path = table, events, path
        if not len(table):
            raise PlanError(
                "The recipe has no examples.",
                where=path,
                expected="a row for each example",
                actual="none",
                remedy="Write at least one row.",
            )
        self.targets = self._recordings("recording_ids")
        self.noise = self._recordings("noise_recording_ids")
        self.event = self.targets.of_rows(self.targets.event)
        self.has_noise = self.noise.lengths > 0

    def completed(self, toy: str) -> pa.Table:
        """Return all columns of a recipe, after checking every rule that holds for a single row."""
        self._check_names()
        self._check_targets()
        self._check_noise()
        self._check_window()
        facts = self._facts(toy)
        for name in facts:
            if name in self.table.column_names:
                told, known = self.table[name], facts[name].cast(RECIPE_SCHEMA.field(name).type)
                differs = pc.not_equal(told, known).to_numpy(zero_copy_only=False)
                self._refuse(differs, f"The column {name!r} contradicts the recordings.", known, told)
        columns = {**facts, **self._mixing(), "config": self.table["config"], "split": self.table["split"]}
        columns["recording_ids"] = self.table["recording_ids"]
        columns["noise_recording_ids"] = self._noise_lists()
        for name in ("target_start", "target_length"):
            columns[name] = self._column(name)
        given = self.table["draw"] if "draw" in self.table.column_names else None
        columns["draw"] = _counted(columns) if given is None else given
        whole = [columns[field.name].cast(field.type) for field in RECIPE_SCHEMA]
        return pa.table(whole, schema=RECIPE_SCHEMA)

    def require_sides_apart(self, whole: pa.Table, *, is_noise_shared: bool) -> None:
        """Raise where an event or a noise recording is in two splits of a config, or an example stands twice."""
        config, split = (
            whole[name].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False) for name in _SIDE
        )
        start, draw, channel = (
            pc.fill_null(whole[name], 0).to_numpy(zero_copy_only=False) for name in ("target_start", "draw", "channel")
        )
        key = np.stack([config, split, self.event, start, draw, channel]).astype(np.int64)
        order = np.lexsort(key)
        same = np.zeros(len(order), dtype=np.bool_)
        same[order[1:]] = (np.diff(key[:, order], axis=1) == 0).all(axis=0)
        self._refuse(same, "An example stands twice.", "another draw, window, channel or event", "the same as before")
        self._require_one_side("event", self.event, config, split)
        if not is_noise_shared:
            self._require_one_side("noise recording", self._noise(), config, split)

    def _require_one_side(self, what: str, numbers: Numbers, config: Numbers, split: Numbers) -> None:
        order = np.lexsort((split, numbers, config))
        c, n, s = config[order], numbers[order], split[order]
        crosses = (np.diff(c) == 0) & (np.diff(n) == 0) & (np.diff(s) != 0) & (n[1:] != ABSENT)
        is_second = np.zeros(len(order), dtype=np.bool_)
        is_second[order[1:][crosses]] = True
        if is_second.any():
            number = numbers[np.flatnonzero(is_second)[0]]
            splits = np.unique(split[(numbers == number) & (config == config[np.flatnonzero(is_second)[0]])])
            names = self.table["split"].combine_chunks().dictionary_encode().dictionary.to_pylist()
            remedy = "Leave it in one of them."
            if what != "event":
                remedy = "Draw from other noise recordings, or accept it: --shared-noise"
            self._refuse(
                is_second,
                f"One {what} is in several splits: {self.events.name(number)}.",
                "one split",
                ", ".join(names[one] for one in splits),
                remedy=remedy,
            )

    def _recordings(self, column: str) -> _Recordings:
        lists = self._column(column)
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        flat = pc.list_flatten(lists)
        flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
        row = np.repeat(np.arange(len(lengths)), lengths)
        place = pc.index_in(flat, value_set=self.events.recording_id)
        is_unknown = np.zeros(len(lengths), dtype=np.bool_)
        unknown = np.flatnonzero(pc.is_null(place).to_numpy(zero_copy_only=False))
        is_unknown[row[unknown]] = True
        told = flat[int(unknown[0])].as_py() if len(unknown) else None
        self._refuse(is_unknown, "The source has no such recording.", "recordings of the source", told)
        event, channel = np.divmod(np.flatnonzero(self.events.recordings.ravel() != ABSENT), 4)
        by_place = self.events.recordings[event, channel].argsort()
        found = place.to_numpy(zero_copy_only=False).astype(np.int64)
        return _Recordings(
            row=row,
            event=event[by_place][found],
            channel=channel[by_place][found] + 1,
            lengths=lengths,
            first=lengths.cumsum() - lengths,
        )

    def _check_names(self) -> None:
        for name, pattern in (("config", r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), ("split", r"^[A-Za-z_][A-Za-z0-9_]*$")):
            fits = pc.match_substring_regex(self.table[name], pattern).to_numpy(zero_copy_only=False)
            if name == "split":
                fits &= pc.not_equal(self.table[name], "all").to_numpy(zero_copy_only=False)
            self._refuse(~fits, f"This cannot be the name of a {name}.", "letters, digits and _", self.table[name])

    def _check_targets(self) -> None:
        self._refuse(self.targets.lengths == 0, "An example has no recording.", "recording_ids", "none")
        self._check_one_event(self.targets, "recording_ids")
        is_noise = self._sound(self.event) == "noise"
        self._refuse(is_noise, "A noise recording stands where a machine's belongs.", "normal or anomalous", "noise")

    def _check_noise(self) -> None:
        self._check_one_event(self.noise, "noise_recording_ids")
        noise = self._noise()
        is_other = self.has_noise & (self._sound(noise) != "noise")
        self._refuse(is_other, "What is mixed in is no noise recording.", "EnvironmentalNoise_CNT", "a machine's")
        same = self.has_noise & (self.noise.lengths == self.targets.lengths)
        other_number = self.has_noise & ~same
        self._refuse(other_number, "Noise has another number of microphones than the target.", "as many", "others")
        pairs = np.isin(self.targets.row, np.flatnonzero(same)), np.isin(self.noise.row, np.flatnonzero(same))
        differs = self.targets.channel[pairs[0]] != self.noise.channel[pairs[1]]
        is_other = np.zeros(len(self.event), dtype=np.bool_)
        is_other[self.targets.row[pairs[0]][differs]] = True
        self._refuse(is_other, "Noise is of another microphone than the target.", "the same, in order", "another")
        case = self.events.case[noise]
        is_other = self.has_noise & (case != self.events.case[self.event]) & (case != ALL_CASES)
        self._refuse(is_other, "Noise is of another case than the target.", "the same case", "another")

    def _check_one_event(self, some: _Recordings, column: str) -> None:
        strange = some.event != some.of_rows(some.event)[some.row]
        twice = np.zeros(len(strange), dtype=np.bool_)
        order = np.lexsort((some.channel, some.row))
        twice[order[1:]] = (np.diff(some.row[order]) == 0) & (np.diff(some.channel[order]) == 0)
        for marked, what in ((strange, "are of several events"), (twice, "name a microphone twice")):
            is_wrong = np.zeros(len(some.lengths), dtype=np.bool_)
            is_wrong[some.row[marked]] = True
            self._refuse(is_wrong, f"The recordings of one row {what}.", "one event, each microphone once", column)

    def _check_window(self) -> None:
        start, length = self._column("target_start"), self._column("target_length")
        has_start, has_length = (
            pc.is_valid(start).to_numpy(zero_copy_only=False),
            pc.is_valid(length).to_numpy(zero_copy_only=False),
        )
        self._refuse(has_start != has_length, "A window has a start or a length alone.", "both, or neither", "one")
        first, n = (
            pc.fill_null(start, 0).to_numpy(zero_copy_only=False),
            pc.fill_null(length, 1).to_numpy(zero_copy_only=False),
        )
        ends = self.events.n_samples[self.event]
        is_outside = has_start & ((first < 0) | (n < 1) | (first > ends - n))
        self._refuse(is_outside, "A window is not within its recording.", pa.array(ends), "more samples at 48 kHz")

    def _mixing(self) -> dict[str, Any]:
        """Return gains, SNR and position, after checking that each row says one thing."""
        given = {name: self._column(name) for name in ("target_gain_db", "noise_gain_db", "snr_db", "noise_position")}
        has = {name: pc.is_valid(column).to_numpy(zero_copy_only=False) for name, column in given.items()}
        has_gains = has["target_gain_db"] & has["noise_gain_db"] & ~has["snr_db"]
        has_snr = has["snr_db"] & ~has["target_gain_db"] & ~has["noise_gain_db"]
        self._refuse(
            self.has_noise & ~(has_gains | has_snr),
            "It is not said how loud the noise is.",
            "snr_db, or target_gain_db and noise_gain_db",
            "neither, or both",
        )
        is_clean_and_says = ~self.has_noise & (has["noise_gain_db"] | has["snr_db"] | has["noise_position"])
        self._refuse(is_clean_and_says, "Noise is spoken of in a row without noise.", "noise_recording_ids", "none")
        for name in ("target_gain_db", "noise_gain_db", "snr_db"):
            values = pc.fill_null(given[name], 0.0).to_numpy(zero_copy_only=False)
            limits = f"-{GAIN_LIMIT_DB:g} to {GAIN_LIMIT_DB:g} dB"
            self._refuse(~(np.abs(values) <= GAIN_LIMIT_DB), f"{name} is out of bounds.", limits, given[name])
        position = pc.fill_null(given["noise_position"], -1.0).to_numpy(zero_copy_only=False)
        is_outside = self.has_noise & ~((position >= 0) & (position < 1))
        told = given["noise_position"]
        self._refuse(is_outside, "noise_position is out of bounds.", "0 up to, not including, 1", told)
        clean = pc.if_else(pa.array(self.has_noise), pa.scalar(None, pa.float64()), 0.0)
        given["target_gain_db"] = pc.coalesce(given["target_gain_db"], clean)
        return given

    def _facts(self, toy: str) -> dict[str, pa.Array]:
        """Return what the recordings' names say of each row."""
        places, n = pa.array(self.event), len(self.event)
        first = self.targets.of_rows(self.targets.channel)
        return {
            "label": self.events.sound.take(places),
            "toy": pa.repeat(toy, n),
            "case": pa.array(self.events.case[self.event]),
            "channel": pa.array(np.where(self.targets.lengths == 1, first, 0)),
            "recording_type": self.events.recording_type.take(places),
            "condition": self.events.condition.take(places),
            "take": pa.array(self.events.take[self.event]),
            "event_id": self.events.event_id.take(places),
        }

    def _noise(self) -> Numbers:
        return self.noise.of_rows(self.noise.event)

    def _noise_lists(self) -> pa.ListArray:
        lists = self._column("noise_recording_ids")
        flat = pc.list_flatten(lists)
        flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
        offsets = np.append(0, self.noise.lengths.cumsum()).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, flat)

    def _sound(self, numbers: Numbers) -> npt.NDArray[np.object_]:
        sounds: npt.NDArray[np.object_] = self.events.sound.to_numpy(zero_copy_only=False)[numbers]
        return sounds

    def _column(self, name: str) -> pa.ChunkedArray | pa.Array:
        if name in self.table.column_names:
            return self.table[name].combine_chunks()
        return pa.nulls(len(self.table), RECIPE_SCHEMA.field(name).type)

    def _refuse(self, is_wrong: Bools, what: str, expected: Any, actual: Any, *, remedy: str = "") -> None:  # noqa: ANN401
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


def _counted(columns: dict[str, Any]) -> pa.Array:
    """Number the examples that share config, split, event, window and channel, in the order of the table."""
    names = (*_SIDE, "event_id", "channel", "target_start")
    codes = [
        pc.fill_null(_whole(columns[name]).dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
        for name in names
    ]
    order = np.lexsort(codes)
    is_first = np.append(True, (np.diff(np.stack(codes)[:, order], axis=1) != 0).any(axis=0))
    place = np.arange(len(order))
    draw = np.empty(len(order), dtype=np.int32)
    draw[order] = place - np.maximum.accumulate(np.where(is_first, place, 0))
    return pa.array(draw)


def _in_order(whole: pa.Table, event: Numbers) -> pa.Table:
    """Sort by config and split as they first appear, then event, window, draw and channel."""
    config, split = (_whole(whole[name]).dictionary_encode().indices.to_numpy(zero_copy_only=False) for name in _SIDE)
    start, draw, channel = (
        pc.fill_null(whole[name], 0).to_numpy(zero_copy_only=False) for name in ("target_start", "draw", "channel")
    )
    return whole.take(np.lexsort((channel, draw, start, event, split, config)))


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
