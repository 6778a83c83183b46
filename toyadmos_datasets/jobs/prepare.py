"""The main job: the stages, one after the other."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine.preflight import VISIBLE_WITHIN_S
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import OptionError, OutputConflictError, PlanError, StoreError
from toyadmos_datasets.files.address import is_on_web
from toyadmos_datasets.files.cache_folder import Lease
from toyadmos_datasets.ingest import AsFound, Indexed, as_found, refuse_oddities
from toyadmos_datasets.ingest.recordings import (
    BadRecording,
    IngestReport,
    bytes_to_decode,
    ingest,
    missing_recordings,
    repairing_store,
    require_undamaged,
)
from toyadmos_datasets.jobs.preparation import Preparation, PreparationPlan
from toyadmos_datasets.jobs.prepare_options import PrepareOptions, preparations_of
from toyadmos_datasets.jobs.sources import holding_cache, require_outside, simulated_size, written_in
from toyadmos_datasets.rendering import OutputFolder, PreparedFolder, ShardTask, render, shard_tasks
from toyadmos_datasets.rendering.dataset_content import largest_of
from toyadmos_datasets.units import Bytes, format_bytes
from toyadmos_datasets.values.health import header_oddities
from toyadmos_datasets.values.manifest import (
    Manifest,
    SkippedRecording,
    read_manifest,
)
from toyadmos_datasets.values.recording_store import read_catalogue, require_stored
from toyadmos_datasets.values.report_display import DisplayedReport, Rows
from toyadmos_datasets.values.source import Source

Made = TypeVar("Made")

_LOOK_AGAIN_S = 0.5

SHOWN_SKIPPED = 3
"""How many skipped recordings an error names."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PrepareReport(DisplayedReport):
    """What `prepare` did.

    Attributes:
        out: Folder of the dataset.
        manifest: What is in it.
        was_done: Whether it was there before, so that nothing was to do.
        ingested: What was ingested; None if nothing was to do.
        as_found: What the source holds beside what was published, toy by toy; empty if nothing was to do. What was
            tolerated stands in the manifest too.
    """

    displayed = ("out", "configs", "n_clips", "n_bytes", "was_done")

    out: Path
    manifest: Manifest
    was_done: bool
    ingested: IngestReport | None = None
    as_found: tuple[AsFound, ...] = ()

    @property
    def configs(self) -> list[str]:
        """Names of the dataset's configs."""
        return list(self.manifest.configs)

    @property
    def n_clips(self) -> int:
        """Clips in all configs."""
        return sum(one.n_rows for one in self.manifest.shards)

    @property
    def n_bytes(self) -> Bytes:
        """Size of all shards."""
        return sum(one.n_bytes for one in self.manifest.shards)

    def display_rows(self) -> Rows:
        """Return a row for each split."""
        rows = [
            [config, split, sum(one.n_rows for one in shards), format_bytes(sum(one.n_bytes for one in shards))]
            for config, splits in self.manifest.configs.items()
            for split, shards in splits.items()
        ]
        return ["config", "split", "clips", "size"], rows


def prepare(options: PrepareOptions, progress: Progress | None = None) -> PrepareReport:
    """Prepare a dataset, or find that it is prepared already.

    A run that was cut goes on where it stopped; what is in `out` stays as it is until the new dataset is whole.

    Raises:
        OutputConflictError: `out` holds something else.
        BusyError: Another process is preparing `out`.
        EngineError: The cluster does not answer, or one of its workers does not fit.
        ToyAdmosError: Any other failure that this package knows; see `toyadmos_datasets.errors`.
    """
    progress = progress or Quiet()
    each = options.each_toy()
    if is_on_web(options.source) or simulated_size(options.source) is not None:  # all else is opened in a moment
        OutputFolder.of(options.out, [{}]).require_usable()
    with contextlib.ExitStack() as holding:
        for one in each:
            holding.enter_context(holding_cache(one.source, one.plan.toy, one.cache))
        return carry_out(preparations_of(each, [one.open_source(progress) for one in each]), progress)


