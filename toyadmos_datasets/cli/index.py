"""`toyadmos index`: what a source holds, from its names and headers alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.fetch_choices import AcceptOption, IgnoreOption, ManifestOption, StrictOption, fetch_choices
from toyadmos_datasets.cli.plan_choices import ToyOption
from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.render_choices import chosen_workers
from toyadmos_datasets.cli.request import CacheOption, JsonOption
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.files.cache import default_cache
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from toyadmos_datasets.index import VolumeSize
    from toyadmos_datasets.values.source import Source

_SHOWN = ("recording_id", "sound", "channel", "n_bytes", "crc32", "block", "condition_text")


def index(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder with the volumes or the extracted tree; record; an address; simulate.", metavar="SRC"
        ),
    ],
    *,
    toy: ToyOption,
    out: Annotated[
        Path | None, typer.Option(help="Write the whole index as Parquet.", metavar="FILE", dir_okay=False)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write what the source is made of, without audio, for a bug report.", metavar="FILE", dir_okay=False
        ),
    ] = None,
    ignore: IgnoreOption = None,
    strict: StrictOption = False,
    manifest: ManifestOption = None,
    accept_license: AcceptOption = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the recordings in a source, without decoding any.

    Tells what agrees with the published counts, what is missing, and what is odd and tolerated.
    """
    from toyadmos_datasets.engine.memory import keep_pandas_out
    from toyadmos_datasets.files.json import write_json
    from toyadmos_datasets.index import as_found, require_sound, source_report, survey_source
    from toyadmos_datasets.sources import require_outside, resolve_source
    from toyadmos_datasets.values.index import write_index

    keep_pandas_out()
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
    require_outside(opened, *(place for place in (out, report) if place is not None))
    indexed = survey_source(opened)
    if report is not None:  # also, and all the more, of a source that cannot be indexed
        write_json(report, source_report(indexed, opened, _volumes_of(opened)))
    require_sound(indexed, opened.location, is_strict=strict)
    table, found = indexed.table, as_found(indexed, opened)
    if out is not None:
        write_index(table, out)
    if as_json:
        print_json({"recordings": _with_words(table).to_pylist(), "as_found": found.as_json()}, indent=None)
        return
    if out is None:
        rows = [[_cell(name, row[name]) for name in _SHOWN] for row in _with_words(table).select(_SHOWN).to_pylist()]
        print_lines(table_lines(_SHOWN, rows))
    n_bytes = sum(block.n_packed_bytes for block in opened.blocks())
    written = f" Written to {out}." if out is not None else ""
    amount = (
        f"{len(table)} recordings in {len(opened.blocks())} blocks ({opened.kind}), {format_bytes(n_bytes)} on disk."
    )
    print_lines([f"{amount}{written}", *found.lines()], err=True)


def _volumes_of(source: Source) -> list[VolumeSize]:
    from toyadmos_datasets.archive.volumes_source import VolumesSource
    from toyadmos_datasets.index import VolumeSize

    if not isinstance(source, VolumesSource):
        return []
    sized = zip(source.volumes.paths, source.volumes.sizes, strict=True)
    return [VolumeSize(name=path.name, n_bytes=n_bytes) for path, n_bytes in sized]


def _with_words(table: pa.Table) -> pa.Table:
    """Return an index with what each condition is in words; null for noise."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from toyadmos_datasets.corpus.condition_text import condition_text
    from toyadmos_datasets.corpus.names import NOISE

    pairs = table.group_by(["toy", "condition"]).aggregate([]).to_pylist()
    words = {
        one["condition"]: condition_text(one["toy"], one["condition"]) for one in pairs if one["condition"] != NOISE
    }
    places = pc.index_in(table["condition"], value_set=pa.array(list(words), pa.string()))
    return table.append_column("condition_text", pa.array(list(words.values()), pa.string()).take(places))


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    return f"{value:08x}" if name == "crc32" else str(value)
