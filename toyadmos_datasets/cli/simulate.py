"""`toyadmos simulate`: a corpus for who has no archives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toyadmos_datasets.cli.plan_choices import ToyOption
from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.units import format_bytes


def simulate(
    *,
    toy: ToyOption,
    out: Annotated[Path, typer.Option(help="Folder for the tree and the volumes.", metavar="DIR", file_okay=False)],
    size: Annotated[str, typer.Option(help="tiny, small or medium.", metavar="SIZE")] = "small",
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other recordings.", metavar="N")] = 0,
    tree: Annotated[bool, typer.Option(help="Write the extracted tree.")] = True,
    volumes: Annotated[bool, typer.Option(help="Write the split volumes.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Synthesise a small corpus.

    It has the real layout, names, damage patterns and volumes, and none of the recordings.
    """
    from toyadmos_datasets.simulate import simulate as run

    chosen = toy_named(toy)
    with progress_on_terminal().stage(f"Simulating {chosen.name} ({size})", 100, "%") as on_progress:
        corpus = run(
            chosen.name,
            out,
            size=size,
            seed=seed,
            tree=tree,
            volumes=volumes,
            report=lambda done, total: on_progress(100 * done // max(total, 1)),
        )
    facts = {"tree": corpus.tree, "volumes": corpus.volumes}
    if as_json:
        places = {name: None if path is None else str(path) for name, path in facts.items()}
        print_json({"n_recordings": corpus.n_recordings, "n_bytes": corpus.n_bytes} | places, indent=None)
        return
    print_lines([f"{corpus.n_recordings} simulated recordings, {format_bytes(corpus.n_bytes)}"])
    for name, path in facts.items():
        if path is not None:
            print_lines([f"  {name + ':':<9} {path}"])
