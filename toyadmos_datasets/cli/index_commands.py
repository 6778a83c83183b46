"""`toyadmos index` and `toyadmos protocols`: the content of a source, and the protocols."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import (
    AcceptOption,
    CacheOption,
    IgnoreOption,
    JsonOption,
    ManifestOption,
    StrictOption,
    ToysOption,
    fetch_choices,
)
from toyadmos_datasets.cli.terminal import (
    found_lines,
    one_or_all,
    print_json,
    print_lines,
    progress_on_terminal,
    table_lines,
)
from toyadmos_datasets.corpus.toys import ALL_CASES
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.jobs.indexing import IndexReport
    from toyadmos_datasets.planning.recipe_plan import ListedProtocol


_SUMMARY = ("toy", "case", "sound", "type", "conditions", "microphones", "recordings", "size")
_SHOWN = ("recording_id", "sound", "channel", "n_bytes", "crc32", "block", "condition_text")


def index(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder with the volumes or the extracted tree, record, an address, or simulate.", metavar="SRC"
        ),
    ],
    *,
    toy: ToysOption,
    out: Annotated[
        Path | None, typer.Option(help="Write the whole index as Parquet.", metavar="FILE", dir_okay=False)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Describe the source in a file without audio, for a bug report.", metavar="FILE", dir_okay=False
        ),
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Print a row for every recording.")] = False,
    ignore: IgnoreOption = None,
    strict: StrictOption = False,
    manifest: ManifestOption = None,
    accept_license: AcceptOption = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the recordings of a source without decoding any.

    Compares the counts with the published ones, and tells what is missing and what is odd but accepted.
    """
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out
    from toyadmos_datasets.jobs.indexing import IndexOptions
    from toyadmos_datasets.jobs.indexing import index as run

    keep_pandas_out()
    options = IndexOptions(
        source=source,
        toy=toy,
        cache=cache or default_cache(),
        out=out,
        report=report,
        ignore=ignore or (),
        strict=strict,
        fetch=fetch_choices(manifest=manifest, accept_license=accept_license),
    )
    _print_index(run(options, progress_on_terminal()), out=out, rows=rows, as_json=as_json)


def _print_index(found: IndexReport, *, out: Path | None, rows: bool, as_json: bool) -> None:
    """Print the index, as a summary or as rows, and the comparison with the published counts."""
    if as_json:
        told = one_or_all([one.as_json() for one in found.as_found])
        print_json({"recordings": found.table.to_pylist(), "as_found": told}, indent=None)
        return
    if rows:
        shown = [[_cell(name, row[name]) for name in _SHOWN] for row in found.table.select(_SHOWN).to_pylist()]
        print_lines(table_lines(_SHOWN, shown))
    else:
        print_lines([*table_lines(_SUMMARY, _summary(found)), "--rows prints every recording, --out FILE writes them."])
    blocks = f"{found.n_blocks} blocks ({found.kind}), {format_bytes(found.n_packed_bytes)} on disk."
    written = "" if out is None else f" Written to {out}."
    print_lines([f"{len(found.table)} recordings in {blocks}{written}", *found_lines(found.as_found)], err=True)


def _summary(found: IndexReport) -> list[list[str]]:
    """Count recordings and conditions by case, sound and type."""
    keys = ["toy", "case", "sound", "recording_type"]
    counted = found.table.group_by(keys, use_threads=False).aggregate(
        [("recording_id", "count"), ("condition", "count_distinct"), ("channel", "count_distinct"), ("n_bytes", "sum")]
    )
    rows = counted.sort_by([(key, "ascending") for key in keys]).to_pylist()
    return [
        [
            row["toy"],
            "all" if row["case"] == ALL_CASES else str(row["case"]),
            row["sound"],
            row["recording_type"],
            str(row["condition_count_distinct"]),
            str(row["channel_count_distinct"]),
            str(row["recording_id_count"]),
            format_bytes(row["n_bytes_sum"]),
        ]
        for row in rows
    ]


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    return f"{value:08x}" if name == "crc32" else str(value)


def protocols(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Folder with the volumes or the extracted tree, record, an address, or simulate.", metavar="[SRC]"
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
    from toyadmos_datasets.ingest import build_index
    from toyadmos_datasets.planning.recipe_plan import list_protocols

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
        from toyadmos_datasets.jobs.indexing import IndexOptions, opened_source

        fetch = fetch_choices(manifest=manifest, accept_license=accept_license)
        options = IndexOptions(source=source, toy=toy, cache=cache or default_cache(), ignore=ignore or (), fetch=fetch)
        opened = opened_source(options, progress_on_terminal())
        listed = list_protocols(build_index(opened.members()), opened.toy)
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
