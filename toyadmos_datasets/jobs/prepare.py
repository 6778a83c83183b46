"""The main job: the stages, one after the other."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import FetchChoices
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.files.cache_folder import Lease
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.ingest import AsFound, Indexed, as_found, index_source, refuse_oddities
from toyadmos_datasets.ingest.machine_activity import activity_of
from toyadmos_datasets.ingest.recordings import (
    INGESTED_BY,
    BadRecording,
    IngestReport,
    Store,
    bytes_to_decode,
    ingest,
    mending,
    missing_recordings,
    require_undamaged,
    store_for,
)
from toyadmos_datasets.jobs.sources import holding_cache, require_outside, resolve_source, written_in
from toyadmos_datasets.planning import (
    NONE_JOINED,
    OWN,
    EqualEvents,
    PlanOptions,
    find_joined,
    own_recipe,
    plan,
    require_own,
    windowed_recordings,
)
from toyadmos_datasets.planning.custom_table import read_examples
from toyadmos_datasets.rendering import (
    LeavingOut,
    OutputFolder,
    RenderOptions,
    ShardTask,
    render,
    require_features_possible,
    shard_tasks,
)
from toyadmos_datasets.values.health import Exclusion, header_oddities
from toyadmos_datasets.values.manifest import Manifest, SkippedRecording, read_manifest, unusable_side
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recording_store import read_catalogue, require_stored
from toyadmos_datasets.values.source import Source

SHOWN_SKIPPED = 3
"""How many skipped recordings an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """What to prepare, from where, to where.

    Attributes:
        plan: Which examples.
        recipe: A table of the user's own that says which examples, in the place of a protocol.
        render: How they are rendered.
        source: ``record``, the address of a mirror, a path, or ``simulate[:size]``.
        out: Folder of the dataset.
        cache: Folder for the recording store, copies of volumes and simulated corpora.
        skip_bad: Leave out recordings that cannot be read, and list them.
        is_overwriting: Replace a dataset that is in `out` already.
        fetch: How a source on the web is fetched.
        exclude: Events that are left out once the splits are drawn, for what is odd about their sound or by name.
        ignore: Glob patterns of files and folders in the source that are left out.
        is_strict: Refuse a source of which anything is not as published, instead of counting it.
    """

    plan: PlanOptions
    render: RenderOptions
    source: str
    out: Path
    cache: Path
    skip_bad: bool = False
    is_overwriting: bool = False
    fetch: FetchChoices = field(default_factory=FetchChoices)
    recipe: Path | None = None
    exclude: Exclusion = field(default_factory=Exclusion)
    ignore: tuple[str, ...] = ()
    is_strict: bool = False

    def __post_init__(self) -> None:
        if self.recipe is not None:
            require_own(self.plan, self.recipe)

    def request(self, source: Source) -> dict[str, Any]:
        """Return what the dataset's rows follow from, as JSON values."""
        return (
            self.plan.as_parameters()
            | self.render.as_request()
            | self.exclude.as_request()
            | {
                "source": source.identity,
                "skip_bad": self.skip_bad,
            }
            | ({"ignored": source.ignored} if source.ignored else {})
            | ({} if self.recipe is None else {"protocols": [OWN], "recipe": sha256_of(self.recipe)})
        )

    def examples(self) -> Callable[[pa.Table, EqualEvents], Recipe]:
        """Return what says which examples there are, given the index of the source and which events are one.

        Raises:
            DatasetError: The user's own recipe cannot be read.
        """
        path = self.recipe
        if path is None:
            return lambda index, joined: plan(index, self.plan, joined=joined)
        table = read_examples(path)
        return lambda index, joined: own_recipe(table, index, self.plan, path, joined=joined)

    def examples_heard(self) -> Callable[[pa.Table, EqualEvents, pa.Table], Recipe] | None:
        """Return the same for a plan that depends on where machines run; None for one that does not."""
        if not self.is_cut_by_activity:
            return None
        return lambda index, joined, activity: plan(index, self.plan, joined=joined, activity=activity)

    @property
    def is_cut_by_activity(self) -> bool:
        """Whether which examples there are depends on where machines run."""
        return self.recipe is None and self.plan.is_cut_by_activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A dataset to be made, wherever its examples come from.

    Attributes:
        source: Where the recordings are.
        output: Where the dataset goes.
        cache: Folder for the recording store.
        render: How the examples are rendered.
        examples: Says which examples there are, given the index of the source and which events carry the same sound.
        examples_heard: The same, given also where machines run in the continuous recordings that `examples` names;
            None where that changes nothing.
        skip_bad: Leave out recordings that cannot be read, and list them.
        is_overwriting: Replace a dataset that is in the folder already.
        skipped: Recordings that the examples were made without.
        exclude: Events that are left out of the examples.
        is_strict: Refuse what is not as published.
        lease: Held while the cache is used; None before.
    """

    source: Source
    output: OutputFolder
    cache: Path
    render: RenderOptions
    examples: Callable[[pa.Table, EqualEvents], Recipe]
    examples_heard: Callable[[pa.Table, EqualEvents, pa.Table], Recipe] | None = None
    skip_bad: bool = False
    is_overwriting: bool = False
    skipped: tuple[SkippedRecording, ...] = ()
    exclude: Exclusion = field(default_factory=Exclusion)
    is_strict: bool = False
    lease: Lease | None = None

    @property
    def leaving_out(self) -> LeavingOut:
        """What is left out when the recordings are known."""
        return LeavingOut(exclusion=self.exclude, is_skipping=self.skip_bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareReport:
    """What `prepare` did.

    Attributes:
        out: Folder of the dataset.
        manifest: What is in it.
        was_done: Whether it was there before, so that nothing was to do.
        ingested: What was ingested; None if nothing was to do.
        as_found: What the source holds beside what was published; None if nothing was to do. What was tolerated
            stands in the manifest too.
    """

    out: Path
    manifest: Manifest
    was_done: bool
    ingested: IngestReport | None = None
    as_found: AsFound | None = None


def prepare(options: PrepareOptions, progress: Progress | None = None) -> PrepareReport:
    """Prepare a dataset, or find that it is prepared already.

    A run that was cut goes on where it stopped; what is in `out` stays as it is until the new dataset is whole.

    Raises:
        OutputConflictError: `out` holds something else.
        BusyError: Another process is preparing `out`.
        ToyAdmosError: Any other failure that this package knows; see `toyadmos_datasets.errors`.
    """
    progress = progress or Quiet()
    with holding_cache(options.source, options.plan.toy, options.cache):
        source = resolve_source(
            options.source,
            options.plan.toy,
            options.cache,
            workers=options.render.workers,
            progress=progress,
            fetch=options.fetch,
            ignore=options.ignore,
        )
        return carry_out(_work(options, source), progress)


def carry_out(work: Work, progress: Progress) -> PrepareReport:
    """Make a dataset, or find that it is made already."""
    output, out = work.output, work.output.path
    require_outside(work.source, out, *written_in(work.cache))
    state = output.state(is_overwriting=work.is_overwriting)  # refuses before anything is made
    if state == "done" and not output.has_leftovers:
        return _found_done(work)
    with output.held(), Lease(work.cache, work.source.toy) as lease:
        if output.state(is_overwriting=work.is_overwriting) == "done":
            output.discard_partial()
            return _found_done(work)
        indexed = index_source(work.source, is_strict=work.is_strict)
        store = store_for(work.cache, work.source, work.render.encoding.rate_hz)
        leased = replace(work, lease=lease)
        manifest, report = mending(lambda: _made(leased, indexed, store, progress), store, progress)
    found = replace(as_found(indexed, work.source), oddities=manifest.oddities)
    return PrepareReport(out=out, manifest=manifest, was_done=False, ingested=report, as_found=found)


def _made(work: Work, indexed: Indexed, store: Store, progress: Progress) -> tuple[Manifest, IngestReport]:
    recipe, report = _ingest(work, indexed.table, store, progress)
    catalogue = require_stored(read_catalogue(store.folder), recipe.recording_ids)
    _refuse_odd_headers(work, recipe, catalogue)
    with naming_skipped([report]):
        manifest = render(
            recipe,
            catalogue,
            work.output,
            work.source,
            work.render,
            skipped=work.skipped + tuple(_skipped(bad) for bad in report.bad),
            leaving_out=work.leaving_out,
            oddities=indexed.oddities,
            progress=progress,
        )
    return manifest, report


def _found_done(work: Work) -> PrepareReport:
    manifest = read_manifest(work.output.path)
    if work.is_strict:
        refuse_oddities(manifest.oddities, work.source.location)
    return PrepareReport(out=work.output.path, manifest=manifest, was_done=True)


def _refuse_odd_headers(work: Work, recipe: Recipe, catalogue: pa.Table) -> None:
    """Raise in a strict run if a recording that is used has an odd header, which only reading it could tell."""
    if work.is_strict:
        used = catalogue.filter(_is_among(catalogue, recipe.recording_ids))
        refuse_oddities(header_oddities(used), work.source.location)


def prepared_tasks(options: PrepareOptions, source: Source, progress: Progress | None = None) -> list[ShardTask]:
    """Do what `prepare` does before it renders, and return what it would render, shard by shard.

    Args:
        options: What to prepare; nothing is written to `out`.
        source: What `options.source` was resolved to.
        progress: Told about the work.

    Raises:
        ToyAdmosError: Any failure that this package knows; see `toyadmos_datasets.errors`.
    """
    progress = progress or Quiet()
    work = _work(options, source)
    require_outside(source, *written_in(work.cache))
    store = store_for(work.cache, source, work.render.encoding.rate_hz)
    index = index_source(source, is_strict=work.is_strict).table

    def tasks() -> list[ShardTask]:
        """Ingest, and see that all is as it was ingested, because what is rendered elsewhere is not mended there."""
        recipe, report = _ingest(work, index, store, progress)
        catalogue = require_stored(read_catalogue(store.folder), recipe.recording_ids)
        require_undamaged(catalogue, recipe.recording_ids, progress)
        _refuse_odd_headers(work, recipe, catalogue)
        with naming_skipped([report]):
            return shard_tasks(
                recipe, catalogue, work.output, work.render, leaving_out=work.leaving_out, progress=progress
            )

    with Lease(work.cache, source.toy) as lease:
        work = replace(work, lease=lease)
        return mending(tasks, store, progress)


def _work(options: PrepareOptions, source: Source) -> Work:
    examples = options.examples()  # a recipe that cannot be read is refused before anything is made
    return Work(
        source=source,
        output=OutputFolder(path=options.out, request=options.request(source)),
        cache=options.cache,
        render=options.render,
        examples=examples,
        examples_heard=options.examples_heard(),
        skip_bad=options.skip_bad,
        is_overwriting=options.is_overwriting,
        exclude=options.exclude,
        is_strict=options.is_strict,
    )


def _ingest(work: Work, index: pa.Table, store: Store, progress: Progress) -> tuple[Recipe, IngestReport]:
    """Plan, and ingest what the plan needs; plan again when that shows more than was known.

    Recordings that turn out to be bad are left out, those with the same content are joined. Both only grow, so it ends.
    """
    joined = NONE_JOINED
    before = read_catalogue(store.folder)["recording_id"]
    reports: list[IngestReport] = []
    listened = functools.lru_cache(maxsize=1)(lambda some: _activity(some, store, work, progress))

    def bad_among(recording_ids: list[str]) -> list[str]:
        """Ingest recordings, note the report, and return which of them could not be read."""
        wanted = index.select(INGESTED_BY).filter(_is_among(index, recording_ids))
        reports.append(_fetch_and_ingest(work, wanted, store, progress))
        return [one.recording_id for one in reports[-1].bad]

    while True:
        with naming_skipped(reports):
            recipe, bad = work.examples(index, joined), []
        _require_sides(recipe)
        require_features_possible(recipe.parameters, work.render)
        if work.examples_heard is not None:
            continuous = windowed_recordings(recipe)
            bad = bad_among(continuous)
            if not bad:
                activity = listened(tuple(continuous))
                with naming_skipped(reports):
                    recipe = work.examples_heard(index, joined, activity)
        bad = bad or bad_among(recipe.recording_ids)
        if bad:
            index = _without_events(index, bad)
            continue
        catalogue = require_stored(read_catalogue(store.folder), recipe.recording_ids)
        found = find_joined(recipe.recording_ids, index, catalogue, so_far=joined)
        if found == joined:
            n_reused = pc.sum(pc.is_in(pa.array(recipe.recording_ids, pa.string()), value_set=before)).as_py() or 0
            return recipe, _sum_of(reports, n_reused)
        joined = found


@contextlib.contextmanager
def naming_skipped(reports: Sequence[IngestReport]) -> Iterator[None]:
    """Let an error about what is missing say which recordings were skipped before, and why.

    Args:
        reports: What was ingested so far, with the recordings that could not be read.
    """
    try:
        yield
    except PlanError as error:
        bad = [one for report in reports for one in report.bad]
        if not bad:
            raise
        n = len(bad)
        skipped = "1 recording was skipped because it" if n == 1 else f"{n} recordings were skipped because they"
        shown = [f"{one.recording_id}: {one.reason.splitlines()[0]}" for one in bad[:SHOWN_SKIPPED]]
        more = [f"and {len(bad) - SHOWN_SKIPPED} more"] if len(bad) > SHOWN_SKIPPED else []
        raise PlanError(
            error.what,
            where=error.where,
            expected=error.expected,
            actual=f"{error.actual}; {skipped} could not be read (--skip-bad): {'; '.join([*shown, *more])}",
            remedy=error.remedy,
        ) from error


def _require_sides(recipe: Recipe) -> None:
    """Raise where a config or a split could not be a part of a path; a recipe may come from anywhere."""
    unusable = unusable_side(recipe.examples)
    if unusable is not None:
        raise PlanError(
            "A config or a split has a name that cannot be a part of a path.",
            where=ascii(unusable),
            expected="letters, digits, _, . and -, beginning with a letter or a digit",
            actual="another character, or another beginning",
            remedy="Give it another name.",
        )


def _activity(recording_ids: Sequence[str], store: Store, work: Work, progress: Progress) -> pa.Table:
    return activity_of(
        recording_ids,
        require_stored(read_catalogue(store.folder), recording_ids),
        rate_hz=store.rate_hz,
        workers=work.render.workers,
        progress=progress,
    )


def _fetch_and_ingest(work: Work, wanted: pa.Table, store: Store, progress: Progress) -> IngestReport:
    """Ingest blocks as they come; what is on the disk is there already."""
    source = work.source
    missing = missing_recordings(wanted, store)
    if work.lease is not None and len(missing):
        work.lease.take(is_made=True)

    def stored() -> set[str]:
        """Return the members that need their bytes no more."""
        return set(wanted["member"].to_pylist()) - set(missing_recordings(wanted, store)["member"].to_pylist())

    def use(readable: Source) -> IngestReport:
        """Ingest what is still missing: all of it, or what came damaged when the rest was ingested."""
        total = bytes_to_decode(source, missing_recordings(wanted, store))
        with progress.stage(f"Reading {source.toy}", total, "bytes") as on_progress:
            return ingest(
                readable,
                wanted,
                store,
                workers=work.render.workers,
                skip_bad=work.skip_bad,
                on_progress=on_progress,
            )

    report = use_fetched(source, missing["member"].to_pylist(), use, progress=progress, stored=stored)
    return replace(report, n_ingested=len(missing) - len(report.bad))  # in however many goes


def _sum_of(reports: Sequence[IngestReport], n_reused: int) -> IngestReport:
    return IngestReport(
        n_reused=n_reused,
        n_ingested=sum(report.n_ingested for report in reports),
        bad=tuple(bad for report in reports for bad in report.bad),
    )


def _without_events(index: pa.Table, recording_ids: list[str]) -> pa.Table:
    """Leave out the events of some recordings: a mix needs all microphones, and rows the same events."""
    events = index.filter(_is_among(index, recording_ids))["event_id"]
    return index.filter(pc.invert(pc.is_in(index["event_id"], value_set=events)))


def _is_among(index: pa.Table, recording_ids: list[str]) -> pa.ChunkedArray:
    return pc.is_in(index["recording_id"], value_set=pa.array(recording_ids, pa.string()))


def _skipped(bad: BadRecording) -> SkippedRecording:
    return SkippedRecording(recording_id=bad.recording_id, member=bad.member, reason=bad.reason)
