"""`toyadmos train`, `toyadmos evaluate` and `toyadmos compare`: the reference detectors and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from toyadmos_datasets.cli.command_options import JsonOption, taking
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal, table_lines
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.units import format_duration

if TYPE_CHECKING:
    from toyadmos_datasets.runs.comparison import Comparison
    from toyadmos_datasets.runs.enhancement_evaluation import EnhancementEvaluation
    from toyadmos_datasets.runs.evaluations import Evaluation
    from toyadmos_datasets.runs.run_table import TableRow
    from toyadmos_datasets.runs.trainer import TrainReport
    from toyadmos_datasets.scores.dcase import DcaseScore
    from toyadmos_datasets.scores.summary import Group, Summary

ConfigsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--config", help="Use only evaluations of this config; can be repeated. By default all.", metavar="NAME"
    ),
]
CsvOption: TypeAlias = Annotated[Path | None, typer.Option(help="Also write the table as CSV.", metavar="FILE")]
LatexOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Also write the table for LaTeX; it needs booktabs.", metavar="FILE")
]
AllowOverlapOption: TypeAlias = Annotated[
    bool,
    typer.Option("--allow-overlap", help="Accept runs that were tested on clips they were trained on, and mark them."),
]


@taking(TrainOptions)
def train(
    dataset: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    *,
    chosen: dict[str, Any],
    as_json: JsonOption = False,
) -> None:
    """Train a reference detector on normal clips: an autoencoder, or one of clip statistics.

    An interrupted run continues where it stopped and reaches the same weights.
    """
    options = TrainOptions(dataset=dataset, **chosen)
    from toyadmos_datasets.runs.trainer import train_each_seed

    reports = train_each_seed(options, progress_on_terminal())
    if as_json:
        found = [_as_json(one) for one in reports]
        print_json(found[0] if options.seeds == 1 else {"runs": found})
        return
    for report in reports:
        print_lines(_lines(report))
    print_lines([f"Score it with: toyadmos evaluate {shell_word(options.out)}"])


def _as_json(report: TrainReport) -> dict[str, object]:
    return asdict(report) | {"out": str(report.out)}


def _lines(report: TrainReport) -> list[str]:
    from toyadmos_datasets.runs.evaluations import changes_of

    run = report.run
    first = f"Nothing to do: {report.out} holds this run." if report.was_done else f"Trained {report.out}"
    lines = [first, f"system      {run.label}, seed {run.seed}, on {run.device}"]
    if changes := changes_of(run.system):
        lines.append(f"changed     {', '.join(changes)}")
    lines.append(f"data        {run.toy}, {run.config}")
    if run.is_simulated:
        lines.append("The corpus is SIMULATED: results on it are not results on ToyADMOS.")
    if report.n_resumed and not report.was_done:
        lines.append(f"went on     after {report.n_resumed} epochs of an earlier process")
    if report.losses:
        lines.append(f"loss        {report.losses[0]:.4g} in the first epoch, {report.losses[-1]:.4g} in the last")
    if not report.was_done:
        lines.append(f"time        {format_duration(report.wall_s)}")
    return lines


_WORST = 8


@taking(EvaluateOptions)
def evaluate(
    run: Annotated[
        Path, typer.Argument(help="A run, or a folder of seeds; with --scores, the folder to create.", metavar="RUN")
    ],
    *,
    chosen: dict[str, Any],
    as_json: JsonOption = False,
) -> None:
    """Score the test split, and compute all metrics.

    Writes scores.parquet and metrics.json into a folder of the run's evaluations.
    """
    options = EvaluateOptions(run=run, **chosen)
    if options.enhanced is not None:
        from toyadmos_datasets.runs.enhancement_evaluation import evaluate_enhanced

        scored = evaluate_enhanced(options, progress_on_terminal())
        if as_json:
            print_json(scored.as_json())
        else:
            print_lines(enhancement_lines(scored))
        return
    from toyadmos_datasets.runs import evaluation
    from toyadmos_datasets.runs.run_table import runs_in

    found = [evaluation.evaluate(replace(options, run=one), progress_on_terminal()) for one in runs_in([run])]
    if as_json:
        print_json(found[0].as_json() if len(found) == 1 else {"evaluations": [one.as_json() for one in found]})
        return
    for number, one in enumerate(found):
        print_lines([*[""] * bool(number), *evaluation_lines(one)])


def enhancement_lines(found: EnhancementEvaluation) -> list[str]:
    """Return the scores of noise reduction as tables of text."""
    heading = ["group", "clips", "SI-SDR dB", "improvement dB", "SDR improvement dB", "spectral distance dB", "before"]
    rows = [
        [
            f"{one.by} {one.name}".strip(),
            str(one.n_clips),
            f"{one.si_sdr_db:.1f}",
            str(one.si_sdr_improvement_db),
            str(one.sdr_improvement_db),
            f"{one.lsd_db:.1f}",
            f"{one.lsd_mixture_db:.1f}",
        ]
        for one in found.groups
    ]
    lines = [f"{found.enhanced}, against {found.dataset}, {found.config}", *table_lines(heading, rows)]
    if found.n_silent:
        lines.append(f"{found.n_silent} clips whose target is digital silence are left out.")
    if found.detection is not None:
        gain = found.detection
        verdict = "the detector gains" if gain.gain.low > 0 else "no gain is shown"
        lines += [
            "",
            f"{gain.system}: AUC {gain.auc_mixture} with noise, {gain.auc_enhanced} enhanced, {gain.auc_target} clean",
            *gain.marks,
            f"enhanced minus with noise: {gain.gain}, p {gain.p_value:.3f}: {verdict}",
        ]
    return [*lines, "", f"Written: {found.folder}"]


def evaluation_lines(found: Evaluation) -> list[str]:
    """Return an evaluation as tables of text."""
    evaluated = found.evaluated
    return [
        f"{evaluated.system}, seed {evaluated.seed}, on {evaluated.config}",
        *evaluated.marks,
        *lines_of(found.summary),
        "",
        f"Written: {found.folder / 'scores.parquet'}, {found.folder / 'metrics.json'}",
    ]


def lines_of(found: Summary) -> list[str]:
    """Return a summary as tables of text."""
    lines = [
        f"{found.n_normal} normal and {found.n_anomalous} anomalous clips of {found.n_events} events",
        f"clip score: {found.clip_score}",
        *([f"{found.n_infinite} clips have an infinite score"] if found.n_infinite else []),
        *table_lines(["figure", "value [95 % interval]"], _figures(found)),
    ]
    points = [
        [
            one.threshold.told,
            f"{one.threshold.value:.4g}",
            *map(str, (one.precision, one.recall, one.f1, one.false_alarms)),
        ]
        for one in found.decisions
    ]
    lines += ["", *table_lines(["threshold from", "value", "precision", "recall", "F1", "false alarms"], points)]
    if found.dcase:
        rows = [[_dcase_rule(one), *_dcase_cells(one)] for one in found.dcase]
        lines += ["", *table_lines(["DCASE's score", "AUC", "pAUC", "official"], rows)]
    for by in ("domain", "case", "channel", "snr_db", "part", "damage", "condition"):
        groups = found.by(by)
        if len(groups) > 1:
            shown = [
                [one.name, str(one.n_normal), str(one.n_anomalous), str(one.auc), one.share_overlooked.as_percent]
                for one in _shown(groups)
            ]
            more = f", {len(shown)} of {len(groups)}" if len(groups) > len(shown) else ""
            heading = f"{by} (worst first{more})"
            lines += ["", *table_lines([heading, "normal", "anomalous", "AUC [95 %]", "overlooked [95 %]"], shown)]
    return lines


def _figures(found: Summary) -> list[list[str]]:
    loudness = found.loudness
    rows = [
        ["AUC", str(found.auc)],
        ["AUC as the published code computes it", str(found.auc_as_published)],
        ["pAUC, FPR to 0.1, area", str(found.pauc)],
        ["pAUC, FPR to 0.1, McClish", str(found.pauc_mcclish)],
        [f"AUC of loudness alone, {loudness.direction}", str(loudness.auc)],
        ["AUC minus that of loudness", f"{loudness.advantage}: {loudness.verdict}"],
        ["F1 at FPR 10 %", str(found.f1)],
        ["overlooked at FPR 10 %", found.share_overlooked.as_percent],
    ]
    for what, joined in (("cases", found.cases), ("source and target domain", found.domains)):
        if joined is not None:
            rows.append([f"AUC, harmonic mean of {what}", str(joined.auc)])
            rows.append([f"pAUC, McClish, harmonic mean of {what}", str(joined.pauc_mcclish)])
    return rows


def _shown(groups: list[Group]) -> list[Group]:
    """Return the worst groups, and those that have no AUC."""
    rated = [one for one in groups if one.auc.value == one.auc.value]  # NaN is not itself
    return [*rated[:_WORST], *groups[len(rated) :]]


def _dcase_rule(found: DcaseScore) -> str:
    rules = {2020: "2020: means over cases", 2021: "2021: source and target"}
    return rules.get(found.year, f"since {found.year}: each domain's normal clips against all anomalous ones")


def _dcase_cells(found: DcaseScore) -> list[str]:
    official = "-" if found.official is None else f"{found.official:.3f}"
    return [f"{found.auc:.3f}", f"{found.pauc:.3f}", official]


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Evaluated runs, or folders of seeds.", metavar="RUN...")],
    *,
    configs: ConfigsOption = None,
    csv: CsvOption = None,
    latex: LatexOption = None,
    allow_overlap: AllowOverlapOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare evaluated runs, side by side and in pairs.

    Seeds of one system are joined. Pairs are compared clip by clip. The interval is of B's AUC minus A's, of each row
    alone. A difference is clear where its p value, corrected for the number of rows (Holm), is below 0.05 and its
    interval leaves out zero.
    """
    from toyadmos_datasets.runs.comparison import compare_runs
    from toyadmos_datasets.runs.run_table import write_run_table

    found = compare_runs(runs, configs=tuple(configs or ()), allow_overlap=allow_overlap)
    written = write_run_table(found.rows, csv=csv, latex=latex)
    if as_json:
        print_json(found.as_json())
        return
    print_lines(run_lines(found.rows))
    for pair in found.pairs:
        print_lines(["", *_pair_lines(pair)])
    print_lines(f"Written: {path}" for path in written)


