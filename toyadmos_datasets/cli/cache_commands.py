"""`toyadmos download`, `toyadmos simulate` and `toyadmos cache`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toyadmos_datasets.cli.command_options import (
    CacheOption,
    IgnoreOption,
    JsonOption,
    SourceOption,
    ToyOption,
    WorkersOption,
    chosen_workers,
    taking,
    taking_fetch,
)
from toyadmos_datasets.cli.terminal import (
    print_json,
    print_lines,
    progress_on_terminal,
    table_lines,
)
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.files.address import RECORD
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.options.fetch_choices import DownloadOptions, FetchChoices
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.values.source import FetchEstimate


def cache(
    *,
    cache: CacheOption = None,
    clean: Annotated[bool, typer.Option("--clean", help="Delete the entries that --toy and --kind choose.")] = False,
    toy: Annotated[
        str | None, typer.Option(help="Only entries of this toy: car, conveyor or train.", metavar="TOY")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Only entries of this kind: archives (copies of volumes), recordings (ingested), simulated (corpora), "
            "features (of clips used for training or scoring), or datasets (shared ones with their audio filled in).",
            metavar="KIND",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what the cache holds, or delete it.

    Everything in the cache can be made or fetched again. Entries that a running command uses are not deleted.
    """
    from toyadmos_datasets.jobs.cache import list_cache, remove_entry, require_kind

    chosen, wanted = None if toy is None else toy_named(toy).name, None if kind is None else require_kind(kind)
    folder = cache or default_cache()
    entries = [
        one
        for one in list_cache(folder)
        if (chosen is None or one.toy == chosen) and (wanted is None or one.kind == wanted)
    ]
    if clean:
        for entry in entries:
            remove_entry(entry)
    if as_json:
        rows = [{"kind": one.kind, "toy": one.toy, "path": str(one.path), "n_bytes": one.n_bytes} for one in entries]
        print_json({"folder": str(folder), "is_deleted": clean, "entries": rows})
        return
    table = [[one.kind, one.toy, format_bytes(one.n_bytes), one.path.name] for one in entries]
    total = format_bytes(sum(one.n_bytes for one in entries))
    end = f"{total} deleted from {folder}" if clean else f"{total} in {folder}"
    print_lines([*table_lines(["kind", "toy", "size", "folder"], table), end] if entries else [end])


@taking(DownloadOptions)
@taking_fetch("whole", "parallel", "bytes_per_s", "requests_per_minute", "manifest", "netrc", "wait", "accept_license")
def download(
    *,
    toy: ToyOption,
    source: SourceOption = RECORD,
    chosen: dict[str, Any],
    ignore: IgnoreOption = None,
    fetch: FetchChoices,
    cache: CacheOption = None,
    workers: WorkersOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be fetched, without fetching it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch recordings into the cache and check them.

    Recordings that are already there are not fetched again. An interrupted run continues where it stopped.
    """
    from toyadmos_datasets.jobs.download import download as run
    from toyadmos_datasets.jobs.download import foresee

    options = DownloadOptions(
        toy=toy_named(toy).name,
        source=source,
        cache=cache or default_cache(),
        **chosen,
        fetch=fetch,
        workers=chosen_workers(workers),
        ignore=tuple(ignore or ()),
    )
    if dry_run:
        found = foresee(options, progress_on_terminal())
        if as_json:
            print_json(asdict(found))
        else:
            print_lines(fetch_lines(found))
        return
    report = run(options, progress_on_terminal())
    if as_json:
        print_json({"folder": str(report.folder), "estimate": asdict(report.estimate)})
        return
    got = report.estimate
    print_lines([f"{got.n_members} recordings in {got.n_blocks} blocks are in {report.folder}, checked."])


def fetch_lines(found: FetchEstimate) -> list[str]:
    """Print what a fetch would bring."""
    amount = f"{format_bytes(found.n_missing)} of {format_bytes(found.n_in_archive)} in the archive"
    room = f"{format_bytes(found.n_on_disk)} more for what is fetched"
    return [
        f"fetch       {amount}, by {found.way} ({found.why}); {format_bytes(found.n_present)} are there",
        f"            {found.n_members} recordings in {found.n_blocks} blocks of {found.n_blocks_in_archive}",
        f"disk        {room} meanwhile, {format_bytes(found.n_on_disk_at_end)} of archives at the end",
    ]


def simulate(
    *,
    toy: ToyOption,
    out: Annotated[Path, typer.Option(help="Folder for the tree and the volumes.", metavar="DIR", file_okay=False)],
    size: Annotated[str, typer.Option(help="Size of the corpus: tiny, small or medium.", metavar="SIZE")] = "small",
    seed: Annotated[int, typer.Option(min=0, help="Seed; another seed gives other recordings.", metavar="N")] = 0,
    tree: Annotated[bool, typer.Option(help="Write the extracted tree.")] = True,
    volumes: Annotated[bool, typer.Option(help="Write the split volumes.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Synthesise a small corpus.

    It has the layout, names, damage patterns and volumes of the real corpus, but none of its recordings.
    """
    from toyadmos_datasets.simulation import simulate as run

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