def carry_out(preparations: Sequence[Preparation], progress: Progress) -> PrepareReport:
    """Make a dataset, or find that it is made already.

    Args:
        preparations: What is made of each toy, all into one folder.
        progress: Told about the work.
    """
    each = [one.placed() for one in preparations]
    output, overwrite = each[0].output, each[0].overwrite
    for one in each:
        require_outside(one.source, output.path, *written_in(one.cache))
    state = output.state(overwrite=overwrite)  # refuses before anything is made
    if state == "done" and not output.has_leftovers:
        return _found_done(each)
    with output.held(), contextlib.ExitStack() as working:
        leases = [working.enter_context(Lease(one.cache, one.source.toy)) for one in each]
        state = output.state(overwrite=overwrite)
        if state == "done":
            output.discard_partial()
            return _found_done(each)
        there = PreparedFolder.at(output.path) if state == "add" else None
        first = working.enter_context(each[0].engaged())
        each = [replace(one, engine=first.engine, render=first.render) for one in each]
        indexed = [one.index() for one in each]
        _require_one_kind(each, there)

        def made() -> tuple[Manifest | None, IngestReport]:
            """Ingest and render, in one go, so that damage of the stores is mended wherever it shows."""
            whole = zip(each, indexed, leases, strict=True)
            planned, reports = zip(*(_ingested(*one, progress) for one in whole), strict=True)
            pairs = zip(each, planned, strict=True)
            parts = [part for one, found in pairs for part in one.parts_of(found.recipe, there)]
            skipped = (*first.skipped, *(_skipped(bad) for report in reports for bad in report.bad))
            if not parts:
                return None, _sum_of(reports)
            with naming_skipped(reports):
                manifest = render(
                    parts,
                    pa.concat_tables([one.catalogue for one in planned]),
                    output,
                    {one.source.toy: one.source for one in each},
                    there=there,
                    skipped=skipped,
                    leaving_out=first.leaving_out,
                    oddities=functools.reduce(largest_of, (one.oddities for one in indexed)),
                    engine=first.engine,
                    progress=progress,
                )
            return manifest, _sum_of(reports)

        manifest, report = _repairing_stores(made, each, progress)
        if manifest is None:  # everything is there, by way of other requests
            output.discard_partial()
            return _found_done(each)
    found = [as_found(index, one.source) for one, index in zip(each, indexed, strict=True)]
    found = [replace(one, oddities=manifest.oddities) for one in found] if len(found) == 1 else found
    return PrepareReport(out=output.path, manifest=manifest, was_done=False, ingested=report, as_found=tuple(found))


def _repairing_stores(attempt: Callable[[], Made], each: Sequence[Preparation], progress: Progress) -> Made:
    """Return what an attempt gives, mending whichever recording store it finds damaged."""
    for one in each:
        attempt = functools.partial(repairing_store, attempt, one.store, progress)
    return attempt()


def _require_one_kind(each: Sequence[Preparation], there: PreparedFolder | None) -> None:
    """Raise where simulated recordings would stand beside real ones.

    Raises:
        OutputConflictError: They would.
    """
    kinds = {one.source.is_simulated for one in each}
    kinds |= {bool(there.manifest.source["is_simulated"])} if there else set()
    if len(kinds) > 1:
        raise OutputConflictError(
            "Simulated recordings would stand beside real ones.",
            where=each[0].output.path,
            expected="one kind of source in a folder",
            actual=", ".join(one.source.location for one in each),
            remedy="Choose another folder with --out.",
        )


def _found_done(each: Sequence[Preparation]) -> PrepareReport:
    preparation = each[0]
    manifest = read_manifest(preparation.output.path)
    if preparation.strict:
        refuse_oddities(manifest.oddities, preparation.source.location)
    return PrepareReport(out=preparation.output.path, manifest=manifest, was_done=True)


def prepared_tasks(preparation: Preparation, progress: Progress | None = None) -> list[ShardTask]:
    """Do what `prepare` does before it renders, and return what it would render, shard by shard.

    Nothing is written to the preparation's output.

    Raises:
        ToyAdmosError: Any failure that this package knows; see `toyadmos_datasets.errors`.
    """
    progress = progress or Quiet()
    require_outside(preparation.source, *written_in(preparation.cache))
    indexed = preparation.index()

    def tasks() -> list[ShardTask]:
        """Ingest, and see that all is as it was ingested, because what is rendered elsewhere is not mended there."""
        planned, report = _ingested(preparation, indexed, lease, progress)
        recipe, catalogue = planned.recipe, planned.catalogue
        require_undamaged(catalogue, recipe.recording_ids, progress)
        with naming_skipped([report]):
            return shard_tasks(
                recipe,
                catalogue,
                preparation.output,
                preparation.render,
                leaving_out=preparation.leaving_out,
                progress=progress,
            )

    with Lease(preparation.cache, preparation.source.toy) as lease:
        return repairing_store(tasks, preparation.store, progress)


