"""`toyadmos train`: the reference autoencoder on a prepared config."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.units import format_duration

if TYPE_CHECKING:
    from toyadmos_datasets.baseline.trainer import TrainReport

DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", metavar="NAME")]


def train(
    dataset: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the run.", metavar="RUN")],
    config: Annotated[str | None, typer.Option(help="Config; by default the first.", metavar="NAME")] = None,
    preset: Annotated[
        str, typer.Option(help="paper, code, dcase2020, or a file NAME.toml.", metavar="PRESET")
    ] = "paper",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting, such as epochs=20; can be repeated.", metavar="NAME=VALUE"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of start and order.", metavar="N")] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train the reference autoencoder on normal clips.

    A run that was interrupted goes on where it stopped, to the same weights.
    """
    from toyadmos_datasets.baseline.extra import require_extra
    from toyadmos_datasets.baseline.presets import chosen_preset

    require_extra()
    system = chosen_preset(preset, settings or ())
    from toyadmos_datasets.baseline.trainer import TrainOptions
    from toyadmos_datasets.baseline.trainer import train as run

    options = TrainOptions(dataset=dataset, out=out, config=config, preset=system, seed=seed, device=device)
    report = run(options, progress_on_terminal())
    if as_json:
        print_json(_as_json(report))
    else:
        print_lines(_lines(report))


def _as_json(report: TrainReport) -> dict[str, object]:
    return asdict(report) | {"out": str(report.out)}


def _lines(report: TrainReport) -> list[str]:
    run = report.run
    name = run.preset["name"] if run.preset else "-"
    first = f"Nothing to do: {report.out} holds this run." if report.was_done else f"Trained {report.out}"
    lines = [first, f"system      {name}, seed {run.seed}, on {run.device}", f"data        {run.toy}, {run.config}"]
    if run.is_simulated:
        lines.append("The corpus is SIMULATED: results on it are not results on ToyADMOS.")
    if report.n_resumed and not report.was_done:
        lines.append(f"went on     after {report.n_resumed} epochs of an earlier process")
    lines.append(f"loss        {report.losses[0]:.4g} in the first epoch, {report.losses[-1]:.4g} in the last")
    if not report.was_done:
        lines.append(f"time        {format_duration(report.wall_s)}")
    return [*lines, f"Score it with: toyadmos evaluate {shell_word(report.out)}"]
