"""`toyadmos compare`: runs side by side, and whether two differ on the same clips by more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.runs.evaluations import TELLING, find_evaluation
from toyadmos_datasets.runs.run_table import (
    ScoredRun,
    TableRow,
    read_for_table,
    read_scored,
    runs_in,
    table_rows,
)
from toyadmos_datasets.scores.auc_intervals import PairedDifference, holm, paired_difference
from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.scores.metrics import auc

LEVEL = 0.05
"""Chance of one or more rows that are called clear where no row differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two AUCs of the same clips, and B's minus A's.

    Attributes:
        by: ``all``, ``condition`` or ``part``.
        name: Which condition or part.
        n_anomalous: Anomalous clips.
        auc_a: Of run A.
        auc_b: Of run B.
        difference: B minus A, with the interval of this row alone.
        p_value: Of there being no difference, of this row alone.
        p_corrected: The same, corrected for the number of rows by Holm's procedure.
    """

    by: str
    name: str
    n_anomalous: int
    auc_a: float
    auc_b: float
    difference: Interval
    p_value: float
    p_corrected: float

    @property
    def is_clear(self) -> bool:
        """Whether the corrected p value is below `LEVEL`, and the row's own interval leaves out zero."""
        is_off_zero = self.difference.low > 0 or self.difference.high < 0
        return is_off_zero and self.p_corrected < LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences of two evaluations; the first is that of all clips.

    Attributes:
        run_a: Folder of the first run.
        run_b: Folder of the second.
        config: What was scored.
        marks: What must be known of either: unfinished training, changed settings, overlap.
        differences: All clips, then by part and condition.
    """

    run_a: str
    run_b: str
    config: str
    marks: tuple[str, ...]
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        found = [asdict(one) | {"is_clear": one.is_clear} for one in self.differences]
        return asdict(self) | {"marks": list(self.marks), "differences": found}


def compare(run_a: Path, run_b: Path, *, config: str | None = None, allow_overlap: bool = False) -> Comparison:
    """Compare an evaluation of each of two runs, clip by clip the same.

    Args:
        run_a: The first run.
        run_b: The second.
        config: Which config's evaluations, or the name of one; see `find_evaluation`.
        allow_overlap: Whether what was tested may have been trained on; the comparison says so.

    Raises:
        DatasetError: A run was not evaluated.
        LeakageError: A run was trained on what it was tested on.
        OptionError: The runs scored different clips, or clips that were made in different ways.
    """
    of_a, of_b = (
        read_for_table(run, find_evaluation(run, config), allow_overlap=allow_overlap) for run in (run_a, run_b)
    )
    return compare_scored(of_a, of_b)


def compare_scored(scored_a: ScoredRun, scored_b: ScoredRun) -> Comparison:
    """Compare two evaluations, clip by clip the same.

    Raises:
        OptionError: The runs scored different clips, or clips that were made in different ways.
    """
    a, b, run_a, run_b = scored_a.scores, scored_b.scores, scored_a.run_folder, scored_b.run_folder
    order = _order(a, b, run_a, run_b)
    labels = a["label"].to_numpy().astype(np.int64)
    of_a, of_b = a["score"].to_numpy(), b["score"].to_numpy()[order]
    events = np.array(a["event_id"].to_pylist(), dtype=np.str_)
    rows = []
    for by, name, is_anomaly in _groups(a, labels == 1):
        chosen = is_anomaly | (labels == 0)
        clips = labels[chosen], of_a[chosen], of_b[chosen]
        rows.append((by, name, clips, paired_difference(*clips, events[chosen])))
    corrected = holm([paired.p_value for *_, paired in rows])
    found = [_difference(*row, p) for row, p in zip(rows, corrected, strict=True)]
    return Comparison(
        run_a=str(run_a),
        run_b=str(run_b),
        config=scored_a.evaluated.config,
        marks=tuple(
            f"{name}: {mark}" for name, one in (("A", scored_a), ("B", scored_b)) for mark in one.evaluated.marks
        ),
        differences=tuple(found),
    )


def _difference(
    by: str,
    name: str,
    clips: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]],
    paired: PairedDifference,
    p_corrected: float,
) -> Difference:
    labels, of_a, of_b = clips
    return Difference(
        by=by,
        name=name,
        n_anomalous=int(np.count_nonzero(labels)),
        auc_a=auc(labels, of_a),
        auc_b=auc(labels, of_b),
        difference=paired.difference,
        p_value=paired.p_value,
        p_corrected=p_corrected,
    )


def _order(a: pa.Table, b: pa.Table, run_a: Path, run_b: Path) -> list[int]:
    """Return where each clip of A stands in B."""
    keys = [
        list(zip(*(one[name].to_pylist() for name in ("event_id", *TELLING, "label")), strict=True)) for one in (a, b)
    ]
    places = {key: number for number, key in enumerate(keys[1])}
    if set(keys[0]) != set(places) or len(keys[0]) != len(keys[1]):
        raise OptionError(
            "The runs scored different clips, so they cannot be paired.",
            where=f"{run_a}, {run_b}",
            expected=f"the {len(keys[0])} clips of the first",
            actual=f"{len(keys[1])} clips, {len(set(keys[0]) & set(places))} of them the same",
            remedy="Evaluate both on one dataset: toyadmos evaluate RUN --dataset DIR --config NAME",
        )
    order = [places[key] for key in keys[0]]
    made = b["recipe_row"].to_pylist()
    others = [
        key[0]
        for key, row, place in zip(keys[0], a["recipe_row"].to_pylist(), order, strict=True)
        if row != made[place]
    ]
    if others:
        raise OptionError(
            "The runs scored clips of other recipes under the same names, so they cannot be paired.",
            where=f"{run_a}, {run_b}",
            expected="the same recordings, noise and gains in every row",
            actual=f"other ones in {len(others)} of {len(order)} rows, as {others[0]}",
            remedy="Evaluate both on one dataset: toyadmos evaluate RUN --dataset DIR --config NAME",
        )
    return order


def _groups(table: pa.Table, is_anomalous: npt.NDArray[np.bool_]) -> list[tuple[str, str, npt.NDArray[np.bool_]]]:
    conditions = table["condition"].to_pylist()
    parts = [{one.partition(":")[0] for one in some} for some in table["damage"].to_pylist()]
    by_part = [
        ("part", part, is_anomalous & np.array([part in some for some in parts]))
        for part in sorted(set().union(*parts))
    ]
    by_condition = [
        ("condition", condition, is_anomalous & np.array([one == condition for one in conditions]))
        for condition in sorted(set(conditions) - {"normal"})
    ]
    return [("all", "all clips", is_anomalous), *by_part, *by_condition]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsCompared:
    """Several runs side by side.

    Attributes:
        rows: A row for each system and config, with the spread over seeds.
        pairs: The first run against each other one, for each config that both scored.
    """

    rows: tuple[TableRow, ...]
    pairs: tuple[Comparison, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"rows": [asdict(one) for one in self.rows], "pairs": [one.as_json() for one in self.pairs]}


def compare_runs(folders: Iterable[Path], *, configs: Sequence[str] = (), allow_overlap: bool = False) -> RunsCompared:
    """Compare evaluated runs: all figures side by side, and the first run against each other one, paired.

    Args:
        folders: Runs, or folders of several seeds.
        configs: Which configs' evaluations; by default all.
        allow_overlap: Whether what was tested may have been trained on; table and pairs say so.

    Raises:
        DatasetError: A run was not evaluated.
        LeakageError: A run was trained on what it was tested on.
        OptionError: Two runs have no config in common, or scored different clips.
    """
    first, *others = runs_in(folders)
    chosen: Sequence[str | None] = configs or [None]
    scored = {
        run: [one for config in chosen for one in read_scored([run], config=config, allow_overlap=allow_overlap)]
        for run in (first, *others)
    }
    pairs = [compare_scored(*pair) for other in others for pair in _common(first, scored[first], other, scored[other])]
    rows = table_rows(one for some in scored.values() for one in some)
    return RunsCompared(rows=tuple(rows), pairs=tuple(pairs))


def _common(
    run_a: Path, of_a: Sequence[ScoredRun], run_b: Path, of_b: Sequence[ScoredRun]
) -> list[tuple[ScoredRun, ScoredRun]]:
    """Return the evaluations of two runs that scored one config each by its own clip score, or by the same one."""
    found = [(a, b) for a in of_a for b in of_b if a.name == b.name]
    found = found or [(a, b) for a in of_a for b in of_b if a.evaluated.config == b.evaluated.config]
    if not found:
        raise OptionError(
            "The runs scored different clips, so they cannot be paired.",
            where=f"{run_a}, {run_b}",
            expected=f"an evaluation of {', '.join(one.evaluated.config for one in of_a)}",
            actual=", ".join(one.evaluated.config for one in of_b),
            remedy="Evaluate both on one dataset: toyadmos evaluate RUN --dataset DIR --config NAME",
        )
    return found
