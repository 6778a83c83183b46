"""Many runs side by side: a row for each system and config, with the spread over seeds; as text, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from toyadmos_datasets.escaping import latex_text
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.runs.evaluations import (
    Evaluated,
    evaluation_folders,
    find_evaluation,
    read_metrics,
    read_scores_of,
)
from toyadmos_datasets.runs.leakage import Overlap
from toyadmos_datasets.runs.run_folder import RUN_NAME, Run, read_run
from toyadmos_datasets.scores.metrics import auc, partial_auc_mcclish

SEED_FOLDER = re.compile(r"seed-([0-9]{1,19})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRun:
    """One evaluation of one run.

    Attributes:
        run_folder: The run.
        name: Of the evaluation in it.
        run: What it is.
        evaluated: What was scored by what.
        scores: A row a clip.
    """

    run_folder: Path
    name: str
    run: Run
    evaluated: Evaluated
    scores: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure over several seeds.

    Attributes:
        mean: Of the seeds.
        deviation: Standard deviation over the seeds, of a sample (n - 1); None for a single one.
        low: The smallest.
        high: The largest.
    """

    mean: float
    deviation: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of a figure's values, one a seed."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(mean=float(np.mean(values)), deviation=deviation, low=min(values), high=max(values))

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.deviation is None else f"{self.mean:.3f} ± {self.deviation:.3f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A system on a config, over its seeds.

    Attributes:
        toy: ``ToyTrain``.
        trained_on: Config that it was trained on.
        config: Config that was scored.
        system: ``paper``, ``paper*``, or the run's folder for scores from elsewhere.
        clip_score: How clip scores were made.
        seeds: Of the runs, ascending.
        auc: Over the seeds.
        pauc_mcclish: Partial AUC up to FPR 0.1, scaled to 0.5 for chance and 1 for perfection.
        auc_of_loudness: Of the clips' RMS level as the score: what a system has to beat.
        marks: What must be known: unfinished training, changed settings, overlap, a simulated corpus.
    """

    toy: str
    trained_on: str
    config: str
    system: str
    clip_score: str
    seeds: tuple[int, ...]
    auc: Spread
    pauc_mcclish: Spread
    auc_of_loudness: float
    marks: tuple[str, ...]


def runs_in(folders: Iterable[Path]) -> list[Path]:
    """Return the runs that folders are or hold: ``train --seeds`` makes a folder of runs, ``seed-0``, ``seed-1`` ..

    A run that is named twice is returned once.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        for one in _seeds_of(folder) or [folder]:
            found.setdefault(one.resolve(), one)
    return list(found.values())


def _seeds_of(folder: Path) -> list[Path]:
    if (folder / RUN_NAME).exists() or not folder.is_dir():
        return []
    matches = ((SEED_FOLDER.fullmatch(one.name), one) for one in folder.iterdir() if (one / RUN_NAME).exists())
    return [one for _, one in sorted((int(match[1]), one) for match, one in matches if match)]


def read_scored(runs: Iterable[Path], *, config: str | None = None, allow_overlap: bool = False) -> list[ScoredRun]:
    """Read the evaluations of some runs, all of each or those of one config.

    Raises:
        DatasetError: A run is damaged or was not evaluated.
        LeakageError: A run was trained on what it was tested on.
        OptionError: A run has no evaluation of the config.
    """
    found = []
    for run in runs:
        folders = [find_evaluation(run, config)] if config else evaluation_folders(run) or [find_evaluation(run)]
        found += [read_for_table(run, folder, allow_overlap=allow_overlap) for folder in folders]
    return found


def read_for_table(folder: Path, evaluation: Path, *, allow_overlap: bool) -> ScoredRun:
    """Read an evaluation of a run, unless the run was trained on what was tested.

    Raises:
        DatasetError: The run or the evaluation is damaged.
        LeakageError: The run was trained on what it was tested on, and that is not allowed.
    """
    run, evaluated, scores = read_run(folder), read_metrics(evaluation), read_scores_of(evaluation)
    evaluated = replace(evaluated, overlap=_told_again(evaluated, run, scores))
    if not allow_overlap:
        evaluated.overlap.require_clean(f"{folder}, {evaluated.config}")
    return ScoredRun(run_folder=folder, name=evaluation.name, run=run, evaluated=evaluated, scores=scores)


def _told_again(evaluated: Evaluated, run: Run, scores: pa.Table) -> Overlap:
    """Return the overlap that an evaluation tells of, and what its scores show beside: events are not believed."""
    told, tested = evaluated.overlap, set(scores["event_id"].to_pylist())
    events = set(told.events) | (tested & set(run.trained_on.events))
    is_known = told.is_known and bool(run.trained_on.events)
    return replace(told, events=tuple(sorted(events)), n_events=len(tested), is_known=is_known)


