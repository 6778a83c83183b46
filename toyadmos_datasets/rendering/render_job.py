"""Renders a recipe and its recordings to a prepared folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.engine import Engine, LazyTasks, run_tasks
from toyadmos_datasets.engine.preflight import versions
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import ClippingError
from toyadmos_datasets.files.atomic import needing_room, require_room
from toyadmos_datasets.options.render_options import RenderOptions
from toyadmos_datasets.rendering.dataset_card import card_of
from toyadmos_datasets.rendering.dataset_content import RenderedPart, content_of, largest_of
from toyadmos_datasets.rendering.exclusion import ExclusionRequest
from toyadmos_datasets.rendering.growth import Part, PreparedFolder
from toyadmos_datasets.rendering.logmel_shards import feature_shards, require_features_possible
from toyadmos_datasets.rendering.mixing_rules import is_stacked, rules_of, values_a_sample
from toyadmos_datasets.rendering.mixing_values import RESOLVED_SCHEMA, Resolved, resolve
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.rendering.shard_writer import ROWS_A_SHARD, ShardTask, render_shard
from toyadmos_datasets.units import Bytes, Decibels
from toyadmos_datasets.values.health import header_oddities
from toyadmos_datasets.values.manifest import FEATURES_SUFFIX, Manifest, Shard, SkippedRecording, shard_path
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recording_store import needed_to_read
from toyadmos_datasets.values.source import Oddity, Source

SMALLEST_FLAC_SHARE = 0.2
"""Share of its PCM size that a FLAC takes at the very least: to see early that a disk is too small."""


def render(
    parts: Sequence[Part],
    catalogue: pa.Table,
    output: OutputFolder,
    sources: Mapping[str, Source],
    *,
    there: PreparedFolder | None = None,
    skipped: tuple[SkippedRecording, ...] = (),
    leaving_out: ExclusionRequest | None = None,
    oddities: tuple[Oddity, ...] = (),
    engine: Engine | None = None,
    progress: Progress,
) -> Manifest:
    """Render every example of some recipes into a folder that plain `datasets` opens.

    The boundaries of the shards follow from the recipes; neither workers nor order change a byte. Shards
    that a cut run of the same job has finished are kept.

    Args:
        parts: The examples, as they were asked for one after the other.
        catalogue: The ingested recordings.
        output: The folder, held by the caller.
        sources: Where the recordings of each toy are from, for the manifest and the card.
        there: The dataset that the parts are added to; None to make a new one.
        skipped: Recordings that were left out, for the manifest.
        leaving_out: What more is left out, now that the recordings are known; None for nothing.
        oddities: What is odd about the source, for the manifest; odd headers are added.
        engine: Where tasks run; None for this machine.
        progress: Told about the work.

    Raises:
        ClippingError: An example exceeds full scale although the headroom was given, and that is an error; or what is
            added needs more headroom than the dataset has.
        DiskFullError: There is no room; what is finished is kept for the next run.
        SilentSignalError: An SNR is asked for that does not exist, and nothing says to leave such examples out.
    """
    for part in parts:
        require_features_possible(part.recipe.parameters, part.options)
    ready = _ready_parts(parts, catalogue, leaving_out, there=there, engine=engine, progress=progress)
    finished = output.begin(_job_of(ready, there))
    shards = [(output.path, one) for one in there.manifest.shards] if there else []
    made: list[RenderedPart] = []
    for one in ready:
        new = _shards_of(one, finished, output=output, engine=engine, progress=progress)
        clips = [*shards, *((output.partial, shard) for shard in new)]
        featured = [pair for pair in clips if pair[1].config in one.part.featured]
        features = feature_shards(
            featured,
            finished,
            toy=one.part.schema_toy,
            output=output,
            options=one.part.options,
            engine=engine,
            progress=progress,
        )
        new += _in_order(features, [(f"{shard.config}{FEATURES_SUFFIX}", shard.split) for _, shard in featured])
        shards += [(output.partial, shard) for shard in new]
        made.append(RenderedPart(part=one.part, catalogue=one.catalogue, resolved=one.resolved, shards=tuple(new)))
    content = content_of(made, sources, versions(), there=there)
    manifest = replace(
        content.manifest,
        skipped=tuple(dict.fromkeys((*content.manifest.skipped, *skipped, *_unmixable(ready, sources)))),
        oddities=largest_of(
            content.manifest.oddities, oddities + header_oddities(_needed_by(content.recipe, catalogue))
        ),
    )
    card = card_of(manifest, content.recipe, content.rows)
    output.commit(manifest, content.recipe, card, added=content.added)
    return manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A part whose numbers are known.

    Attributes:
        part: The part.
        catalogue: The recordings that its examples need.
        resolved: Its examples.
    """

    part: Part
    catalogue: pa.Table
    resolved: Resolved


