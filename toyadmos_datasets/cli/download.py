"""`toyadmos download`: the recordings come to the disk, and nothing is made of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.fetch_choices import RECORD, IgnoreOption, SourceOption, taking_fetch
from toyadmos_datasets.cli.plan_choices import ToyOption
from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.render_choices import WorkersOption, chosen_workers
from toyadmos_datasets.cli.request import CacheOption, JsonOption
from toyadmos_datasets.cli.words import numbers_of, words_of
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.files.cache import default_cache
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.archive.remote.estimate import Estimate
    from toyadmos_datasets.archive.remote.opening import FetchChoices


@taking_fetch("whole", "parallel", "limit_rate", "manifest", "netrc", "wait", "accept_license")
def download(
    *,
    toy: ToyOption,
    source: SourceOption = RECORD,
    cases: Annotated[str | None, typer.Option(help="Such as 1,2; by default all.", metavar="LIST")] = None,
    channels: Annotated[str | None, typer.Option(help="Such as 1,2; by default all.", metavar="LIST")] = None,
    sounds: Annotated[
        str | None, typer.Option(help="normal, anomalous, noise; by default all.", metavar="LIST")
    ] = None,
    ignore: IgnoreOption = None,
    fetch: FetchChoices,
    cache: CacheOption = None,
    workers: WorkersOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be fetched.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch recordings into the cache and check them.

    What is there already is not fetched again; a run that was interrupted goes on where it stopped.
    """
    from toyadmos_datasets.download import DownloadOptions, foresee
    from toyadmos_datasets.download import download as run

    options = DownloadOptions(
        toy=toy_named(toy).name,
        source=source,
        cache=cache or default_cache(),
        cases=numbers_of(cases, "--cases"),
        channels=numbers_of(channels, "--channels"),
        sounds=tuple(words_of([sounds])) or None,
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


def fetch_lines(found: Estimate) -> list[str]:
    """Say what a fetch would bring."""
    amount = f"{format_bytes(found.n_missing)} of {format_bytes(found.n_in_archive)} in the archive"
    room = f"{format_bytes(found.n_on_disk)} more for what is fetched"
    return [
        f"fetch       {amount}, by {found.way} ({found.why}); {format_bytes(found.n_present)} are there",
        f"            {found.n_members} recordings in {found.n_blocks} blocks of {found.n_blocks_in_archive}",
        f"disk        {room} meanwhile, {format_bytes(found.n_on_disk_at_end)} of archives at the end",
    ]
