"""`toyadmos export` and `toyadmos report`: a dataset as others' tools expect it, and as a page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import JsonOption
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.exporting import ExportReport


def export(
    folder: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    *,
    layout: Annotated[str, typer.Option(help="dcase2020, dcase2023, wav, webdataset or lhotse.", metavar="LAYOUT")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the export.", metavar="DIR")],
    config: Annotated[str | None, typer.Option(help="Config; by default the first.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a config as the files that other tools expect.

    Labels and all columns stand in labels.csv beside them. The corpus's licence holds for the copy as well.
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
    folder: Annotated[Path, typer.Argument(help="An evaluated run, or a prepared dataset.", metavar="RUN|DIR")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.", metavar="FILE")] = Path("report.html"),
    config: Annotated[
        str | None, typer.Option(help="For a dataset: config; by default the first.", metavar="NAME")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="For a run: folder for its figures, PNG at 300 dpi and PDF.", metavar="DIR")
    ] = None,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Leave the clips out, so that it can be shared.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one page about a run or a dataset.

    It is one HTML file, which fetches nothing.
    """
    from toyadmos_datasets.files.installing import require_extra

    require_extra("report")
    from toyadmos_datasets.values.manifest import MANIFEST_NAME

    written = [out]
    if (folder / MANIFEST_NAME).exists():
        if figures is not None:
            raise OptionError(
                "Figures for papers are made of runs.",
                where="--figures",
                expected="a run",
                actual=f"{folder}, a prepared dataset",
                remedy=f"Leave --figures out: toyadmos report {shell_word(folder)}",
            )
        from toyadmos_datasets.reports.dataset_report import report_dataset

        report_dataset(folder, out, progress_on_terminal(), config=config, has_audio=not no_audio)
    else:
        if config is not None:
            raise OptionError(
                "A run is reported on the config that it was scored on.",
                where="--config",
                expected="a prepared dataset",
                actual=f"{folder}, a run",
                remedy=f"Score it on another: toyadmos evaluate {shell_word(folder)} --config {shell_word(config)}",
            )
        require_extra("train")
        from toyadmos_datasets.reports.run_report import report_run

        found = report_run(folder, out, has_audio=not no_audio)
        if figures is not None:
            from toyadmos_datasets.reports.paper_figures import write_figures

            written += write_figures(found, figures)
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    print_lines(f"Written: {path} ({format_bytes(path.stat().st_size)})" for path in written)
