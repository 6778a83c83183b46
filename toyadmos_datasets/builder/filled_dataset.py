"""A dataset that was shared without audio, filled in from the reader's own recordings."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.jobs.cache import FILLED
from toyadmos_datasets.jobs.rebuild import RebuildOptions, RebuildReport, rebuild_opened
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.sharing import OpenedRecipe, open_recipe
from toyadmos_datasets.sharing.recipe_diff import differing_shards
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.shared_recipe import SharedRecipe

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillOptions:
    """Where the recordings are, and where the dataset is kept.

    Attributes:
        source: As `prepare` takes it: ``record``, the address of a mirror, a path, or ``simulate[:size]``.
        cache: Folder for the recording store and the dataset; None for that of the command line.
        workers: Number of processes.
        fetch: How a source on the web is fetched.
        ignore: Glob patterns of files and folders in the source that are left out.
    """

    source: str
    cache: Path | None = None
    workers: int = 1
    fetch: FetchChoices = field(default_factory=FetchChoices)
    ignore: tuple[str, ...] = ()


def fill_options(options: Mapping[str, Any], num_proc: int | None) -> FillOptions:
    """Return the options from keywords of `load_dataset`.

    Raises:
        OptionError: There is no such option.
    """
    known = ("source", "cache", "fetch", "ignore")
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise OptionError(
            "A dataset that was shared is taken as it is.",
            where=", ".join(unknown),
            expected=", ".join(known),
            actual=unknown[0],
            remedy="Leave it out; to render it otherwise: toyadmos prepare --recipe FILE",
        )
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    ignore: Sequence[str] = given.pop("ignore", ())
    cache = given.pop("cache", None)
    return FillOptions(
        source=os.fspath(given.pop("source")),
        cache=None if cache is None else expanded_path(cache).absolute(),
        ignore=tuple(ignore),
        workers=num_proc or 1,
        **given,
    )


def filled_folder(
    place: str | os.PathLike[str], options: FillOptions, *, storage_options: Mapping[str, Any] | None = None
) -> Path:
    """Return the folder of a shared dataset with its audio, rendered from the reader's recordings if it is not cached.

    Args:
        place: Where the recipe is: an address where it was shared, a file, or a folder with one.
        options: Where the recordings are.
        storage_options: For fsspec; ``token`` for a private repository on the Hub.

    Returns:
        A prepared folder in the cache. Every clip has the hash that the recipe promises.

    Raises:
        DatasetError: There is no shared recipe, or other samples came of it here.
        PlanError: The source lacks recordings that the recipe needs.
        ShareError: The address cannot be read.
    """
    opened = open_recipe(place, storage_options=storage_options)
    shared = opened.with_hashes()
    cache = options.cache or default_cache()
    folder = cache / FILLED / f"{shared.toy}-{shared.sha256[:16]}"
    if _is_whole(folder, shared):
        return folder
    report = rebuild_opened(
        opened,
        RebuildOptions(
            file=opened.path,
            source=options.source,
            out=folder,
            cache=cache,
            workers=options.workers,
            overwrite=True,
            fetch=options.fetch,
            ignore=options.ignore,
        ),
        Quiet(),
    )
    _require_same_samples(report, opened)
    return folder


def _is_whole(folder: Path, shared: SharedRecipe) -> bool:
    try:
        manifest = read_manifest(folder)
    except DatasetError:
        return False
    return manifest.recipe_sha256 == shared.recipe.sha256 and not differing_shards(shared, manifest)


def _require_same_samples(report: RebuildReport, opened: OpenedRecipe) -> None:
    """Raise if a clip has other samples; files that hold the same samples in other bytes are told in the log."""
    moved = report.moved
    if moved is None:
        return
    if not moved.n_examples:
        _LOG.info("%s %s", escaped(opened.path), moved.what)
        return
    versions = "".join(f"; {name} {then} then, {now} now" for name, then, now in moved.versions)
    raise DatasetError(
        f"The clips are not those that were shared. {moved.what}",
        where=opened.path,
        expected="the hash of every clip's samples, as it was shared",
        actual=f"{moved.n_examples} clips with others, such as {moved.examples[0]}{versions}",
        remedy=f"Name another source. What came of this one is in {report.prepared.out}",
    )