def _ready_parts(
    parts: Sequence[Part],
    catalogue: pa.Table,
    leaving_out: ExclusionRequest | None,
    *,
    there: PreparedFolder | None,
    engine: Engine | None,
    progress: Progress,
) -> list[_Ready]:
    """Work out the numbers of every part; the first of a toy decides on the headroom of those that share it."""
    headrooms_db = {toy: there.manifest.headroom_of_toy(toy) for toy in there.manifest.toys} if there else {}
    ready: list[_Ready] = []
    for part in parts:
        needed, headroom_db = _needed_by(part.recipe, catalogue), headrooms_db.get(part.toy)
        if len(part.recipe.planned):
            resolved = _resolved(
                part.recipe, needed, part.options, leaving_out=leaving_out, engine=engine, progress=progress
            )
        else:  # features alone
            nothing = RESOLVED_SCHEMA.empty_table()
            resolved = Resolved(examples=nothing, headroom_db=headroom_db or 0.0, recipe=part.recipe)
        if headroom_db is not None and part.is_level_shared:
            resolved = _at_headroom(resolved, headroom_db, part)
        headrooms_db.setdefault(part.toy, resolved.headroom_db)
        ready.append(_Ready(part=part, catalogue=needed, resolved=resolved))
    return ready


def _at_headroom(resolved: Resolved, headroom_db: Decibels, part: Part) -> Resolved:
    """Return the same examples at the headroom of those that are there.

    Raises:
        ClippingError: They need more, and it was not said to count what exceeds full scale.
    """
    is_found = part.options.headroom_db is None
    if is_found and resolved.headroom_db > headroom_db and part.options.on_clip == "error":
        raise ClippingError(
            "What is added needs more headroom than the dataset has.",
            where=f"configs {', '.join(part.recipe.configs)}",
            expected=f"at most {headroom_db:g} dB, as the configs that are there",
            actual=f"{resolved.headroom_db:g} dB",
            remedy="Let the new configs have a headroom of their own, so that their levels differ from the others': "
            f"--headroom own; or prepare all of them anew with --overwrite --headroom-db {resolved.headroom_db:g}",
        )
    return replace(resolved, headroom_db=headroom_db)


def _job_of(ready: Sequence[_Ready], there: PreparedFolder | None) -> dict[str, Any]:
    """Return what the bytes follow from, beside the request."""
    grows = {"grows": [there.manifest.recipe_sha256, *there.manifest.configs]} if there else {}
    return {
        "recipe_sha256": [one.resolved.recipe.sha256 for one in ready],
        "headroom_db": [one.resolved.headroom_db for one in ready],
        "versions": versions(),
    } | grows


def _shards_of(
    ready: _Ready, finished: dict[str, Shard], *, output: OutputFolder, engine: Engine | None, progress: Progress
) -> list[Shard]:
    """Render the shards of a part that a cut run has not finished; return all of them, in order."""
    resolved, options = ready.resolved, ready.part.options
    recipe = resolved.recipe
    planned = [shard for shard in _planned_shards(resolved.examples, recipe) if shard.path not in finished]
    rows = np.concatenate([shard.rows for shard in planned] or [np.empty(0, dtype=np.int64)])
    n_pcm_bytes = _pcm_bytes(resolved.examples.take(pa.array(rows)), recipe, options)
    _require_room(output, n_pcm_bytes, options)
    tasks = _tasks(
        planned,
        resolved,
        catalogue=ready.catalogue,
        output=output,
        recipe=recipe,
        options=options,
        schema_toy=ready.part.schema_toy,
    )
    with progress.stage("Rendering", len(rows), "clips") as on_progress, needing_room(n_pcm_bytes):
        rendered = run_tasks(render_shard, tasks, workers=options.workers, engine=engine, on_progress=on_progress)
        kept = (one for one in finished.values() if one.config in recipe.configs)
        splits = pc.unique(recipe.examples["split"]).to_pylist()
        return _in_order([*kept, *rendered], list(itertools.product(recipe.configs, splits)))


def shard_tasks(
    recipe: Recipe,
    catalogue: pa.Table,
    output: OutputFolder,
    options: RenderOptions,
    *,
    leaving_out: ExclusionRequest | None = None,
    progress: Progress,
) -> list[ShardTask]:
    """Return the tasks that `render` would run, in the order of the dataset, for callers that run them by other means.

    Args:
        recipe: The examples.
        catalogue: The ingested recordings.
        output: Where shards would go, if they were written.
        options: How to render.
        leaving_out: What more is left out; None for nothing.
        progress: Told about the measuring of levels.
    """
    catalogue = _needed_by(recipe, catalogue)
    resolved = _resolved(recipe, catalogue, options, leaving_out=leaving_out, progress=progress)
    recipe = resolved.recipe
    planned = list(_planned_shards(resolved.examples, recipe))
    toy = recipe.parameters["toy"]
    return list(
        _tasks(planned, resolved, catalogue=catalogue, output=output, recipe=recipe, options=options, schema_toy=toy)
    )


