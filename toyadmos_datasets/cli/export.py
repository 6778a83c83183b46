"""`toyadmos export`: a dataset as the files and names that others' tools expect."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption

if TYPE_CHECKING:
    from toyadmos_datasets.export import ExportReport


def export(
    folder: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    *,
    layout: Annotated[str, typer.Option(help="dcase2020, dcase2023, wav, webdataset or lhotse.", metavar="LAYOUT")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the export.", metavar="DIR")],
    config: Annotated[str | None, typer.Option(help="Which config; by default the first.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a config as the files that other tools expect.

    Labels and all columns stand in labels.csv beside them. The corpus's licence holds for the copy as well.
    """
    from toyadmos_datasets.export import ExportOptions, export_dataset

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
