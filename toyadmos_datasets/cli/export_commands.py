"""`toyadmos export` and `toyadmos report`: a dataset as files for other tools, and as a page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import JsonOption
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal
from toyadmos_datasets.cli.training_commands import AllowOverlapOption, CsvOption, LatexOption
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.exporting import ExportReport


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
    from toyadmos_datasets.reports.reporting import ReportOptions
    from toyadmos_datasets.reports.reporting import report as run

    options = ReportOptions(
        folders=folders,
        out=out,
        config=config,
        figures=figures,
        tables=tables,
        csv=csv,
        latex=latex,
        has_audio=not no_audio,
        allow_overlap=allow_overlap,
    )
    written = run(options, progress_on_terminal())
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    print_lines(f"Written: {path} ({format_bytes(path.stat().st_size)})" for path in written)
