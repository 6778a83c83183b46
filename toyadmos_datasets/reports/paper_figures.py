"""The figures of a report for papers: PNG at 300 dpi and PDF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.reports.reported_run import ReportedRun, roc_band
from toyadmos_datasets.reports.score_charts import DET_ENDS, DET_MARKS, on_det_axis
from toyadmos_datasets.scores.metrics import equal_error_rate, precision_recall, roc

Array = npt.NDArray[Any]

DPI = 300
NORMAL, ANOMALOUS, ACCENT = "#2b6cb0", "#c2410c", "#0b7a75"
_COLUMN_INCHES = 3.4
"""Width of a column in a two-column paper."""


def write_figures(found: ReportedRun, folder: Path) -> list[Path]:
    """Write every figure of a run's report, each as PNG and PDF; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _figures(found):
        for kind in ("png", "pdf"):
            path = folder / f"{name}.{kind}"
            with write_file(path) as file:
                figure.savefig(file, format=kind, dpi=DPI, metadata={"CreationDate": None} if kind == "pdf" else None)
            written.append(path)
    return written


def _figures(found: ReportedRun) -> Iterator[tuple[str, Any]]:
    labels, scores = found.scores["label"].to_numpy(), found.scores["score"].to_numpy()
    figure, axes = _new()
    points, (grid, low, high) = roc(labels, scores), roc_band(found.scores)
    axes.fill_between(grid, low, high, color=ACCENT, alpha=0.2, lw=0)
    axes.plot([0, 1], [0, 1], ls="--", color="grey", lw=0.8)
    axes.plot(points.fpr, points.tpr, color=ACCENT, label=f"AUC {found.summary.auc}")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower right", frameon=False, fontsize=7)
    yield "roc", figure

    yield "precision-recall", _precision_recall(labels, scores)
    yield "det", _det(labels, scores)

    figure, axes = _new()
    bins = np.histogram_bin_edges(scores[np.isfinite(scores)], bins=30)
    axes.hist(scores[labels == 0], bins, color=NORMAL, alpha=0.6, label="normal")
    axes.hist(scores[labels == 1], bins, color=ANOMALOUS, alpha=0.6, label="anomalous")
    if np.isfinite(found.summary.threshold):
        axes.axvline(found.summary.threshold, color="black", ls="--", lw=0.8, label="FPR 10 %")
    axes.set(xlabel="clip score", ylabel="clips")
    axes.legend(frameon=False, fontsize=7)
    yield "scores", figure

    if found.losses:
        figure, axes = _new()
        axes.plot(range(1, len(found.losses) + 1), found.losses, color=ACCENT)
        axes.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
        yield "loss", figure

    for by in ("part", "condition"):
        groups = [one for one in found.summary.by(by)[::-1] if np.isfinite(one.auc.value)]
        if groups:
            figure, axes = _new(0.17 * len(groups) + 0.7)
            middle = np.array([one.auc.value for one in groups])
            ends = np.array([[one.auc.value - one.auc.low, one.auc.high - one.auc.value] for one in groups]).T
            names = [one.name.replace("_", " ") for one in groups]
            axes.errorbar(middle, range(len(groups)), xerr=np.maximum(ends, 0), fmt="o", ms=3, color=ACCENT, lw=0.8)
            axes.set_yticks(range(len(groups)), names, fontsize=6)
            axes.axvline(0.5, color="grey", ls="--", lw=0.8)
            axes.set(xlabel="AUC", xlim=(0, 1.02))
            yield f"auc-by-{by}", figure


def _precision_recall(labels: Array, scores: Array) -> Any:  # noqa: ANN401
    figure, axes = _new()
    found, share = precision_recall(labels, scores), float(np.mean(labels))
    axes.plot([0, 1], [share, share], ls="--", color="grey", lw=0.8)
    label = f"average precision {found.average_precision:.3f}"
    axes.step(found.recall, found.precision, where="pre", color=ACCENT, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower left", frameon=False, fontsize=7)
    return figure


def _det(labels: Array, scores: Array) -> Any:  # noqa: ANN401
    figure, axes = _new(_COLUMN_INCHES)
    found, ends = roc(labels, scores), on_det_axis(DET_ENDS)
    axes.plot(ends, ends, color="lightgrey", lw=0.8)
    label = f"equal error rate {equal_error_rate(found):.1%}"
    axes.plot(on_det_axis(found.fpr), on_det_axis(1 - found.tpr), color=ACCENT, label=label)
    marks, names = on_det_axis(DET_MARKS), [f"{100 * one:g}" for one in DET_MARKS]
    axes.set(xlabel="false positive rate, %", ylabel="miss rate, %", xlim=ends, ylim=ends)
    axes.set_xticks(marks, names)
    axes.set_yticks(marks, names)
    axes.legend(loc="upper right", frameon=False, fontsize=7)
    return figure


def _new(height_inches: float = 2.5) -> tuple[Any, Any]:
    figure = Figure(figsize=(_COLUMN_INCHES, max(height_inches, 1.2)), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
