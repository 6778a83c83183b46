"""A run with everything that its report and its figures for papers show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.runs.evaluations import SCORES_NAME, Evaluated, find_evaluation
from toyadmos_datasets.runs.run_folder import HISTORY_NAME, Run, damaged_table, read_history
from toyadmos_datasets.runs.run_table import read_for_table
from toyadmos_datasets.scores.intervals import share_interval
from toyadmos_datasets.scores.metrics import roc
from toyadmos_datasets.scores.summary import Summary, summarise
from toyadmos_datasets.values.shards import SplitOfConfig, open_split

Array = npt.NDArray[np.float64]

_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """A run with everything that its report shows.

    Attributes:
        folder: The run.
        evaluation: The folder of its evaluation.
        evaluated: What was scored by what.
        run: What it is.
        scores: A row a clip.
        summary: What the scores come to.
        losses: Of every epoch; empty for scores from elsewhere.
        split: The test split that was scored.
    """

    folder: Path
    evaluation: Path
    evaluated: Evaluated
    run: Run
    scores: pa.Table
    summary: Summary
    losses: list[float]
    split: SplitOfConfig

    @property
    def name(self) -> str:
        """What it is called in a title."""
        return f"{self.run.toy}, {self.split.config}: {self.evaluated.system}"


def read_evaluated(folder: Path, *, config: str | None = None, allow_overlap: bool = False) -> ReportedRun:
    """Read a run and one of its evaluations.

    Args:
        folder: The run.
        config: Which evaluation; see `find_evaluation`.
        allow_overlap: Whether what was tested may have been trained on; the page says so.

    Raises:
        DatasetError: It is no run, or was not evaluated, or the dataset is not the one that was scored.
        LeakageError: The run was trained on what it was tested on.
        OptionError: It has several evaluations, or none of the config.
    """
    found = read_for_table(folder, find_evaluation(folder, config), allow_overlap=allow_overlap)
    evaluation = find_evaluation(folder, config)
    evaluated, scores = found.evaluated, found.scores
    split = open_split(Path(evaluated.dataset), evaluated.config, "test")
    if split.manifest.recipe_sha256 != evaluated.recipe_sha256:
        raise DatasetError(
            "The dataset is not the one that was scored: its rows would be taken for others.",
            where=split.folder,
            expected=f"the recipe {evaluated.recipe_sha256}",
            actual=f"the recipe {split.manifest.recipe_sha256}",
            remedy=f"Prepare it as it was, or score it as it is: toyadmos evaluate {shell_word(folder)}",
        )
    if split.n_clips != len(scores):
        raise damaged_table(evaluation / SCORES_NAME, f"{split.n_clips} clips", f"{len(scores)} rows")
    return ReportedRun(
        folder=folder,
        evaluation=evaluation,
        evaluated=evaluated,
        run=found.run,
        scores=scores,
        summary=summarise(scores, clip_score=evaluated.clip_score, threshold=evaluated.threshold),
        losses=list(read_history(folder).losses) if (folder / HISTORY_NAME).exists() else [],
        split=split,
    )


def roc_band(scores: pa.Table) -> tuple[Array, Array, Array]:
    """Return FPR, and the ends of the 95 % interval of the TPR at the threshold that gives it."""
    labels, values = scores["label"].to_numpy(), scores["score"].to_numpy()
    curve, is_anomalous = roc(labels, values), labels == 1
    events = np.array(scores["event_id"].to_pylist(), dtype=np.str_)[is_anomalous]
    # At an FPR where the curve rises, its upper end counts.
    thresholds = curve.thresholds[np.searchsorted(curve.fpr, _GRID + 1e-12, side="right") - 1]
    shares = [share_interval(values[is_anomalous] >= one, events) for one in thresholds]
    return _GRID, np.array([one.low for one in shares]), np.array([one.high for one in shares])