def _needed_by(recipe: Recipe, catalogue: pa.Table) -> pa.Table:
    needed = pa.array(recipe.recording_ids, pa.string())
    return catalogue.filter(pc.is_in(catalogue["recording_id"], value_set=needed))


def _resolved(
    recipe: Recipe,
    catalogue: pa.Table,
    options: RenderOptions,
    *,
    leaving_out: ExclusionRequest | None,
    engine: Engine | None = None,
    progress: Progress,
) -> Resolved:
    return resolve(
        recipe,
        catalogue,
        rate_hz=options.encoding.rate_hz,
        bit_depth=options.encoding.bit_depth,
        headroom_db=options.headroom_db,
        leaving_out=leaving_out,
        workers=options.workers,
        engine=engine,
        progress=progress,
    )


def _unmixable(ready: Sequence[_Ready], sources: Mapping[str, Source]) -> tuple[SkippedRecording, ...]:
    """Return the events that could not be mixed as the manifest has them."""
    skipped = [event for one in ready for event in one.resolved.skipped]
    if not skipped:
        return ()
    known = [member.path for source in sources.values() for member in source.members()]
    members = {PurePosixPath(path).stem: path for path in known}
    return tuple(
        SkippedRecording(
            recording_id=one.recording_id, member=members.get(one.recording_id, one.recording_id), reason=one.reason
        )
        for one in skipped
    )


def _pcm_bytes(examples: pa.Table, recipe: Recipe, options: RenderOptions) -> Bytes:
    """Return the size of the samples of some examples, as WAV has them, bytes."""
    values = values_a_sample(examples, is_stacked=is_stacked(recipe.parameters), stems=options.stems)
    return int(np.dot(values, examples["n_samples"].to_numpy())) * options.encoding.bit_depth // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlannedShard:
    """Which rows a shard has.

    Attributes:
        path: Its place in the dataset.
        config: Its config.
        split: Its split.
        rows: Rows of the resolved examples.
    """

    path: str
    config: str
    split: str
    rows: npt.NDArray[np.int64]


def _planned_shards(examples: pa.Table, recipe: Recipe) -> Iterator[_PlannedShard]:
    """Cut each split of each config into shards of `ROWS_A_SHARD` rows."""
    for config in recipe.configs:
        of_config = np.flatnonzero(pc.equal(examples["config"], config).to_numpy())
        splits = examples["split"].take(pa.array(of_config))
        for split in pc.unique(splits).to_pylist():
            rows = of_config[pc.equal(splits, split).to_numpy()]
            count = -(-len(rows) // ROWS_A_SHARD)
            for number in range(count):
                yield _PlannedShard(
                    path=shard_path(config, split, number, count),
                    config=config,
                    split=split,
                    rows=rows[number * ROWS_A_SHARD : (number + 1) * ROWS_A_SHARD],
                )


def _tasks(
    shards: Sequence[_PlannedShard],
    resolved: Resolved,
    *,
    catalogue: pa.Table,
    output: OutputFolder,
    recipe: Recipe,
    options: RenderOptions,
    schema_toy: str | None,
) -> LazyTasks[ShardTask]:
    """Return the tasks of some shards; each brings its own rows and recordings only."""

    def task(number: int) -> ShardTask:
        """Make the task of one shard, when its turn comes."""
        shard = shards[number]
        examples = resolved.examples.take(pa.array(shard.rows)).combine_chunks()
        return ShardTask(
            folder=output.partial,
            path=shard.path,
            config=shard.config,
            split=shard.split,
            examples=examples,
            catalogue=_needed(catalogue, examples),
            toy=recipe.parameters["toy"],
            schema_toy=schema_toy,
            encoding=options.encoding,
            rules=rules_of(recipe.parameters, options.encoding.rate_hz),
            stems=options.stems,
            headroom_db=resolved.headroom_db,
            is_clipping_error=options.on_clip == "error",
            note=output.note_for(shard.path),
        )

    return LazyTasks(len(shards), task)


def _needed(catalogue: pa.Table, examples: pa.Table) -> pa.Table:
    ids = [pc.unique(pc.list_flatten(examples[name])) for name in ("recording_ids", "noise_recording_ids")]
    return needed_to_read(catalogue.filter(pc.is_in(catalogue["recording_id"], value_set=pa.concat_arrays(ids))))


def _in_order(shards: list[Shard], sides: Sequence[tuple[str, str]]) -> list[Shard]:
    """Sort shards by their places among configs and splits, then by number."""
    places = {side: number for number, side in reversed(list(enumerate(sides)))}
    return sorted(shards, key=lambda shard: (places[shard.config, shard.split], shard.path))


def _require_room(output: OutputFolder, n_pcm_bytes: Bytes, options: RenderOptions) -> None:
    share = SMALLEST_FLAC_SHARE if options.encoding.container == "flac" else 1.0
    require_room(output.path, int(n_pcm_bytes * share), purpose="the dataset")
