"""`report`: one page about a run, several runs or a dataset, and what is written beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.installing import require_extra
from toyadmos_datasets.runs.run_table import read_scored, runs_in, table_rows, write_run_table
from toyadmos_datasets.values.manifest import MANIFEST_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What a page is about, and what is written.

    Attributes:
        folders: Evaluated runs, folders of seeds, or one prepared dataset.
        out: The page.
        config: Config of a dataset, by default the first; or which evaluation of a run.
        figures: Folder for the figures of one run, PNG and PDF.
        tables: Folder for the tables of a page, CSV and LaTeX.
        csv: File for the table of runs.
        latex: The same for LaTeX.
        has_audio: Whether clips can be played.
        allow_overlap: Whether what was tested may have been trained on; the page marks it.
    """

    folders: Sequence[Path]
    out: Path
    config: str | None = None
    figures: Path | None = None
    tables: Path | None = None
    csv: Path | None = None
    latex: Path | None = None
    has_audio: bool = True
    allow_overlap: bool = False


def report(options: ReportOptions, progress: Progress | None = None) -> list[Path]:
    """Write one page, and what was asked for beside it.

    Returns:
        The files, the page first.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DatasetError: A run or the dataset is damaged, or a run was not evaluated.
        LeakageError: A run was tested on what it was trained on.
        OptionError: Something is asked of a dataset or of several runs that is made of one run.
    """
    require_extra("report")
    if (options.folders[0] / MANIFEST_NAME).exists():
        return [options.out, *_report_dataset(options, progress)]
    written = [options.out, *_report_runs(options)]
    if options.csv is not None or options.latex is not None:
        scored = read_scored(runs_in(options.folders), config=options.config, allow_overlap=options.allow_overlap)
        written += write_run_table(table_rows(scored), csv=options.csv, latex=options.latex)
    return written


def _report_dataset(options: ReportOptions, progress: Progress | None) -> list[Path]:
    folder, *more = options.folders
    asked = {"--figures": options.figures, "--csv": options.csv, "--latex": options.latex}
    for name, value in (asked | {"RUN": more[0] if more else None}).items():
        if value is not None:
            raise OptionError(
                "Tables and figures for papers are made of runs.",
                where=name,
                expected="a run",
                actual=f"{folder}, a prepared dataset",
                remedy=f"Leave {name} out: toyadmos report {shell_word(folder)}",
            )
    from toyadmos_datasets.reports.dataset_report import report_dataset  # noqa: PLC0415  # needs the extra
    from toyadmos_datasets.reports.report_tables import write_report_tables  # noqa: PLC0415  # the same

    made = report_dataset(folder, options.out, progress, config=options.config, has_audio=options.has_audio)
    return [] if options.tables is None else write_report_tables(made, options.tables)


def _report_runs(options: ReportOptions) -> list[Path]:
    """Write the page of a run, or of several side by side; return what was written beside it."""
    runs = runs_in(options.folders)
    if len(runs) > 1:
        _require_one_run(runs, "--figures", options.figures, "Figures for papers are")
        _require_one_run(runs, "--tables", options.tables, "The tables of a page are")
        from toyadmos_datasets.reports.runs_page import report_runs  # noqa: PLC0415  # needs the extra

        report_runs(runs, options.out, config=options.config, allow_overlap=options.allow_overlap)
        return []
    from toyadmos_datasets.reports.paper_figures import write_figures  # noqa: PLC0415  # needs the extra
    from toyadmos_datasets.reports.report_tables import write_report_tables  # noqa: PLC0415  # the same
    from toyadmos_datasets.reports.run_report import report_run  # noqa: PLC0415  # the same

    made = report_run(
        runs[0],
        options.out,
        config=options.config,
        has_audio=options.has_audio,
        allow_overlap=options.allow_overlap,
    )
    written = [] if options.tables is None else write_report_tables(made.tables, options.tables)
    return written if options.figures is None else [*written, *write_figures(made.found, options.figures)]


def _require_one_run(runs: Sequence[Path], name: str, value: Path | None, what: str) -> None:
    """Raise where something is asked of several runs that is made of one."""
    if value is not None:
        raise OptionError(
            f"{what} made of one run.",
            where=name,
            expected="one run",
            actual=f"{len(runs)} runs",
            remedy=f"Make them of each: toyadmos report {shell_word(runs[0])} {name} DIR",
        )
