"""A shared recipe becomes a prepared folder again, and is compared with what it was."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError, PlanError
from toyadmos_datasets.files.installing import upgrade_command
from toyadmos_datasets.jobs.preparation import Preparation
from toyadmos_datasets.jobs.prepare import PrepareReport, carry_out
from toyadmos_datasets.jobs.sources import holding_cache, resolve_source
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.options.render_options import LOCAL
from toyadmos_datasets.planning import EqualEvents
from toyadmos_datasets.rendering import OutputFolder, Part, RenderOptions, whole_part
from toyadmos_datasets.sharing import Moved, OpenedRecipe, fingerprint_shards, open_recipe, what_moved
from toyadmos_datasets.sharing.recipe_diff import differing_shards
from toyadmos_datasets.sharing.recipe_export import digests_of
from toyadmos_datasets.values.dataset_requests import OWN_HEADROOM
from toyadmos_datasets.values.manifest import FEATURES_SUFFIX
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recipe_parameters import check_parameters
from toyadmos_datasets.values.report_display import DisplayedReport
from toyadmos_datasets.values.shared_recipe import SharedRecipe
from toyadmos_datasets.values.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """What to rebuild, from where, to where.

    Attributes:
        file: The shared recipe: a file, a folder with one, or an address where it was shared.
        source: As `prepare` takes it; any form of the recordings that the recipe was made from.
        out: Folder of the dataset.
        cache: Folder for the recording store, copies of volumes and simulated corpora.
        workers: Number of processes.
        engine: Where tasks run, as `RenderOptions` has it.
        overwrite: Replace a dataset that is in `out` already.
        fetch: How a source on the web is fetched.
        ignore: Glob patterns of files and folders in the source that are left out.
        token: For a private repository on the Hub; by default what HF_TOKEN or `hf auth login` has. Shown nowhere.
    """

    file: Path | str
    source: str
    out: Path
    cache: Path
    workers: int = 1
    engine: str = LOCAL
    overwrite: bool = False
    fetch: FetchChoices = field(default_factory=FetchChoices)
    ignore: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RebuildReport(DisplayedReport):
    """What `rebuild` did.

    Attributes:
        prepared: The folder that was made, or was there.
        n_shards: Shards that were compared.
        moved: The stage at which the bytes differ from the shared recipe's; None if they are the same.
    """

    displayed = ("is_same", "n_shards")

    prepared: PrepareReport
    n_shards: int
    moved: Moved | None

    @property
    def is_same(self) -> bool:
        """Whether every shard has the hash that the recipe promises."""
        return self.moved is None


def rebuild(options: RebuildOptions, progress: Progress | None = None) -> RebuildReport:
    """Render a shared recipe and compare every shard with what it was where the recipe was made.

    Where a hash differs, the samples of all examples are compared, to tell which stage moved. The folder stays: it
    is what the recipe gives here.

    Raises:
        DatasetError: The file is no shared recipe, or was changed.
        ShareError: The address cannot be read.
        PlanError: The source lacks recordings that the recipe needs, or is simulated where the recipe's is not.
        OutputConflictError: `out` holds something else.
    """
    return rebuild_opened(open_recipe(options.file, token=options.token), options, progress)


def rebuild_opened(opened: OpenedRecipe, options: RebuildOptions, progress: Progress | None = None) -> RebuildReport:
    """Render a recipe that is opened already, as `rebuild` does.

    Raises:
        DatasetError: It is a plain recipe.
        PlanError: As `rebuild`.
        OutputConflictError: As `rebuild`.
    """
    progress = progress or Quiet()
    shared = opened.with_hashes()
    for part in shared.recipe.parts:
        check_parameters(part.parameters, where=options.file)
    render = _render_options(shared.request, options)
    with contextlib.ExitStack() as holding:
        for toy in shared.toys:
            holding.enter_context(holding_cache(options.source, toy, options.cache))
        sources = {toy: _source(toy, options, progress) for toy in shared.toys}
        for source in sources.values():
            _require_same_kind(shared, source, options.file)
        report = carry_out(_preparations(shared, sources, render, options), progress)
    if report.manifest.recipe_sha256 != shared.recipe.sha256:
        raise OutputConflictError(
            "The folder holds another recipe.",
            where=options.out,
            expected=f"the recipe {shared.recipe.sha256}",
            actual=f"the recipe {report.manifest.recipe_sha256}",
            remedy="Choose another folder with --out, or replace what is there with --overwrite.",
        )
    moved = None
    if differing_shards(shared, report.manifest):
        prints = fingerprint_shards(options.out, report.manifest, progress, workers=options.workers)
        moved = what_moved(shared, report.manifest, prints, digests_of(shared.recipe, prints, options.out))
    return RebuildReport(prepared=report, n_shards=len(shared.shards), moved=moved)


def _source(toy: str, options: RebuildOptions, progress: Progress) -> Source:
    return resolve_source(
        options.source,
        toy,
        options.cache,
        workers=options.workers,
        progress=progress,
        fetch=options.fetch,
        ignore=options.ignore,
    )


def _preparations(
    shared: SharedRecipe, sources: Mapping[str, Source], render: RenderOptions, options: RebuildOptions
) -> list[Preparation]:
    """Return what is made of each toy; the first renders the parts of all, in their order."""
    first = _request(shared, sources[shared.toy])
    parts = _parts(shared, options, first, sources)
    return [
        Preparation(
            source=source,
            output=OutputFolder(path=options.out, request=first),
            cache=options.cache,
            render=render,
            examples=functools.partial(
                _planned, shared.recipe.of_toy(toy) if len(sources) > 1 else shared.recipe, source
            ),
            overwrite=options.overwrite,
            skipped=shared.skipped,
            parts=parts if toy == shared.toy else (),
        )
        for toy, source in sources.items()
    ]


def _parts(
    shared: SharedRecipe, options: RebuildOptions, first: dict[str, Any], sources: Mapping[str, Source]
) -> tuple[Part, ...]:
    """Return what was asked for one after the other, with the rows of each.

    Raises:
        DatasetError: What was added is not what the recipe has.
    """
    first_recipe, *later = shared.recipe.parts
    parts = [whole_part(first_recipe, first, _render_options(shared.request, options))]
    for one in shared.additions:
        recipe = later.pop(0) if one.configs and later else first_recipe.only(())
        if tuple(recipe.configs) != one.configs or recipe.parameters.get("toy") != one.toy:
            raise DatasetError(
                "The recipe and what was added to it disagree.",
                where=options.file,
                expected=f"the configs {', '.join(one.configs)}",
                actual=f"the configs {', '.join(recipe.configs)}",
                remedy="Get the file again from its author.",
            )
        parts.append(
            Part(
                recipe=recipe,
                request=one.request | {"source": sources[one.toy].identity},
                options=_render_options(one.request, options),
                featured=tuple(config.removesuffix(FEATURES_SUFFIX) for config in one.feature_configs),
                is_level_shared=one.request.get("headroom") != OWN_HEADROOM,
            )
        )
    return tuple(parts)


def _render_options(request: dict[str, Any], options: RebuildOptions) -> RenderOptions:
    try:
        return RenderOptions.of_request(request, workers=options.workers, engine=options.engine)
    except (KeyError, TypeError, OptionError) as error:
        raise DatasetError(
            "The recipe asks for a rendering that this version does not know.",
            where=options.file,
            expected=", ".join(RenderOptions().as_request()),
            actual=f"{type(error).__name__}: {error}",
            remedy=f"Upgrade: {upgrade_command()}",
        ) from error


def _request(shared: SharedRecipe, source: Source) -> dict[str, Any]:
    return shared.request | {"source": source.identity, "rebuilt_from": shared.recipe.sha256}


def _require_same_kind(shared: SharedRecipe, source: Source, file: Path | str) -> None:
    if bool(shared.source["is_simulated"]) != source.is_simulated:
        kinds = {True: "a simulated corpus", False: "recordings"}
        raise PlanError(
            "The recipe and the source are not of one kind.",
            where=file,
            expected=f"{kinds[bool(shared.source['is_simulated'])]}, as the recipe was made from",
            actual=f"{kinds[source.is_simulated]} at {source.location}",
            remedy="Name another source with --source.",
        )


def _planned(recipe: Recipe, source: Source, index: pa.Table, _joined: EqualEvents) -> Recipe:
    """Return a recipe, if the source has what it needs."""
    needed = pa.array(recipe.recording_ids, pa.string())
    missing = needed.filter(pc.invert(pc.is_in(needed, value_set=index["recording_id"])))
    if len(missing):
        raise PlanError(
            f"The source lacks {len(missing)} recordings that the recipe needs.",
            where=source.location,
            expected=", ".join(missing.slice(0, 3).to_pylist()) + (" .." if len(missing) > 3 else ""),
            actual=f"{len(index)} other recordings of {source.toy}",
            remedy="Complete the source, or name another with --source.",
        )
    return recipe
