"""From a recipe and recordings to a prepared folder."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import soundfile
import soxr

from toyadmos_datasets.engine import LazyTasks, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.files.atomic import needing_room, require_room
from toyadmos_datasets.options.render_options import RenderOptions
from toyadmos_datasets.rendering.dataset_card import card_of
from toyadmos_datasets.rendering.example_health import summary_of
from toyadmos_datasets.rendering.exclusion import LeavingOut
from toyadmos_datasets.rendering.logmel_shards import feature_shards, require_features_possible
from toyadmos_datasets.rendering.mixing_rules import is_stacked, rules_of, values_a_sample
from toyadmos_datasets.rendering.mixing_values import Resolved, resolve
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.rendering.shard_writer import ROWS_A_SHARD, ShardTask, render_shard
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.health import header_oddities
from toyadmos_datasets.values.manifest import FEATURES_SUFFIX, Manifest, Shard, SkippedRecording, shard_path
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recording_store import crc32s_sha256, needed_to_read
from toyadmos_datasets.values.source import Oddity, Source

SMALLEST_FLAC_SHARE = 0.2
"""Share of its PCM size that a FLAC takes at the very least: to see early that a disk is too small."""


def versions() -> dict[str, str]:
    """Return the versions of what the bytes of a dataset depend on."""
    return {
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "soxr": soxr.__libsoxr_version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "python": platform.python_version(),
        "toyadmos-datasets": importlib.metadata.version("toyadmos-datasets"),
    }


def render(
    recipe: Recipe,
    catalogue: pa.Table,
    output: OutputFolder,
    source: Source,
    options: RenderOptions,
    *,
    skipped: tuple[SkippedRecording, ...] = (),
    leaving_out: LeavingOut | None = None,
    oddities: tuple[Oddity, ...] = (),
    progress: Progress,
) -> Manifest:
    """Render every example of a recipe into a folder that plain `datasets` opens.

    The boundaries of the shards follow from the recipe; neither workers nor order change a byte. Shards
    that a cut run of the same job has finished are kept.

    Args:
        recipe: The examples.
        catalogue: The ingested recordings.
        output: The folder, held by the caller.
        source: Where the recordings are from, for the manifest and the card.
        options: How to render.
        skipped: Recordings that were left out, for the manifest.
        leaving_out: What more is left out, now that the recordings are known; None for nothing.
        oddities: What is odd about the source, for the manifest; odd headers are added.
        progress: Told about the work.

    Raises:
        ClippingError: An example exceeds full scale although the headroom was given, and that is an error.
        DiskFullError: There is no room; what is finished is kept for the next run.
        SilentSignalError: An SNR is asked for that does not exist, and nothing says to leave such examples out.
    """
    require_features_possible(recipe.parameters, options)
    catalogue = _needed_by(recipe, catalogue)
    resolved = _resolved(recipe, catalogue, options, leaving_out, progress)
    recipe = resolved.recipe
    job = {"recipe_sha256": recipe.sha256, "headroom_db": resolved.headroom_db, "versions": versions()}
    finished = output.begin(job)
    planned = [shard for shard in _planned_shards(resolved.examples, recipe) if shard.path not in finished]
    rows = np.concatenate([shard.rows for shard in planned] or [np.empty(0, dtype=np.int64)])
    n_pcm_bytes = _pcm_bytes(resolved.examples.take(pa.array(rows)), recipe, options)
    _require_room(output, n_pcm_bytes, options)
    tasks = _tasks(planned, resolved, catalogue=catalogue, output=output, recipe=recipe, options=options)
    with progress.stage("Rendering", len(rows), "clips") as on_progress, needing_room(n_pcm_bytes):
        rendered = run_tasks(render_shard, tasks, workers=options.workers, on_progress=on_progress)
        shards = _in_order([*(one for one in finished.values() if one.config in recipe.configs), *rendered], recipe)
    shards += feature_shards(
        shards, finished, toy=recipe.parameters["toy"], output=output, options=options, progress=progress
    )
    manifest = Manifest(
        toy=recipe.parameters["toy"],
        request=output.request,
        source={
            "kind": source.kind,
            "identity": source.identity,
            "is_simulated": source.is_simulated,
            "recordings_sha256": crc32s_sha256(catalogue, "source_crc32"),
            "resampled_sha256": crc32s_sha256(catalogue, "samples_crc32"),
        },
        versions=versions(),
        recipe_sha256=recipe.sha256,
        headroom_db=resolved.headroom_db,
        shards=tuple(_in_order(shards, recipe)),
        skipped=skipped + _unmixable(resolved, source),
        oddities=oddities + header_oddities(catalogue),
        health=summary_of(resolved.examples, recipe.excluded),
    )
    output.commit(manifest, recipe, card_of(manifest, recipe, resolved.examples, options))
    return manifest


def shard_tasks(
    recipe: Recipe,
    catalogue: pa.Table,
    output: OutputFolder,
    options: RenderOptions,
    *,
    leaving_out: LeavingOut | None = None,
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
    resolved = _resolved(recipe, catalogue, options, leaving_out, progress)
    recipe = resolved.recipe
    planned = list(_planned_shards(resolved.examples, recipe))
    return list(_tasks(planned, resolved, catalogue=catalogue, output=output, recipe=recipe, options=options))


def _needed_by(recipe: Recipe, catalogue: pa.Table) -> pa.Table:
    needed = pa.array(recipe.recording_ids, pa.string())
    return catalogue.filter(pc.is_in(catalogue["recording_id"], value_set=needed))


def _resolved(
    recipe: Recipe, catalogue: pa.Table, options: RenderOptions, leaving_out: LeavingOut | None, progress: Progress
) -> Resolved:
    return resolve(
        recipe,
        catalogue,
        rate_hz=options.encoding.rate_hz,
        bit_depth=options.encoding.bit_depth,
        headroom_db=options.headroom_db,
        leaving_out=leaving_out,
        workers=options.workers,
        progress=progress,
    )


def _unmixable(resolved: Resolved, source: Source) -> tuple[SkippedRecording, ...]:
    """Return the events that could not be mixed as the manifest has them."""
    if not resolved.skipped:
        return ()
    members = {PurePosixPath(member.path).stem: member.path for member in source.members()}
    return tuple(
        SkippedRecording(
            recording_id=one.recording_id, member=members.get(one.recording_id, one.recording_id), reason=one.reason
        )
        for one in resolved.skipped
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


def _in_order(shards: list[Shard], recipe: Recipe) -> list[Shard]:
    configs = [*recipe.configs, *(f"{config}{FEATURES_SUFFIX}" for config in recipe.configs)]
    splits: list[Any] = pc.unique(recipe.examples["split"]).to_pylist()
    return sorted(shards, key=lambda shard: (configs.index(shard.config), splits.index(shard.split), shard.path))


def _require_room(output: OutputFolder, n_pcm_bytes: Bytes, options: RenderOptions) -> None:
    share = SMALLEST_FLAC_SHARE if options.encoding.container == "flac" else 1.0
    require_room(output.path, int(n_pcm_bytes * share), purpose="the dataset")
