"""The sections of a run's page: its figures, curves, thresholds, groups and worst clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import condition_text, has_condition
from toyadmos_datasets.reports.charts import Chart, Trace, curve, histogram, trace
from toyadmos_datasets.reports.clip_pairs import pairs_by_score
from toyadmos_datasets.reports.report_tables import Cell, Table
from toyadmos_datasets.reports.reported_run import ReportedRun, roc_band
from toyadmos_datasets.reports.score_charts import det_chart, precision_recall_chart, roc_chart
from toyadmos_datasets.reports.spectrograms import Pair, paired, shown_clips
from toyadmos_datasets.runs.evaluations import FRAME_SCORES_NAME, FRAME_SCORES_SCHEMA
from toyadmos_datasets.runs.run_folder import damaged_table, read_table
from toyadmos_datasets.scores.metrics import precision_recall, roc
from toyadmos_datasets.scores.summary import Group, Summary
from toyadmos_datasets.values.columns import LABELS

N_WORST = 4
"""Clips shown of each kind of error; each is shown beside another, and a pair grows the page by about 0.5 MB."""

_HEADINGS = {
    "part": "By damaged part",
    "damage": "By state of a part",
    "condition": "By condition",
    "domain": "By domain",
    "case": "By case",
    "channel": "By channel",
    "snr_db": "By SNR",
}


def figure_table(summary: Summary) -> Table:
    """Return every figure of all clips, with what it is."""
    loudness = summary.loudness
    rows: list[list[Cell]] = [
        ["AUC", summary.auc, "how often an anomalous clip outscores a normal one"],
        ["AUC as the published code computes it", summary.auc_as_published, "over a part of the FPR axis"],
        ["pAUC, McClish", summary.pauc_mcclish, "FPR to 0.1, as DCASE reports it"],
        ["pAUC, area", summary.pauc, "FPR to 0.1, at most 0.1"],
        ["AUC of loudness alone", loudness.auc, f"what a system has to beat; {loudness.direction}"],
        ["AUC minus that of loudness", loudness.advantage, loudness.verdict],
        ["F1", summary.f1, "at FPR 10 %"],
        ["Overlooked", summary.share_overlooked, f"share of {summary.n_anomalous} anomalous clips, at FPR 10 %"],
    ]
    for point in summary.decisions:
        told = f"precision {point.precision}, recall {point.recall}, false alarms {point.false_alarms}"
        rows.append([f"F1, threshold from {point.threshold.told}", point.f1, told])
    for what, joined in (("cases", summary.cases), ("source and target domain", summary.domains)):
        if joined is not None:
            pauc = f"their pAUCs, McClish: {joined.pauc_mcclish}; DCASE joins domains so"
            rows.append([f"AUC, harmonic mean of {what}", joined.auc, pauc])
    for one in summary.dcase:
        if one.official is not None:
            means = f"by the rule of {one.year}; harmonic means: AUC {one.auc:.3f}, pAUC {one.pauc:.3f}"
            rows.append(["DCASE's official score", one.official, means])
    if summary.n_infinite:
        rows.append(["Infinite scores", summary.n_infinite, "clips that count as the highest or the lowest"])
    return Table(name="figures", heading=("figure", "value", "what it is"), rows=rows)


def charts_of_run(found: ReportedRun) -> list[tuple[Chart, str]]:
    """Draw the charts, each with its caption."""
    labels, scores = found.scores["label"].to_numpy(), found.scores["score"].to_numpy()
    points, summary = roc(labels, scores), found.summary
    n_clips = f"{summary.n_normal} normal and {summary.n_anomalous} anomalous clips"
    groups = [(name, scores[labels == label]) for label, name in enumerate(LABELS)]
    share = summary.n_anomalous / len(labels)
    charts = [
        (roc_chart(points, roc_band(found.scores), summary.auc), f"ROC of {n_clips}, with its 95 % interval."),
        (
            precision_recall_chart(precision_recall(labels, scores), share),
            "Precision and recall; dashed: what chance gives with this share of anomalous clips.",
        ),
        (det_chart(points), "Detection error tradeoff, on normal-deviate axes; dashed: chance; rising: equal errors."),
        (
            histogram(groups, "clip score", line=summary.threshold),
            "Clip scores by label; dashed: the threshold at FPR 10 %.",
        ),
    ]
    if found.losses:
        charts.append((curve(found.losses, "epoch", "training loss"), "Mean training loss of each epoch."))
    return charts


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSection:
    """The groups of one kind.

    Attributes:
        by: The kind, as `Group.by` has it, with dashes.
        heading: Of the section.
        what: What is grouped by, for people.
        groups: The worst first.
        words: What each condition means, where they are grouped by condition.
    """

    by: str
    heading: str
    what: str
    groups: Sequence[Group]
    words: dict[str, str]

    @property
    def table(self) -> Table:
        """The same for papers."""
        names = ("normal", "anomalous", "AUC", "pAUC, McClish", "overlooked")
        rows: list[list[Cell]] = [
            [
                *(one.name, *([self.words[one.name]] if self.words else [])),
                *(one.n_normal, one.n_anomalous, one.auc, one.pauc_mcclish, one.share_overlooked),
            ]
            for one in self.groups
        ]
        heading = [self.what, *(["what it is"] if self.words else []), *names]
        return Table(name=f"by-{self.by}", heading=heading, rows=rows)


def group_sections(summary: Summary, toy: str) -> list[GroupSection]:
    """Return a section for each way to group clips that gives several groups."""
    found = []
    for by, heading in _HEADINGS.items():
        groups = summary.by(by)
        if len(groups) > 1:
            has_words = by == "condition" and all(has_condition(toy, one.name) for one in groups)
            words = {one.name: condition_text(toy, one.name) for one in groups} if has_words else {}
            what = by.replace("_db", "").replace("_", " ")
            name = by.replace("_", "-")
            found.append(GroupSection(by=name, heading=heading, what=what, groups=groups, words=words))
    return found


def threshold_table(summary: Summary) -> Table:
    """Return what the detector does at FPR 1, 5 and 10 %."""
    heading = ("FPR at most", "threshold", "false alarms", "FPR", "hits", "recall", "precision", "F1")
    rows: list[list[Cell]] = [
        [
            *(f"{one.max_fpr:.0%}", one.threshold, f"{one.n_false_alarms} of {summary.n_normal}", one.fpr),
            *(f"{one.n_hits} of {summary.n_anomalous}", one.recall, one.precision, one.f1),
        ]
        for one in summary.operating_points
    ]
    return Table(name="thresholds", heading=heading, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstClips:
    """Clips of one kind of error, each beside one of the other label.

    Attributes:
        name: Of the section, in its address.
        heading: Of the section.
        pairs: The worst first.
    """

    name: str
    heading: str
    pairs: Sequence[Pair]


def worst_clips(found: ReportedRun, *, has_audio: bool) -> list[WorstClips]:
    """Show the damage that scores lowest and the normal clips that score highest."""
    labels, scores = found.scores["label"].to_numpy(), found.scores["score"].to_numpy()
    order = np.argsort(scores, kind="stable")
    missed = [int(one) for one in order if labels[one] == 1][:N_WORST]
    false = [int(one) for one in order[::-1] if labels[one] == 0][:N_WORST]
    pairs = [pairs_by_score(found.scores, one) for one in (missed, false)]
    numbers = {one for some in pairs for pair in some for one in pair.rows}
    traces = _traces(found)
    shown = {
        number: replace(
            clip,
            score=f"{scores[number]:.4g}",
            trace=None if traces is None else _trace(found, number, traces[number].as_py()),
        )
        for number, clip in shown_clips(found.split, numbers, has_audio=has_audio).items()
    }
    named = (("missed", "Damage that scores lowest"), ("false-alarms", "Normal clips that score highest"))
    return [
        WorstClips(name=name, heading=heading, pairs=paired(some, shown))
        for (name, heading), some in zip(named, pairs, strict=True)
    ]


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
