"""Fetching without preparing: recordings of a source on the web come into the cache and are checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from toyadmos_datasets.archives.remote.remote_opening import manifest_for, open_origin
from toyadmos_datasets.archives.remote.volume_cache import CopiesVerdict, check_copies
from toyadmos_datasets.archives.remote.volume_copies import copies_folder
from toyadmos_datasets.corpus.toys import Sound, toy_named
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import OptionError, SourceNotFoundError
from toyadmos_datasets.files.address import is_on_web
from toyadmos_datasets.files.cache_folder import Lease
from toyadmos_datasets.ingest import build_index, select
from toyadmos_datasets.jobs.sources import resolve_source
from toyadmos_datasets.options.fetch_choices import DownloadOptions
from toyadmos_datasets.values.report_display import DisplayedReport
from toyadmos_datasets.values.source import FetchEstimate, Source


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DownloadReport(DisplayedReport):
    """What `download` did.

    Attributes:
        folder: Where the copies of the volumes are.
        estimate: What was missing before, and the way that was chosen.
    """

    displayed = ("folder",)

    folder: Path
    estimate: FetchEstimate


def download(options: DownloadOptions, progress: Progress | None = None) -> DownloadReport:
    """Fetch recordings and check them; what is there already is not fetched again.

    Raises:
        OptionError: The source is no address.
        SourceNotFoundError: Nothing in the archive is what was chosen.
        LicenseError: The licence has not been accepted.
        FetchError: The server does not give what it should.
        ToyAdmosError: Any other failure that this package knows; see `toyadmos_datasets.errors`.
    """
    progress = progress or Quiet()
    source, wanted, before = _chosen(options, progress)
    with Lease(options.cache, source.toy) as lease:
        lease.take(is_made=True)
        source.fetch(wanted, progress=progress, workers=options.workers)
    return DownloadReport(folder=source.volume_files[0].path.parent, estimate=before)


def foresee(options: DownloadOptions, progress: Progress | None = None) -> FetchEstimate:
    """Tell what `download` would fetch, from the archive's header alone."""
    return _chosen(options, progress or Quiet())[2]


def verify_copies(options: DownloadOptions, progress: Progress | None = None) -> CopiesVerdict:
    """Read what was fetched once through and tell whether it is right.

    Raises:
        SourceNotFoundError: Nothing was fetched.
    """
    progress = progress or Quiet()
    if is_on_web(options.source):  # opening would begin to fetch, and ask about the licence
        _require_fetched(options)
    with Lease(options.cache, options.toy):
        source = open_origin(options.source, options.toy, options.cache, options.fetch, progress, ignore=options.ignore)
        if source is None:
            raise _not_on_web(options)
        return check_copies(source, progress)


def _require_fetched(options: DownloadOptions) -> None:
    folder = copies_folder(options.cache, manifest_for(options.toy, options.fetch))
    if not folder.is_dir():
        raise SourceNotFoundError(
            f"Nothing of {options.toy} was downloaded.",
            where=folder,
            expected="copies of its volumes, or of parts of them",
            actual="no such folder",
            remedy=f"Fetch it with: toyadmos download --toy {toy_named(options.toy).short}, or say where it is "
            "with --cache, --source and --manifest as then. A source of your own: toyadmos verify DIR --toy TOY",
        )


def _chosen(options: DownloadOptions, progress: Progress) -> tuple[Source, set[str], FetchEstimate]:
    """Open the source, and return with it which members are wanted, and what fetching them takes."""
    if not is_on_web(options.source):
        raise _not_on_web(options)
    source = resolve_source(
        options.source, options.toy, options.cache, progress=progress, fetch=options.fetch, ignore=options.ignore
    )
    wanted = _wanted(source, options)
    before = source.fetch_estimate(wanted)
    if before is None:
        raise _not_on_web(options)
    return source, wanted, before


def _not_on_web(options: DownloadOptions) -> OptionError:
    return OptionError(
        "Only what is on the web is fetched.",
        where="--source",
        expected="record, or https://host/folder/",
        actual=options.source,
        remedy="Leave --source out to fetch from the record; what is on the disk is used by prepare as it is.",
    )


def _wanted(source: Source, options: DownloadOptions) -> set[str]:
    sounds = None if options.sounds is None else [cast("Sound", one) for one in options.sounds]
    chosen = select(build_index(source.members()), cases=options.cases, channels=options.channels, sounds=sounds)
    if not len(chosen):
        raise SourceNotFoundError(
            "Nothing in the archive is what was chosen.",
            where=source.location,
            expected="recordings of these cases, channels and sounds",
            actual=f"none among {len(source.members())}",
            remedy="Leave out --cases, --channels or --sounds.",
        )
    return set(chosen["member"].to_pylist())