def run_lines(rows: Sequence[TableRow]) -> list[str]:
    """Return the table of runs as text, with the marks below it."""
    from toyadmos_datasets.runs.run_table import HEADING, cells_of

    marks = list(dict.fromkeys(mark for row in rows for mark in row.marks))
    shown = [[*cells_of(row)[:-1], " ".join(f"({marks.index(mark) + 1})" for mark in row.marks)] for row in rows]
    return [*table_lines(list(HEADING), shown), *(f"({number}) {mark}" for number, mark in enumerate(marks, start=1))]


def _pair_lines(found: Comparison) -> list[str]:
    rows = []
    for one in found.differences:
        difference = one.difference
        ends = f"[{difference.low:+.3f}, {difference.high:+.3f}]"
        p = f"{one.p_corrected:.3f}" if one.p_corrected >= 0.001 else "< 0.001"
        aucs = (f"{one.auc_a:.3f}", f"{one.auc_b:.3f}", f"{difference.value:+.3f}")
        rows.append([one.name, str(one.n_anomalous), *aucs, ends, p, "clear" if one.is_clear else "-"])
    heading = ["group", "anomalous", "AUC of A", "AUC of B", "B - A", "95 % interval", "p (Holm)", "difference"]
    return [f"A  {found.run_a}", f"B  {found.run_b}, {found.config}", *found.marks, *table_lines(heading, rows)]