def table_rows(scored: Iterable[ScoredRun]) -> list[TableRow]:
    """Return a row for each system on each config, in order of appearance; seeds of one system are joined."""
    groups: dict[tuple[object, ...], list[ScoredRun]] = {}
    for one in scored:
        groups.setdefault(_key(one), []).append(one)
    return [_row(group) for group in groups.values()]


def _key(one: ScoredRun) -> tuple[object, ...]:
    """Return what runs have in common that differ in their seed alone."""
    evaluated, rows = one.evaluated, frozenset(one.scores["recipe_row"].to_pylist())
    elsewhere = one.run_folder if one.run.preset is None else None
    system = (evaluated.system, evaluated.changes, evaluated.clip_score, evaluated.epochs_done, evaluated.epochs)
    return (one.run.toy, one.run.config, one.run.shards_sha256, evaluated.config, rows, system, elsewhere)


def _row(group: Sequence[ScoredRun]) -> TableRow:
    first = group[0]
    marks = [mark for one in group for mark in one.evaluated.marks]
    simulated = ["SIMULATED corpus"] if first.run.is_simulated else []
    labels = [one.scores["label"].to_numpy() for one in group]
    scores = [one.scores["score"].to_numpy() for one in group]
    return TableRow(
        toy=first.run.toy,
        trained_on=first.run.config,
        config=first.evaluated.config,
        system=first.evaluated.system if first.run.preset is not None else first.run_folder.name,
        clip_score=first.evaluated.clip_score,
        seeds=tuple(sorted(one.evaluated.seed for one in group)),
        auc=Spread.of(list(map(auc, labels, scores))),
        pauc_mcclish=Spread.of(list(map(partial_auc_mcclish, labels, scores))),
        auc_of_loudness=auc(labels[0], first.scores["level_db"].to_numpy()),
        marks=tuple(dict.fromkeys([*simulated, *marks])),
    )


HEADING = ("toy", "trained on", "tested on", "system", "seeds", "AUC", "pAUC, McClish", "AUC of loudness", "mark")


def cells_of(row: TableRow) -> list[str]:
    """Return a row as texts, under `HEADING`."""
    figures = [str(row.auc), str(row.pauc_mcclish), f"{row.auc_of_loudness:.3f}"]
    return [row.toy, row.trained_on, row.config, row.system, str(len(row.seeds)), *figures, "; ".join(row.marks)]


def as_csv(rows: Sequence[TableRow]) -> str:
    """Return rows as CSV: a column for each figure's mean, deviation, smallest and largest."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    figures = ("auc", "pauc_mcclish")
    names = [f"{figure}_{part}" for figure in figures for part in ("mean", "deviation", "low", "high")]
    told = ["toy", "trained_on", "config", "system", "clip_score"]
    writer.writerow([*told, "n_seeds", "seeds", *names, "auc_of_loudness", "marks"])
    for row in rows:
        spreads = [value for figure in figures for value in asdict(getattr(row, figure)).values()]
        seeds = [len(row.seeds), " ".join(map(str, row.seeds))]
        known = [getattr(row, name) for name in told]
        writer.writerow([*known, *seeds, *spreads, row.auc_of_loudness, "; ".join(row.marks)])
    return out.getvalue()


def as_latex(rows: Sequence[TableRow]) -> str:
    """Return rows as a LaTeX table that needs the package booktabs; marks are notes below it."""
    marks = list(dict.fromkeys(mark for row in rows for mark in row.marks))
    lines = [r"\begin{tabular}{llllrrrr}", r"\toprule", _latex_line(HEADING[:-1]), r"\midrule"]
    for row in rows:
        notes = ",".join(str(marks.index(mark) + 1) for mark in row.marks)
        *cells, loudness, _ = cells_of(row)
        lines.append(_latex_line([*cells, loudness], f"$^{{{notes}}}$" if notes else ""))
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize $^{{{number}}}$ {latex_text(mark)}" for number, mark in enumerate(marks, start=1)]
    return "\n".join(lines) + "\n"


def _latex_line(cells: Sequence[str], note: str = "") -> str:
    return " & ".join(map(latex_text, cells)) + note + r" \\"


def write_run_table(rows: Sequence[TableRow], *, csv: Path | None, latex: Path | None) -> list[Path]:
    """Write the table of runs as CSV and LaTeX, where that was asked for; return the files."""
    asked = [(csv, as_csv), (latex, as_latex)]
    for path, made in asked:
        if path is not None:
            write_text(path, made(rows))
    return [path for path, _ in asked if path is not None]
