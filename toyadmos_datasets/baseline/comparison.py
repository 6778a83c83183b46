"""`toyadmos compare`: two runs on the same clips, and whether their difference is more than chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.baseline.evaluation import TELLING, read_scores
from toyadmos_datasets.errors import OptionError
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
    """All differences of two runs; the first is that of all clips."""

    run_a: str
    run_b: str
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        found = [asdict(one) | {"is_clear": one.is_clear} for one in self.differences]
        return {"run_a": self.run_a, "run_b": self.run_b, "differences": found}


def compare(run_a: Path, run_b: Path) -> Comparison:
    """Compare the scores of two evaluated runs, clip by clip the same.

    Raises:
        DatasetError: A run was not evaluated.
        OptionError: The runs scored different clips.
    """
    a, b = read_scores(run_a), read_scores(run_b)
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
    return Comparison(run_a=str(run_a), run_b=str(run_b), differences=tuple(found))


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
    return [places[key] for key in keys[0]]


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
