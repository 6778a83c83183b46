"""`toyadmos report RUN`: what was trained, how well it does, and what it gets wrong, on one page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.baseline.evaluations import (
    FRAME_SCORES_NAME,
    FRAME_SCORES_SCHEMA,
    SCORES_NAME,
    Evaluated,
    find_evaluation,
)
from toyadmos_datasets.baseline.run_folder import HISTORY_NAME, Run, damaged_table, read_history, read_table
from toyadmos_datasets.baseline.run_table import read_for_table
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.reports.charts import Chart, Trace, curve, histogram, roc_chart, trace
from toyadmos_datasets.reports.html_page import notes, page
from toyadmos_datasets.reports.level_section import level_section
from toyadmos_datasets.reports.spectrograms import ShownClip, shades_of, shown_clip, spectrum_of
from toyadmos_datasets.scores.intervals import share_interval
from toyadmos_datasets.scores.metrics import roc
from toyadmos_datasets.scores.summary import Group, Summary, summarise
from toyadmos_datasets.values.manifest import LABELS
from toyadmos_datasets.values.shards import SplitOfConfig, open_split

Array = npt.NDArray[np.float64]

N_WORST = 4
"""Clips shown of each kind of error; each costs a few hundred kilobytes."""

_GRID = np.linspace(0, 1, 101)
_HEADINGS = {
    "part": "By damaged part",
    "damage": "By state of a part",
    "condition": "By condition",
    "domain": "By domain",
    "case": "By case",
    "channel": "By channel",
    "snr_db": "By SNR",
}


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
        summary=summarise(scores, clip_score=evaluated.clip_score),
        losses=list(read_history(folder).losses) if (folder / HISTORY_NAME).exists() else [],
        split=split,
    )


def report_run(
    folder: Path, out: Path, *, config: str | None = None, has_audio: bool = True, allow_overlap: bool = False
) -> ReportedRun:
    """Write the report of an evaluated run.

    Args:
        folder: The run.
        out: The page.
        config: Which of its evaluations; see `find_evaluation`.
        has_audio: Whether the clips can be played.
        allow_overlap: Whether what was tested may have been trained on; the page says so.

    Raises:
        DatasetError: It is no run, or was not evaluated, or its dataset is gone.
        LeakageError: The run was trained on what it was tested on.
        OptionError: It has several evaluations, or none of the config.
    """
    found = read_evaluated(folder, config=config, allow_overlap=allow_overlap)
    html = page(
        "run.html.j2",
        found.name,
        notes=[*notes(is_simulated=found.run.is_simulated, has_audio=has_audio), *found.evaluated.marks],
        figures=_figures(found.summary),
        charts_of_run=_charts(found),
        groups=_groups(found.summary, found.split.manifest.toy),
        levels=level_section(found.scores, config=found.split.config, split="test"),
        worst=_worst(found, has_audio=has_audio),
        facts=_facts(found),
    )
    write_text(out, html)
    return found


def _facts(found: ReportedRun) -> dict[str, str]:
    run = found.run
    facts = {
        "dataset": run.dataset,
        "config": run.config,
        "recipe": f"sha256 {run.recipe_sha256}",
        "clip score": found.summary.clip_score,
    }
    if found.split.config != run.config or str(found.split.folder) != run.dataset:
        facts["scored"] = f"{found.split.folder}, {found.split.config}"
    if run.preset:
        facts |= {"seed": str(run.seed), "device": run.device, "epochs done": found.evaluated.epochs_text}
        facts["versions"] = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        facts["changed"] = ", ".join(found.evaluated.changes) or "nothing"
        facts["system"] = ", ".join(f"{name} = {value}" for name, value in run.preset.items())
    return facts


def _figures(summary: Summary) -> list[tuple[str, str, str]]:
    rows = [
        ("AUC", str(summary.auc), "how often an anomalous clip outscores a normal one"),
        ("AUC as the published code computes it", str(summary.auc_as_published), "over a part of the FPR axis"),
        ("pAUC, McClish", str(summary.pauc_mcclish), "FPR to 0.1, as DCASE reports it"),
        ("pAUC, area", str(summary.pauc), "FPR to 0.1, at most 0.1"),
        (
            "AUC of loudness alone",
            str(summary.loudness.auc),
            f"what a system has to beat; {summary.loudness.direction}",
        ),
        ("AUC minus that of loudness", str(summary.loudness.advantage), summary.loudness.verdict),
        ("F1", str(summary.f1), "at FPR 10 %"),
        (
            "Overlooked",
            summary.share_overlooked.as_percent,
            f"of {summary.n_anomalous} anomalous clips, at FPR 10 %",
        ),
    ]
    for what, joined in (("cases", summary.cases), ("source and target domain", summary.domains)):
        if joined is not None:
            pauc = f"their pAUCs, McClish: {joined.pauc_mcclish}; DCASE joins domains so"
            rows.append((f"AUC, harmonic mean of {what}", str(joined.auc), pauc))
    for one in summary.dcase:
        if one.official is not None:
            means = f"by the rule of {one.year}; harmonic means: AUC {one.auc:.3f}, pAUC {one.pauc:.3f}"
            rows.append(("DCASE's official score", f"{one.official:.3f}", means))
    if summary.n_infinite:
        rows.append(("Infinite scores", str(summary.n_infinite), "clips that count as the highest or the lowest"))
    return rows


def _charts(found: ReportedRun) -> list[tuple[Chart, str]]:
    """Draw the charts, each with its caption."""
    labels, scores = found.scores["label"].to_numpy(), found.scores["score"].to_numpy()
    points = roc(labels, scores)
    n_clips = f"{found.summary.n_normal} normal and {found.summary.n_anomalous} anomalous clips"
    groups = [(name, scores[labels == label]) for label, name in enumerate(LABELS)]
    caption = "Clip scores by label; dashed: the threshold at FPR 10 %."
    charts = [
        (roc_chart(points.fpr, points.tpr, roc_band(found.scores), found.summary.auc), f"ROC of {n_clips}."),
        (histogram(groups, "clip score", line=found.summary.threshold), caption),
    ]
    if found.losses:
        charts.append((curve(found.losses, "epoch", "training loss"), "Mean training loss of each epoch."))
    return charts


def roc_band(scores: pa.Table) -> tuple[Array, Array, Array]:
    """Return FPR, and the ends of the 95 % interval of the TPR at the threshold that gives it."""
    labels, values = scores["label"].to_numpy(), scores["score"].to_numpy()
    curve, is_anomalous = roc(labels, values), labels == 1
    events = np.array(scores["event_id"].to_pylist(), dtype=np.str_)[is_anomalous]
    # At an FPR where the curve rises, its upper end counts.
    thresholds = curve.thresholds[np.searchsorted(curve.fpr, _GRID + 1e-12, side="right") - 1]
    shares = [share_interval(values[is_anomalous] >= one, events) for one in thresholds]
    return _GRID, np.array([one.low for one in shares]), np.array([one.high for one in shares])


def _groups(summary: Summary, toy: str) -> list[tuple[str, str, list[Group], list[list[str]]]]:
    """Return, for each way to group clips, a heading, what is grouped by, the groups, and conditions in words."""
    found = []
    for by, heading in _HEADINGS.items():
        groups = summary.by(by)
        if len(groups) > 1:
            words = [[one.name, condition_text(toy, one.name)] for one in groups] if by == "condition" else []
            found.append((heading, by.replace("_db", "").replace("_", " "), groups, words))
    return found


def _worst(found: ReportedRun, *, has_audio: bool) -> list[tuple[str, list[ShownClip]]]:
    labels, scores = found.scores["label"].to_numpy(), found.scores["score"].to_numpy()
    order = np.argsort(scores, kind="stable")
    missed = [int(one) for one in order if labels[one] == 1][:N_WORST]
    false = [int(one) for one in order[::-1] if labels[one] == 0][:N_WORST]
    rows = _rows_at(found.split, {*missed, *false})
    traces = _traces(found)
    spectra = {number: spectrum_of(row) for number, row in rows.items()}
    shades = shades_of(list(spectra.values()))

    def clip(number: int) -> ShownClip:
        shown = shown_clip(rows[number], spectra[number], shades, has_audio=has_audio)
        strip = None if traces is None else _trace(found, number, traces[number].as_py())
        return replace(shown, score=f"{scores[number]:.4g}", trace=strip)

    kinds = (("Damage that scores lowest", missed), ("Normal clips that score highest", false))
    return [(heading, [clip(number) for number in chosen]) for heading, chosen in kinds]


def _traces(found: ReportedRun) -> pa.ChunkedArray | None:
    """Return the frame scores of every clip, of which each has some; None where a run has none."""
    if not (found.evaluation / FRAME_SCORES_NAME).exists():
        return None
    table = read_table(found.evaluation, FRAME_SCORES_NAME, FRAME_SCORES_SCHEMA)
    lengths = pc.list_value_length(table["frame_scores"])
    if len(table) != len(found.scores) or not pc.all(pc.greater(lengths, 0)).as_py():
        raise damaged_table(
            found.evaluation / FRAME_SCORES_NAME, f"frame scores of {len(found.scores)} clips", f"{len(table)} rows"
        )
    return table["frame_scores"]


def _trace(found: ReportedRun, number: int, values: list[float]) -> Trace:
    """Place the frame scores under the spectrogram: the first and last frames of a clip may have none."""
    preset = found.run.system
    n_samples = found.scores["duration_s"][number].as_py() * preset.rate_hz  # as scored, whatever the dataset's rate
    span = (len(values) - 1) * preset.n_hop / n_samples
    first = 0.0 if preset.is_padded else (-min(*preset.offsets, 0) * preset.n_hop + preset.n_fft / 2) / n_samples
    normal = found.scores.filter(pc.equal(found.scores["label"], 0))["score"].to_numpy()
    top = max(float(np.quantile(normal, 0.9)) * 1.6, 1e-9, *values)
    return trace(values, (first, min(first + span, 1.0)), top, found.summary.threshold)


def _rows_at(split: SplitOfConfig, numbers: set[int]) -> dict[int, dict[str, Any]]:
    return {number: row for number, row in enumerate(split.rows()) if number in numbers}
