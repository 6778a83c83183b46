"""`index`: what a source holds, by names and headers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.corpus.names import NOISE
from toyadmos_datasets.corpus.toys import toy_named, toys_named
from toyadmos_datasets.engine import processors
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.ingest import AsFound, as_found, describe_source, require_sound, survey_source
from toyadmos_datasets.jobs.sources import require_outside, resolve_source
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.index import write_index
from toyadmos_datasets.values.report_display import DisplayedReport
from toyadmos_datasets.values.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """Which source is indexed, and what is written about it.

    Attributes:
        source: As `prepare` takes it.
        toy: ``train``, or ``ToyTrain``; several, such as ``car,train``, or ``all``.
        cache: Folder for headers that are fetched and for simulated corpora.
        out: Where the index goes, as Parquet.
        report: Where a description without audio goes, for a bug report.
        ignore: Glob patterns of files and folders that are left out.
        strict: Refuse a source of which anything is not as published.
        fetch: How a source on the web is fetched.
    """

    source: str
    toy: str
    cache: Path
    out: Path | None = None
    report: Path | None = None
    ignore: Sequence[str] = ()
    strict: bool = False
    fetch: FetchChoices = field(default_factory=FetchChoices)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IndexReport(DisplayedReport):
    """What a source holds.

    Attributes:
        table: A row for each recording, with its condition in words.
        as_found: What agrees with the published counts, what is missing, and what is odd and tolerated, toy by toy.
        kind: ``tree`` or ``volumes``, or both.
        n_blocks: Blocks of the archive, or files of the tree.
        n_packed_bytes: What they take on the disk.
    """

    displayed = ("kind", "n_recordings", "n_blocks", "n_packed_bytes")

    table: pa.Table
    as_found: tuple[AsFound, ...]
    kind: str
    n_blocks: int
    n_packed_bytes: Bytes

    @property
    def n_recordings(self) -> int:
        """Recordings in the source."""
        return len(self.table)


def index(options: IndexOptions, progress: Progress | None = None) -> IndexReport:
    """List the recordings in a source, without decoding any.

    Raises:
        NameGrammarError: A name cannot be read.
        SourceError: There is nothing to read, or with `strict` something is not as published.
        LicenseError: The licence has not been accepted.
    """
    sources = [opened_source(replace(options, toy=toy.name), progress) for toy in toys_named(options.toy)]
    for source in sources:
        require_outside(source, *(path for path in (options.out, options.report) if path is not None))
    pairs = [(survey_source(source), source) for source in sources]
    if options.report is not None:  # also, and all the more, of a source that cannot be indexed
        described = [describe_source(*pair) for pair in pairs]
        write_json(options.report, described[0] if len(described) == 1 else {"toys": described})
    for indexed, source in pairs:
        require_sound(indexed, source.location, strict=options.strict)
    table = pa.concat_tables([indexed.table for indexed, _ in pairs])
    if options.out is not None:
        write_index(table, options.out)
    blocks = [block for source in sources for block in source.blocks()]
    return IndexReport(
        table=_with_words(table),
        as_found=tuple(as_found(*pair) for pair in pairs),
        kind=", ".join(dict.fromkeys(source.kind for source in sources)),
        n_blocks=len(blocks),
        n_packed_bytes=sum(block.n_packed_bytes for block in blocks),
    )


def opened_source(options: IndexOptions, progress: Progress | None = None) -> Source:
    """Open a source with as many workers as there are processors, should it be simulated first."""
    return resolve_source(
        options.source,
        toy_named(options.toy).name,
        options.cache,
        workers=processors(),
        progress=progress or Quiet(),
        fetch=options.fetch,
        ignore=options.ignore,
    )


def _with_words(table: pa.Table) -> pa.Table:
    """Return an index with what each condition is in words; null for noise."""
    pairs = table.group_by(["toy", "condition"]).aggregate([]).to_pylist()
    words = {
        f"{one['toy']} {one['condition']}": condition_text(one["toy"], one["condition"])
        for one in pairs
        if one["condition"] != NOISE
    }
    both = pc.binary_join_element_wise(table["toy"], table["condition"], " ")
    places = pc.index_in(both, value_set=pa.array(list(words), pa.string()))
    return table.append_column("condition_text", pa.array(list(words.values()), pa.string()).take(places))
