"""`toyadmos prepare`, the main command, and `toyadmos plan`, its preview."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from toyadmos_datasets.cli.audit_command import health_lines
from toyadmos_datasets.cli.cache_commands import fetch_lines
from toyadmos_datasets.cli.command_options import JsonOption, taking_request
from toyadmos_datasets.cli.terminal import (
    found_lines,
    loading_line,
    one_or_all,
    print_json,
    print_lines,
    progress_on_terminal,
    table_lines,
)
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.units import Seconds, format_bytes, format_duration

if TYPE_CHECKING:
    from toyadmos_datasets.jobs.prepare import PrepareReport
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions
    from toyadmos_datasets.jobs.preview import Preview


@taking_request
def prepare(request: PrepareOptions, *, as_json: JsonOption = False) -> None:
    """Make a dataset that datasets.load_dataset opens.

    An interrupted run continues where it stopped. A second run with the same options changes
    nothing.
    """
    from toyadmos_datasets.jobs.prepare import prepare as run

    begun_s = time.monotonic()
    report = run(request, progress_on_terminal())
    if as_json:
        print_json(_as_json(report))
    else:
        print_lines(_lines(report, time.monotonic() - begun_s))


def _as_json(report: PrepareReport) -> dict[str, object]:
    ingested = None if report.ingested is None else asdict(report.ingested)
    return {
        "out": str(report.out),
        "was_done": report.was_done,
        "ingested": ingested,
        "manifest": asdict(report.manifest),
        "as_found": one_or_all([one.as_json() for one in report.as_found]),
    }


def _lines(report: PrepareReport, took_s: Seconds) -> list[str]:
    manifest = report.manifest
    amount = f"{report.n_clips} clips, {format_bytes(report.n_bytes)}"
    lines = [
        f"Nothing to do: {report.out} already holds this dataset, {amount}."
        if report.was_done
        else f"Prepared {report.out} in {format_duration(took_s)}: {amount}"
    ]
    if manifest.source["is_simulated"]:
        lines.append("The corpus is SIMULATED: results on it are not results on ToyADMOS.")
    lines += table_lines(["config", "split", "clips", "hours", "size"], _split_rows(report))
    n_clipped = sum(shard.n_clipped for shard in manifest.shards)
    if n_clipped:
        lines.append(f"Clips that exceed full scale, and stand at full scale there: {n_clipped}")
    if manifest.skipped:
        lines.append(f"Skipped because they could not be used: {len(manifest.skipped)} (listed in manifest.json)")
        lines += [f"  {one.member}: {one.reason.splitlines()[0]}" for one in manifest.skipped[:10]]
    lines += health_lines(manifest.health)
    if report.ingested and report.ingested.n_reused:
        lines.append(
            f"{report.ingested.n_reused} recordings were in the cache, {report.ingested.n_ingested} were read."
        )
    lines += _as_found(report)
    return [*lines, *_notes(report), *_next_lines(report)]


def _split_rows(report: PrepareReport) -> list[list[str]]:
    from toyadmos_datasets.values.shards import clip_seconds

    rows = []
    for config, splits in report.manifest.configs.items():
        rate_hz = report.manifest.request_of(config)["rate_hz"]
        for split, shards in splits.items():
            hours = clip_seconds(report.out, shards, rate_hz) / 3600
            n_clips, n_bytes = (sum(getattr(one, name) for one in shards) for name in ("n_rows", "n_bytes"))
            rows.append([config, split, str(n_clips), f"{hours:.2f}", format_bytes(n_bytes)])
    return rows


def _notes(report: PrepareReport) -> list[str]:
    """Return the notes of the dataset card."""
    from toyadmos_datasets.values.manifest import RECIPE_NAME
    from toyadmos_datasets.values.recipe import read_recipe

    return [f"Note: {note}" for note in read_recipe(report.out / RECIPE_NAME).notes]


def _next_lines(report: PrepareReport) -> list[str]:
    """Return the commands to type next."""
    config, splits = next(iter((report.manifest.joint_configs or report.manifest.configs).items()))
    folder = shell_word(report.out)
    return [
        f"Load it with: {loading_line(report.out, config, next(iter(splits)))}",
        f"Check it with: toyadmos audit {folder}",
        f"Share it with: toyadmos recipe export {folder} --out mine.toyrecipe",
    ]


def _as_found(report: PrepareReport) -> list[str]:
    """Return the content of the source "as found"; for a dataset that already existed, what it tolerated."""
    from toyadmos_datasets.ingest import tolerated_lines

    if report.as_found:
        return found_lines(report.as_found)
    return [line for line in tolerated_lines(report.manifest.oddities) if report.manifest.oddities]


@taking_request
def plan(request: PrepareOptions, *, as_json: JsonOption = False) -> None:
    """Show what prepare would do, without doing it.

    Takes the options of prepare. Tells what prepare would read, decode and write, and how long it would take.
    """
    from toyadmos_datasets.jobs.preview import previews

    found = previews(request, progress_on_terminal())
    if as_json:
        print_json(one_or_all([asdict(one) | {"as_found": one.as_found.as_json()} for one in found]))
        return
    for one in found:
        print_lines([*([one.toy, ""] if len(found) > 1 else []), *_preview_lines(one)])


def _preview_lines(found: Preview) -> list[str]:
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
        *([] if found.conflict is None else ["conflict    prepare would refuse this:"]),
        *(f"{'':<12}{line}" for line in (found.conflict or "").splitlines()),
        f"size        {_sizes(found)}",
        f"time        about {format_duration(found.expected_s)} on {found.workers} workers, by one machine's speed",
        *_unknown(found),
        *_health(found),
        *(f"note        {note}" for note in found.notes),
        "",
        *found.as_found.lines(),
    ]


def _simulated(found: Preview) -> list[str]:
    n_bytes = found.n_simulated_bytes
    return [f"simulate    {format_bytes(n_bytes)} first: the corpus is not there yet"] if n_bytes else []


def _unknown(found: Preview) -> list[str]:
    """Say that it is not known yet whether workers can share a block, if that changes the time."""
    if found.longest_s - found.expected_s < 1:
        return []
    n, longest = found.n_unknown_blocks, format_duration(found.longest_s)
    blocks = "1 large block" if n == 1 else f"{n} large blocks"
    return [f"{'':<12}not known yet: whether several workers can decode {blocks} at once; if not, about {longest}"]


def _health(found: Preview) -> list[str]:
    """Say for how many clips the cache knows the health, and for how many it does not."""
    n, in_all = found.n_unmeasured_clips, found.n_unmeasured_clips + found.health.n_clips_in_all
    in_all += found.health.n_left_out_clips
    why = "their recordings are not in the cache, or they are windows of longer ones"
    if n and n == in_all:
        return [f"health      not measured: {why}"]
    lines = health_lines(found.health, label="health      ")
    return [*lines, f"{'':<12}{n} of {in_all} clips not measured: {why}"] if n else lines


def _sizes(found: Preview) -> str:
    """Return the size of the dataset in each encoding."""
    sizes = (f"{format_bytes(n_bytes)} as {name.upper()}" for name, n_bytes in found.n_bytes_encoded.items())
    return f"about {', '.join(sizes)} (--encoding)"


def _written(found: Preview) -> str:
    if found.state == "done":
        return f"nothing: {found.out} already holds this dataset"
    state = {"cut": ", after what a run that was cut has left there", "replace": ", in place of what is there"}
    state["add"] = ", beside what is there"
    shards = f"{found.n_shards} shards" if found.n_shards != 1 else "1 shard"
    return f"about {format_bytes(found.n_dataset_bytes)} in {shards} to {found.out}{state.get(found.state, '')}"
