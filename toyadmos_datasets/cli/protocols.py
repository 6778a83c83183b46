"""`toyadmos protocols`: the ready-made ways to split and mix."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.fetch_choices import AcceptOption, IgnoreOption, ManifestOption, fetch_choices
from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.render_choices import chosen_workers
from toyadmos_datasets.cli.request import CacheOption, JsonOption
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.cache import default_cache

if TYPE_CHECKING:
    from toyadmos_datasets.plan.listing import ListedProtocol


def protocols(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Folder with the volumes or the extracted tree; record; an address; simulate.", metavar="[SRC]"
        ),
    ] = None,
    *,
    toy: Annotated[str | None, typer.Option("--toy", help="With SRC: car, conveyor or train.", metavar="TOY")] = None,
    ignore: IgnoreOption = None,
    manifest: ManifestOption = None,
    accept_license: AcceptOption = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the protocols, and their counts on a source."""
    from toyadmos_datasets.index import build_index
    from toyadmos_datasets.plan.listing import list_protocols
    from toyadmos_datasets.sources import resolve_source

    if (source is None) != (toy is None):
        raise OptionError(
            "A source goes with a toy.",
            where="--toy" if toy is None else "SRC",
            expected="both, or neither",
            actual="one of them",
            remedy="For instance: toyadmos protocols simulate --toy train",
        )
    listed = list_protocols()
    if source is not None and toy is not None:
        name, choices = toy_named(toy).name, fetch_choices(manifest=manifest, accept_license=accept_license)
        opened = resolve_source(
            source,
            name,
            cache or default_cache(),
            workers=chosen_workers(None),
            progress=progress_on_terminal(),
            fetch=choices,
            ignore=ignore or (),
        )
        listed = list_protocols(build_index(opened.members()), name)
    if as_json:
        print_json([asdict(one) for one in listed])
    else:
        print_lines(_lines(listed))


def _lines(listed: tuple[ListedProtocol, ...]) -> list[str]:
    lines = table_lines(["protocol", "splits", "task"], [[one.name, ", ".join(one.splits), one.task] for one in listed])
    rows = [
        [one.name, count.config, count.split, count.label, str(count.n_events), _clips(one, count.split, count.n_clips)]
        for one in listed
        for count in one.counts or ()
    ]
    if rows:
        lines += ["", *table_lines(["protocol", "config", "split", "label", "events", "clips"], rows)]
    problems = [f"{one.name}: {one.problem}" for one in listed if one.problem is not None]
    return [*lines, *(["", "Not from this source:", *problems] if problems else [])]


def _clips(listed: ListedProtocol, split: str, n_clips: int) -> str:
    return f"at most {n_clips}" if listed.is_upper_bound and split == "train" else str(n_clips)
