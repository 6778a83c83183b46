"""`toyadmos report`: a page about a run, or about a prepared dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.units import format_bytes


def report(
    place: Annotated[Path, typer.Argument(help="An evaluated run, or a prepared dataset.", metavar="RUN|DIR")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.", metavar="FILE")] = Path("report.html"),
    config: Annotated[str | None, typer.Option(help="For a dataset: config.", metavar="NAME")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="For a run: also write its figures, PNG and PDF.", metavar="DIR")
    ] = None,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Leave the clips out, so that it can be shared.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one page about a run or a dataset.

    It is one HTML file, which fetches nothing.
    """
    from toyadmos_datasets.baseline.extra import require_extra

    require_extra()
    from toyadmos_datasets.values.dataset import MANIFEST_NAME

    written = [out]
    if (place / MANIFEST_NAME).exists():
        if figures is not None:
            raise OptionError(
                "Figures for papers are made of runs.",
                where="--figures",
                expected="a run",
                actual=f"{place}, a prepared dataset",
                remedy=f"Leave --figures out: toyadmos report {shell_word(place)}",
            )
        from toyadmos_datasets.baseline.dataset_report import report_dataset

        report_dataset(place, out, progress_on_terminal(), config=config, has_audio=not no_audio)
    else:
        if config is not None:
            raise OptionError(
                "A run is reported on the config that it was scored on.",
                where="--config",
                expected="a prepared dataset",
                actual=f"{place}, a run",
                remedy=f"Score it on another: toyadmos evaluate {shell_word(place)} --config {shell_word(config)}",
            )
        from toyadmos_datasets.baseline.report import report_run

        found = report_run(place, out, has_audio=not no_audio)
        if figures is not None:
            from toyadmos_datasets.baseline.figures import write_figures

            written += write_figures(found, figures)
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    print_lines(f"Written: {path} ({format_bytes(path.stat().st_size)})" for path in written)
