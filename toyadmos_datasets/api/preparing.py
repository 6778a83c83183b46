"""`prepare`, `plan`, `protocols`, `index`, `download`, `simulate` and `rebuild` in Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from toyadmos_datasets.api.keywords import FetchKeywords, PrepareKeywords, StrPath, fields_of
from toyadmos_datasets.api.progress_bars import ProgressChoice, chosen_progress
from toyadmos_datasets.api.python_words import in_python_words
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine import chosen_workers
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.files.address import RECORD
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.jobs import download as download_job
from toyadmos_datasets.jobs import indexing, preview
from toyadmos_datasets.jobs import prepare as prepare_job
from toyadmos_datasets.jobs import rebuild as rebuild_job
from toyadmos_datasets.jobs.requests import prepare_options
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.options.fetch_choices import DownloadOptions, FetchChoices
from toyadmos_datasets.options.place_options import PlaceOptions
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.planning.recipe_plan import ListedProtocol, list_protocols
from toyadmos_datasets.simulation import SimulatedCorpus
from toyadmos_datasets.simulation import simulate as simulate_corpus

if TYPE_CHECKING:
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions

_REQUEST_KINDS = (PlanOptions, PlaceOptions, Encoding, RenderOptions, LogMel, FetchChoices)


@in_python_words()
def prepare(
    toy: str,
    *,
    source: str | StrPath = RECORD,
    out: StrPath | None = None,
    progress: ProgressChoice = None,
    **options: Unpack[PrepareKeywords],
) -> prepare_job.PrepareReport:
    """Prepare a dataset that `load_dataset` opens, as `toyadmos prepare`.

    A run that was interrupted goes on where it stopped; a second one with the same options finds everything done.

    Args:
        toy: ``"car"``, ``"conveyor"`` or ``"train"``; several, such as ``"car,train"``, or ``"all"``.
        source: ``"record"``, the address of a mirror, a folder with the volumes or the tree, or ``"simulate"``.
        out: Folder of the dataset; by default ``data/TOY``, or ``data/TOY-PROTOCOL``.
        progress: Shows how far it is; False for none, by default bars as `datasets` has them.
        **options: ``protocol=``, ``snr=``, ``channels=``, ``seed=`` and so on: all of docs/cli.md, without dashes;
            ``executor=`` is any `concurrent.futures.Executor` whose workers see the same folders.

    Raises:
        OptionError: An option is invalid.
        LicenseError: The corpus's licence has not been accepted.
        ToyAdmosError: Another failure; `toyadmos_datasets.errors` draws their tree.

    Examples:
        >>> import tempfile, toyadmos_datasets as toyadmos
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = toyadmos.prepare("train", source="simulate:tiny", protocol="basic", max_events=2,
        ...                               out=f"{folder}/train", cache=f"{folder}/cache", progress=False)
        >>> list(report.manifest.configs)
        ['clean']
    """
    shown = chosen_progress(progress)
    return prepare_job.prepare(_request(toy, source, out, options, shown), shown)


@in_python_words()
def plan(
    toy: str,
    *,
    source: str | StrPath = RECORD,
    out: StrPath | None = None,
    progress: ProgressChoice = None,
    **options: Unpack[PrepareKeywords],
) -> preview.Preview:
    """Tell what `prepare` with the same arguments would do, and touch nothing, as `toyadmos plan`.

    Args:
        toy: One toy, as for `prepare`.
        source: As for `prepare`.
        out: As for `prepare`.
        progress: As for `prepare`.
        **options: As for `prepare`.

    Returns:
        Clips of each config and split, and what would be fetched, decoded and written, in bytes and seconds.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> planned = toyadmos.plan("train", source="simulate:tiny", protocol="few-shot")
        >>> sorted({count.split for count in planned.counts})
        ['support', 'test', 'train']
    """
    shown = chosen_progress(progress)
    return preview.preview(_request(toy, source, out, options, shown), shown)


def _request(
    toy: str, source: str | StrPath, out: StrPath | None, options: PrepareKeywords, progress: Progress
) -> PrepareOptions:
    given: dict[str, Any] = dict(options)
    executor = given.pop("executor", None)
    chosen = fields_of({**given, "toy": toy, "source": source, "out": out}, *_REQUEST_KINDS)
    chosen["source"] = _source_text(chosen["source"])
    fetch = FetchChoices(**{name: chosen.pop(name) for name in options_of(FetchChoices) if name in chosen})
    return prepare_options(chosen, fetch, executor=executor, say=progress.say)


def _source_text(source: str | StrPath) -> str:
    """Return a source as a text of the command line; a path stays a path."""
    return source if isinstance(source, str) else str(expanded_path(source))


@in_python_words()
def protocols(
    source: str | StrPath | None = None,
    *,
    toy: str | None = None,
    cache: StrPath | None = None,
    progress: ProgressChoice = None,
) -> tuple[ListedProtocol, ...]:
    """List the ready-made splits, as `toyadmos protocols`; with a source and a toy, with their counts on it.

    Args:
        source: As for `prepare`; goes with a toy.
        toy: ``"car"``, ``"conveyor"`` or ``"train"``.
        cache: Folder for fetched and simulated recordings.
        progress: As for `prepare`.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> [one.name for one in toyadmos.protocols()][:2]
        ['waspaa2019', 'basic']
    """
    if source is None or toy is None:
        return list_protocols()
    options = indexing.IndexOptions(source=_source_text(source), toy=toy, cache=_cache(cache))
    opened = indexing.opened_source(options, chosen_progress(progress))
    return list_protocols(build_index(opened.members()), opened.toy)


@in_python_words()
def index(
    source: str | StrPath,
    *,
    toy: str,
    out: StrPath | None = None,
    ignore: str | Sequence[str] = (),
    strict: bool = False,
    cache: StrPath | None = None,
    progress: ProgressChoice = None,
) -> indexing.IndexReport:
    """List the recordings in a source, without decoding any, as `toyadmos index`.

    Args:
        source: A folder with the volumes or the tree, ``"record"``, an address, or ``"simulate"``.
        toy: As for `prepare`.
        out: A file for the index, as Parquet.
        ignore: Glob patterns of files and folders that are left out.
        strict: Refuse a source of which anything is not as published.
        cache: Folder for fetched and simulated recordings.
        progress: As for `prepare`.

    Returns:
        The index, a row for each recording, and the differences from the published corpus.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> toyadmos.index("simulate:tiny", toy="train").table.column_names[:3]
        ['recording_id', 'event_id', 'toy']
    """
    options = indexing.IndexOptions(
        source=_source_text(source),
        toy=toy,
        cache=_cache(cache),
        out=None if out is None else expanded_path(out),
        ignore=(ignore,) if isinstance(ignore, str) else tuple(ignore),
        strict=strict,
    )
    return indexing.index(options, chosen_progress(progress))


@in_python_words()
def download(
    toy: str,
    *,
    source: str = RECORD,
    cases: int | Sequence[int] | None = None,
    channels: int | Sequence[int] | None = None,
    sounds: str | Sequence[str] | None = None,
    cache: StrPath | None = None,
    workers: int | None = None,
    progress: ProgressChoice = None,
    **fetch: Unpack[FetchKeywords],
) -> download_job.DownloadReport:
    """Fetch recordings into the cache and check them, as `toyadmos download`.

    Args:
        toy: ``"car"``, ``"conveyor"`` or ``"train"``.
        source: ``"record"``, or the address of a mirror.
        cases: Which cases, all by default.
        channels: Which microphones, all by default.
        sounds: ``"normal"``, ``"anomalous"``, ``"noise"``; all by default.
        cache: Folder for fetched recordings.
        workers: Processes that check the recordings; by default as many as there are processors.
        progress: As for `prepare`.
        **fetch: ``accept_license=``, ``limit_rate=`` and so on, see docs/cli.md.

    Raises:
        LicenseError: The corpus's licence has not been accepted.
        FetchError: The server does not send the recordings.
    """
    options = DownloadOptions(
        toy=toy_named(toy).name,
        source=source,
        cache=_cache(cache),
        **fields_of({"cases": cases, "channels": channels, "sounds": sounds}, DownloadOptions),
        fetch=FetchChoices(**fields_of(fetch, FetchChoices)),
        workers=chosen_workers(workers),
    )
    return download_job.download(options, chosen_progress(progress))


@in_python_words()
def simulate(
    toy: str,
    *,
    out: StrPath,
    size: str = "small",
    seed: int = 0,
    tree: bool = True,
    volumes: bool = True,
    progress: ProgressChoice = None,
) -> SimulatedCorpus:
    """Synthesise a small corpus with the real layout, names and damage patterns, as `toyadmos simulate`.

    Args:
        toy: ``"car"``, ``"conveyor"`` or ``"train"``.
        out: Folder to make.
        size: ``"tiny"``, ``"small"`` or ``"medium"``.
        seed: Another seed gives other recordings.
        tree: Write the extracted tree.
        volumes: Write the split volumes.
        progress: As for `prepare`.
    """
    with chosen_progress(progress).stage(f"Simulating {toy_named(toy).name} ({size})", 100, "%") as on_progress:
        return simulate_corpus(
            toy,
            expanded_path(out),
            size=size,
            seed=seed,
            tree=tree,
            volumes=volumes,
            report=lambda done, total: on_progress(100 * done // max(total, 1)),
        )


@in_python_words()
def rebuild(
    file: StrPath,
    *,
    out: StrPath,
    source: str | StrPath = RECORD,
    cache: StrPath | None = None,
    workers: int | None = None,
    engine: str = "local",
    overwrite: bool = False,
    progress: ProgressChoice = None,
    **fetch: Unpack[FetchKeywords],
) -> rebuild_job.RebuildReport:
    """Render a shared recipe and compare every shard with the original, as `toyadmos recipe rebuild`.

    Args:
        file: The shared recipe, or the address where it was shared.
        out: Folder of the dataset.
        source: The reader's own recordings, as for `prepare`.
        cache: Folder for recordings between runs.
        workers: Number of processes; by default as many as there are processors.
        engine: Where tasks run, see docs/cluster.md.
        overwrite: Replace a dataset that is in `out` already.
        progress: As for `prepare`.
        **fetch: As for `download`.

    Returns:
        Whether every shard is the same, and if not, which stage moved.
    """
    options = rebuild_job.RebuildOptions(
        file=os.fspath(file),
        source=_source_text(source),
        out=expanded_path(out),
        cache=_cache(cache),
        workers=chosen_workers(workers),
        engine=engine,
        overwrite=overwrite,
        fetch=FetchChoices(**fields_of(fetch, FetchChoices)),
    )
    return rebuild_job.rebuild(options, chosen_progress(progress))


def _cache(given: StrPath | None) -> Path:
    return default_cache() if given is None else expanded_path(given)