def _ingested(
    preparation: Preparation, indexed: Indexed, lease: Lease, progress: Progress
) -> tuple[PreparationPlan, IngestReport]:
    """Plan, and bring what the plan needs into the recording store."""
    folder = preparation.store.folder
    before = read_catalogue(folder)["recording_id"]
    reports: list[IngestReport] = []

    def ingest_wanted(wanted: pa.Table) -> tuple[pa.Table, list[str]]:
        """Note the report, too."""
        reports.append(_fetch_and_ingest(preparation, wanted, lease, progress))
        bad = [one.recording_id for one in reports[-1].bad]
        return _stored(preparation, sorted({*wanted["recording_id"].to_pylist()}.difference(bad))), bad

    with naming_skipped(reports):
        planned = preparation.plan(indexed.table, progress, ingest_wanted)
    used = planned.recipe.recording_ids
    catalogue = require_stored(planned.catalogue, used)
    if preparation.strict:  # only reading a header could tell that it is odd
        is_used = pc.is_in(catalogue["recording_id"], value_set=pa.array(used, pa.string()))
        refuse_oddities(header_oddities(catalogue.filter(is_used)), preparation.source.location)
    n_reused = pc.sum(pc.is_in(pa.array(used, pa.string()), value_set=before)).as_py() or 0
    return planned, replace(_sum_of(reports), n_reused=n_reused)


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


def _fetch_and_ingest(preparation: Preparation, wanted: pa.Table, lease: Lease, progress: Progress) -> IngestReport:
    """Ingest blocks as they come; what is on the disk is there already."""
    source, store = preparation.source, preparation.store
    missing = missing_recordings(wanted, store)
    if len(missing):
        lease.take(is_made=True)
    if preparation.is_elsewhere:
        _require_fetched(source, missing["member"].to_pylist())

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
                workers=preparation.render.workers,
                engine=preparation.engine,
                skip_bad=preparation.skip_bad,
                on_progress=on_progress,
            )

    report = source.using(missing["member"].to_pylist(), use, progress=progress, stored=stored)
    return replace(report, n_ingested=len(missing) - len(report.bad))  # in however many goes


def _stored(preparation: Preparation, recording_ids: Sequence[str]) -> pa.Table:
    """Return what the store knows, which has all of these recordings, whichever machine wrote them.

    Raises:
        StoreError: It lacks some, and they do not arrive.
    """
    until = time.monotonic() + (VISIBLE_WITHIN_S if preparation.is_elsewhere else 0.0)
    while True:
        catalogue = read_catalogue(preparation.store.folder)
        try:
            return require_stored(catalogue, recording_ids)
        except StoreError:
            if time.monotonic() >= until:
                raise
        time.sleep(_LOOK_AGAIN_S)


def _require_fetched(source: Source, wanted: Sequence[str]) -> None:
    """Refuse to fetch for workers elsewhere: they would read from a shared folder what has not arrived there yet.

    Raises:
        OptionError: Something is to be fetched.
    """
    estimate = source.fetch_estimate(wanted)
    if estimate is not None and estimate.n_missing:
        raise OptionError(
            "A cluster works on what is on the disk, and a part of the source is not.",
            where="--engine",
            expected="a source that was fetched before",
            actual=f"{format_bytes(estimate.n_missing)} to fetch from {source.location}",
            remedy=f"Fetch it first: toyadmos download --toy {toy_named(source.toy).short}",
        )


def _sum_of(reports: Sequence[IngestReport]) -> IngestReport:
    return IngestReport(
        n_reused=sum(report.n_reused for report in reports),
        n_ingested=sum(report.n_ingested for report in reports),
        bad=tuple(bad for report in reports for bad in report.bad),
    )


def _skipped(bad: BadRecording) -> SkippedRecording:
    return SkippedRecording(recording_id=bad.recording_id, member=bad.member, reason=bad.reason)
