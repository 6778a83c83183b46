"""`toyadmos cache`: what the cache holds, and letting go of it."""

from __future__ import annotations

from typing import Annotated

import typer

from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.request import CacheOption, JsonOption
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.files.cache import default_cache
from toyadmos_datasets.units import format_bytes


def cache(
    *,
    cache: CacheOption = None,
    clean: Annotated[bool, typer.Option("--clean", help="Delete what --toy and --kind name.")] = False,
    toy: Annotated[str | None, typer.Option(help="Only what is of car, conveyor or train.", metavar="TOY")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only archives, recordings, simulated or features.", metavar="KIND")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what the cache holds, or delete it.

    All of it can be made or fetched again. What a running command uses is not deleted.
    """
    from toyadmos_datasets.upkeep import list_cache, remove_entry, require_kind

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
