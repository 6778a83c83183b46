"""`toyadmos report RUN`: training, scores and errors of a run, on one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.reports.band_section import band_section
from toyadmos_datasets.reports.html_page import Head, notes, write_page
from toyadmos_datasets.reports.level_section import level_section
from toyadmos_datasets.reports.page_commands import run_commands
from toyadmos_datasets.reports.report_tables import Table
from toyadmos_datasets.reports.reported_run import ReportedRun, read_evaluated
from toyadmos_datasets.reports.run_sections import (
    charts_of_run,
    figure_table,
    group_sections,
    threshold_table,
    worst_clips,
)
from toyadmos_datasets.scores.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What was written of a run.

    Attributes:
        found: The run.
        tables: The tables of its page.
    """

    found: ReportedRun
    tables: list[Table]


def report_run(
    folder: Path, out: Path, *, config: str | None = None, has_audio: bool = True, allow_overlap: bool = False
) -> RunReport:
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
    figures, thresholds = figure_table(found.summary), threshold_table(found.summary)
    groups = group_sections(found.summary, found.split.toy)
    levels = level_section(found.scores, config=found.split.config, split="test")
    bands = band_section(found)
    write_page(
        out,
        "run.html.j2",
        _head(found, out, has_audio=has_audio),
        {
            "figures": figures,
            "charts_of_run": charts_of_run(found),
            "thresholds": thresholds,
            "bands": bands,
            "groups": groups,
            "levels": levels,
            "worst": worst_clips(found, has_audio=has_audio),
            "facts": _facts(found),
        },
    )
    of_bands = [bands.table] if bands is not None else []
    return RunReport(found=found, tables=[figures, thresholds, *of_bands, *(one.table for one in groups), levels.table])


def _head(found: ReportedRun, out: Path, *, has_audio: bool) -> Head:
    summary, folder = found.summary, found.folder
    audio = [] if has_audio else ["--no-audio"]
    written = shell_line("toyadmos", "report", folder, "--config", found.evaluation.name, "-o", out, *audio)
    return Head(
        title=found.name,
        verdict=verdict_of(summary),
        totals=f"{summary.n_normal} normal and {summary.n_anomalous} anomalous test clips of {summary.n_events} "
        f"events; trained on {found.run.dataset}, {found.run.config}.",
        commands=[*run_commands(folder, found.run, found.evaluated), written],
        notes=[*notes(is_simulated=found.run.is_simulated, has_audio=has_audio), *found.evaluated.marks],
        kind="run",
        datasets=sorted({found.run.recipe_sha256, found.evaluated.recipe_sha256}),
    )


def verdict_of(summary: Summary) -> str:
    """Say in three sentences how well a system does."""
    loudness = summary.loudness
    if loudness.is_beaten:
        against = "It beats"
    else:
        against = "It is not clear that it beats" if loudness.advantage.value > 0 else "It does not beat"
    overlooked = summary.share_overlooked.value
    return (
        f"AUC {summary.auc}. {against} loudness alone ({loudness.auc.value:.3f}). "
        f"At FPR 10 % it overlooks {overlooked:.0%} of the damaged clips."
    )


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
