"""`train`, `evaluate`, `compare` and `report` in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from toyadmos_datasets.api.keywords import EvaluateKeywords, StrPath, TrainKeywords, fields_of
from toyadmos_datasets.api.progress_bars import ProgressChoice, chosen_progress
from toyadmos_datasets.api.python_words import in_python_words
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions

if TYPE_CHECKING:
    from toyadmos_datasets.runs.comparison import RunsCompared
    from toyadmos_datasets.runs.enhancement_evaluation import EnhancementEvaluation
    from toyadmos_datasets.runs.evaluations import Evaluation
    from toyadmos_datasets.runs.trainer import TrainReport


@in_python_words()
def train(
    dataset: StrPath, *, out: StrPath, progress: ProgressChoice = None, **options: Unpack[TrainKeywords]
) -> list[TrainReport]:
    """Train a reference detector on the normal clips of a dataset, as `toyadmos train`.

    A run that was interrupted goes on where it stopped, to the same weights.

    Args:
        dataset: A prepared dataset.
        out: Folder of the run.
        progress: As for `prepare`.
        **options: ``config=``, ``preset=``, ``set={"epochs": 20}``, ``seed=``, ``seeds=``,
            ``every_kth_stack=``, ``threads=``, ``device=``.

    Returns:
        A report for each seed; there is one seed by default.
    """
    chosen = fields_of({**options, "out": out}, TrainOptions)
    from toyadmos_datasets.runs.trainer import train_each_seed

    return train_each_seed(TrainOptions(dataset=expanded_path(dataset), **chosen), chosen_progress(progress))


@in_python_words()
def evaluate(
    run: StrPath, *, progress: ProgressChoice = None, **options: Unpack[EvaluateKeywords]
) -> list[Evaluation] | list[EnhancementEvaluation]:
    """Score the test split and tell how well a run does, as `toyadmos evaluate`.

    Args:
        run: A run, or a folder of seeds; with ``scores=`` it is made.
        progress: As for `prepare`.
        **options: ``dataset=``, ``config=``, ``clip_score=``, ``scores=``, ``enhanced=`` and so on, see docs/cli.md.

    Returns:
        An evaluation for each run; with ``enhanced=``, an evaluation of noise reduction.
    """
    chosen = EvaluateOptions(run=expanded_path(run), **fields_of(options, EvaluateOptions))
    if chosen.enhanced is not None:
        from toyadmos_datasets.runs.enhancement_evaluation import evaluate_enhanced

        return [evaluate_enhanced(chosen, chosen_progress(progress))]
    from toyadmos_datasets.runs.evaluation import evaluate as evaluate_run
    from toyadmos_datasets.runs.run_table import runs_in

    shown = chosen_progress(progress)
    return [evaluate_run(replace(chosen, run=one), shown) for one in runs_in([chosen.run])]


@in_python_words()
def compare(*runs: StrPath, config: str | Sequence[str] = (), allow_overlap: bool = False) -> RunsCompared:
    """Compare evaluated runs, side by side and in pairs, as `toyadmos compare`.

    Args:
        *runs: Evaluated runs, or folders of seeds.
        config: Only evaluations of these configs; by default all.
        allow_overlap: Take runs that were tested on what they were trained on, and mark them.
    """
    from toyadmos_datasets.runs.comparison import compare_runs

    configs = (config,) if isinstance(config, str) else tuple(config)
    return compare_runs([expanded_path(one) for one in runs], configs=configs, allow_overlap=allow_overlap)


@in_python_words()
def report(
    *folders: StrPath,
    out: StrPath = "report.html",
    config: str | None = None,
    figures: StrPath | None = None,
    tables: StrPath | None = None,
    csv: StrPath | None = None,
    latex: StrPath | None = None,
    audio: bool = True,
    allow_overlap: bool = False,
    progress: ProgressChoice = None,
) -> list[Path]:
    """Write one page about a run, several runs or a dataset, as `toyadmos report`.

    Args:
        *folders: Evaluated runs, folders of seeds, or a prepared dataset.
        out: The page, one HTML file that fetches nothing.
        config: Config of a dataset, by default the first; or which evaluation of a run.
        figures: For a run: folder for its figures, PNG at 300 dpi and PDF.
        tables: Folder for the tables of the page, CSV and LaTeX.
        csv: File for the table of runs.
        latex: The same for LaTeX; it needs booktabs.
        audio: Whether clips can be played; False makes a page that can be passed on.
        allow_overlap: Take runs that were tested on what they were trained on, and mark them.
        progress: As for `prepare`.

    Returns:
        The files that were written, the page first.
    """
    from toyadmos_datasets.reports import reporting

    places = {"figures": figures, "tables": tables, "csv": csv, "latex": latex}
    options = reporting.ReportOptions(
        folders=[expanded_path(one) for one in folders],
        out=expanded_path(out),
        config=config,
        has_audio=audio,
        allow_overlap=allow_overlap,
        **{name: None if place is None else expanded_path(place) for name, place in places.items()},
    )
    return reporting.report(options, chosen_progress(progress))
