"""`toyadmos export` and `toyadmos report`: a dataset as files for other tools, and as a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import JsonOption
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal
from toyadmos_datasets.cli.training_commands import AllowOverlapOption, CsvOption, LatexOption, write_tables
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.exporting import ExportReport
    from toyadmos_datasets.reports.report_tables import Table


def export(
    folder: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    *,
    layout: Annotated[
        str, typer.Option(help="Layout: dcase2020, dcase2023, dcase2026, wav, webdataset or lhotse.", metavar="LAYOUT")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the export.", metavar="DIR")],
    config: Annotated[str | None, typer.Option(help="Config to export; by default the first.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a config as the files that other tools expect.

    Labels and all other columns go into labels.csv beside them. The corpus's licence also holds for the copy.
    """
    from toyadmos_datasets.exporting import ExportOptions, export_dataset

    options = ExportOptions(folder=folder, layout=layout, out=out, config=config)
    report = export_dataset(options, progress_on_terminal())
    if as_json:
        print_json(asdict(report))
    else:
        print_lines(_lines(report))


def _lines(report: ExportReport) -> list[str]:
    counts = ", ".join(f"{n} {split}" for split, n in report.n_clips.items())
    begin = "Nothing to do: already exported" if report.was_done else "Exported"
    lines = [f"{begin}: {report.out} ({report.config} as {report.layout}: {counts})"]
    if report.n_samples is not None:
        lines.append(f"All clips are {report.n_samples} samples long, as the shortest is.")
    lines += [
        f"Left out: {n} clips of {split}, for which the layout has no place" for split, n in report.left_out.items()
    ]
    return lines


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Evaluated runs, folders of seeds, or a prepared dataset.", metavar="RUN|DIR..."),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the page.", metavar="FILE")] = Path("report.html"),
    config: Annotated[
        str | None,
        typer.Option(
            help="Config of a dataset, by default the first; for a run, the evaluation to show.", metavar="NAME"
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="For a run: also write its figures to DIR, as PNG (300 dpi) and PDF.", metavar="DIR"),
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option(help="For a run or a dataset: also write its tables to DIR, as CSV and LaTeX.", metavar="DIR"),
    ] = None,
    csv: CsvOption = None,
    latex: LatexOption = None,
    allow_overlap: AllowOverlapOption = False,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Leave the clips out, so that you may share the page.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one page about a run, several runs, or a dataset.

    The page is one HTML file that needs no network.
    """
    from toyadmos_datasets.files.installing import require_extra

    require_extra("report")
    from toyadmos_datasets.values.manifest import MANIFEST_NAME

    (folder, *more) = folders
    written = [out]
    if (folder / MANIFEST_NAME).exists():
        asked = {"--figures": figures, "--csv": csv, "--latex": latex, "RUN": more[0] if more else None}
        _require_a_run(folder, asked)
        from toyadmos_datasets.reports.dataset_report import report_dataset

        made = report_dataset(folder, out, progress_on_terminal(), config=config, has_audio=not no_audio)
        written += _write_tables(made, tables)
    else:
        asked_for = _Asked(figures=figures, tables=tables, has_audio=not no_audio, allow_overlap=allow_overlap)
        written += _report_runs(folders, out, asked_for, config=config)
        if csv is not None or latex is not None:
            from toyadmos_datasets.runs.run_table import read_scored, runs_in, table_rows

            scored = read_scored(runs_in(folders), config=config, allow_overlap=allow_overlap)
            written += write_tables(table_rows(scored), csv=csv, latex=latex)
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    print_lines(f"Written: {path} ({format_bytes(path.stat().st_size)})" for path in written)


def _require_a_run(folder: Path, asked: dict[str, Path | None]) -> None:
    """Raise if an option for runs is given with a dataset."""
    for name, value in asked.items():
        if value is not None:
            raise OptionError(
                "Tables and figures for papers are made of runs.",
                where=name,
                expected="a run",
                actual=f"{folder}, a prepared dataset",
                remedy=f"Leave {name} out: toyadmos report {shell_word(folder)}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Options of the page of one run or several.

    Attributes:
        figures: Folder for the figures of one run.
        tables: Folder for its tables.
        has_audio: Whether clips can be played.
        allow_overlap: Whether what was tested may have been trained on.
    """

    figures: Path | None
    tables: Path | None
    has_audio: bool
    allow_overlap: bool


def _report_runs(folders: list[Path], out: Path, asked: _Asked, *, config: str | None) -> list[Path]:
    """Write the page of a run, or of several side by side; return the files written beside it."""
    from toyadmos_datasets.runs.run_table import runs_in

    runs = runs_in(folders)
    if len(runs) > 1:
        _require_one_run(runs, "--figures", asked.figures, "Figures for papers are")
        _require_one_run(runs, "--tables", asked.tables, "The tables of a page are")
        from toyadmos_datasets.reports.runs_page import report_runs

        report_runs(runs, out, config=config, allow_overlap=asked.allow_overlap)
        return []
    from toyadmos_datasets.reports.run_report import report_run

    made = report_run(runs[0], out, config=config, has_audio=asked.has_audio, allow_overlap=asked.allow_overlap)
    written = _write_tables(made.tables, asked.tables)
    if asked.figures is not None:
        from toyadmos_datasets.reports.paper_figures import write_figures

        written += write_figures(made.found, asked.figures)
    return written


def _require_one_run(runs: list[Path], name: str, value: Path | None, what: str) -> None:
    """Raise if an option for one run is given with several."""
    if value is not None:
        raise OptionError(
            f"{what} made of one run.",
            where=name,
            expected="one run",
            actual=f"{len(runs)} runs",
            remedy=f"Make them of each: toyadmos report {shell_word(runs[0])} {name} DIR",
        )


def _write_tables(tables: list[Table], folder: Path | None) -> list[Path]:
    """Write the tables of a page, if requested; return the files."""
    if folder is None:
        return []
    from toyadmos_datasets.reports.report_tables import write_report_tables

    return write_report_tables(tables, folder)
