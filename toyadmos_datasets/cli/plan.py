"""`toyadmos plan`: what `prepare` with the same options would do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from toyadmos_datasets.cli.download import fetch_lines
from toyadmos_datasets.cli.health import health_lines
from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption, taking_request
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.units import format_bytes, format_duration

if TYPE_CHECKING:
    from toyadmos_datasets.prepare import PrepareOptions
    from toyadmos_datasets.preview import Preview


@taking_request
def plan(request: PrepareOptions, *, as_json: JsonOption = False) -> None:
    """Show what prepare would do, and touch nothing.

    Takes the options of prepare, and tells what would be read, decoded and written, and how long it takes.
    """
    from toyadmos_datasets.preview import preview

    found = preview(request, progress_on_terminal())
    as_values = asdict(found) | {"as_found": found.as_found.as_json()}
    if as_json:
        print_json(as_values)
    else:
        print_lines(_lines(found))


def _lines(found: Preview) -> list[str]:
    rows = [[one.config, one.split, one.label, str(one.n_events), str(one.n_clips)] for one in found.counts]
    return [
        *table_lines(["config", "split", "label", "events", "clips"], rows),
        "",
        f"source      {found.location} ({found.kind})",
        *_simulated(found),
        f"recordings  {found.n_recordings} needed, {found.n_in_cache} of them in the cache",
        f"read        {format_bytes(found.n_packed_bytes)} in {found.n_blocks} blocks of {found.n_blocks_in_source}",
        *(fetch_lines(found.fetch) if found.fetch is not None else []),
        f"decode      {format_bytes(found.n_decoded_bytes)}",
        f"cache       {format_bytes(found.n_store_bytes)} more in {found.store}",
        f"write       {_written(found)}",
        f"time        about {format_duration(found.expected_s)} on {found.workers} workers, by one machine's speed",
        *_health(found),
        *(f"note        {note}" for note in found.notes),
        "",
        *found.as_found.lines(),
    ]


def _simulated(found: Preview) -> list[str]:
    n_bytes = found.n_simulated_bytes
    return [f"simulate    {format_bytes(n_bytes)} first: the corpus is not there yet"] if n_bytes else []


def _health(found: Preview) -> list[str]:
    """Say what the cache knows of the clips, and that it does not know the others."""
    n, in_all = found.n_unmeasured_clips, found.n_unmeasured_clips + found.health.n_clips_in_all
    in_all += found.health.n_left_out_clips
    why = "their recordings are not in the cache, or they are windows of longer ones"
    if n and n == in_all:
        return [f"health      not measured: {why}"]
    lines = health_lines(found.health, label="health      ")
    return [*lines, f"{'':<12}{n} of {in_all} clips not measured: {why}"] if n else lines


def _written(found: Preview) -> str:
    if found.state == "done":
        return f"nothing: {found.out} already holds this dataset"
    state = {"cut": ", after what a run that was cut has left there", "replace": ", in place of what is there"}
    shards = f"{found.n_shards} shards" if found.n_shards != 1 else "1 shard"
    return f"about {format_bytes(found.n_dataset_bytes)} in {shards} to {found.out}{state.get(found.state, '')}"
