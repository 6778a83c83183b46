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
from toyadmos_datasets.scores.metrics import Interval, auc, event_weights, interval, weighted_aucs


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two AUCs of the same clips, and B's minus A's.

    Attributes:
        by: ``all``, ``condition`` or ``part``.
        name: Which condition or part.
        n_anomalous: Anomalous clips.
        auc_a: Of run A.
        auc_b: Of run B.
        difference: B minus A, with the interval of the paired bootstrap: every draw takes the same events of both.
    """

    by: str
    name: str
    n_anomalous: int
    auc_a: float
    auc_b: float
    difference: Interval

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


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
    weights = event_weights(labels, np.array(a["event_id"].to_pylist()))
    found = []
    for by, name, is_anomaly in _groups(a, labels == 1):
        chosen = is_anomaly | (labels == 0)
        mine, drawn = labels[chosen], weights[:, chosen]
        auc_a, auc_b = auc(mine, of_a[chosen]), auc(mine, of_b[chosen])
        draws = weighted_aucs(mine, of_b[chosen], drawn) - weighted_aucs(mine, of_a[chosen], drawn)
        found.append(
            Difference(
                by=by,
                name=name,
                n_anomalous=int(is_anomaly.sum()),
                auc_a=auc_a,
                auc_b=auc_b,
                difference=interval(auc_b - auc_a, draws),
            )
        )
    return Comparison(run_a=str(run_a), run_b=str(run_b), differences=tuple(found))


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
