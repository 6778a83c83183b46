"""From a recipe and recordings to a prepared folder."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import soundfile
import soxr

from toyadmos_datasets.engine import run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.atomic import needing_room, require_room
from toyadmos_datasets.render.card import card_of
from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.render.folder import OutputFolder
from toyadmos_datasets.render.resolve import Resolved, resolve
from toyadmos_datasets.render.shard import ROWS_A_SHARD, ShardTask, render_shard
from toyadmos_datasets.units import Bytes, Decibels
from toyadmos_datasets.values.dataset import Manifest, Shard, SkippedRecording, shard_path
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.source import Source

CLIP_POLICIES = ("error", "count")

SMALLEST_FLAC_SHARE = 0.2
"""Share of its PCM size that a FLAC takes at the very least: to see early that a disk is too small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How examples are rendered.

    Attributes:
        encoding: How audio is stored.
        headroom_db: Attenuation of the whole dataset; None to find the smallest whole number that suffices.
        on_clip: ``error``, or ``count`` the examples that exceed full scale all the same.
        workers: Number of processes.
    """

    encoding: Encoding = field(default_factory=Encoding)
    headroom_db: Decibels | None = None
    on_clip: str = "error"
    workers: int = 1

    def __post_init__(self) -> None:
        if self.on_clip not in CLIP_POLICIES:
            raise OptionError(
                "An option has a value that cannot be used.",
                where="--on-clip",
                expected=" or ".join(CLIP_POLICIES),
                actual=self.on_clip,
                remedy="toyadmos prepare --help",
            )
        if self.headroom_db is not None and not 0 <= self.headroom_db <= 96:
            raise OptionError(
                "An option has a value that cannot be used.",
                where="--headroom-db",
                expected="0 to 96 dB",
                actual=self.headroom_db,
                remedy="Leave it out: then it is found from the recordings.",
            )


def versions() -> dict[str, str]:
    """Return the versions of what the bytes of a dataset depend on."""
    return {
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "soxr": soxr.__libsoxr_version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "python": platform.python_version(),
    }


def render(
    recipe: Recipe,
    catalogue: pa.Table,
    output: OutputFolder,
    source: Source,
    options: RenderOptions,
    *,
    skipped: tuple[SkippedRecording, ...] = (),
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
        progress: Told about the work.

    Raises:
        ClippingError: An example exceeds full scale although the headroom was given, and that is an error.
        DiskFullError: There is no room; what is finished is kept for the next run.
    """
    needed = pc.is_in(catalogue["recording_id"], value_set=pa.array(recipe.recording_ids, pa.string()))
    catalogue = catalogue.filter(needed)
    resolved = resolve(
        recipe,
        catalogue,
        rate_hz=options.encoding.rate_hz,
        bit_depth=options.encoding.bit_depth,
        headroom_db=options.headroom_db,
        workers=options.workers,
        progress=progress,
    )
    job = {"recipe_sha256": recipe.sha256, "headroom_db": resolved.headroom_db, "versions": versions()}
    finished = output.begin(job, keep=True)
    tasks = [task for task in _tasks(resolved, catalogue, output, recipe, options) if task.path not in finished]
    _require_room(output, tasks, options)
    shards = [*finished.values(), *_run(tasks, options, progress)]
    manifest = Manifest(
        toy=recipe.parameters["toy"],
        request=output.request,
        source={"kind": source.kind, "identity": source.identity, "is_simulated": source.is_simulated},
        versions=versions(),
        recipe_sha256=recipe.sha256,
        headroom_db=resolved.headroom_db,
        shards=tuple(_in_order(shards, recipe)),
        skipped=skipped,
    )
    output.commit(manifest, recipe, card_of(manifest, recipe, resolved.examples, options.encoding))
    return manifest


def pcm_bytes(examples: pa.Table, encoding: Encoding) -> Bytes:
    """Return the size of the examples' samples before FLAC, bytes."""
    return int(pc.sum(examples["n_samples"]).as_py() or 0) * encoding.bit_depth // 8


def _run(tasks: list[ShardTask], options: RenderOptions, progress: Progress) -> list[Shard]:
    total = sum(len(task.examples) for task in tasks)
    room = needing_room(sum(pcm_bytes(task.examples, options.encoding) for task in tasks))
    with progress.stage("Rendering", total, "clips") as on_progress, room:
        return list(run_tasks(render_shard, tasks, workers=options.workers, on_progress=on_progress))


def _tasks(
    resolved: Resolved, catalogue: pa.Table, output: OutputFolder, recipe: Recipe, options: RenderOptions
) -> list[ShardTask]:
    """Cut each split of each config into shards of `ROWS_A_SHARD` rows."""
    tasks = []
    for config, split, rows in _splits(resolved.examples, recipe):
        count = -(-len(rows) // ROWS_A_SHARD)
        for number in range(count):
            examples = rows.slice(number * ROWS_A_SHARD, ROWS_A_SHARD).combine_chunks()
            path = shard_path(config, split, number, count)
            tasks.append(
                ShardTask(
                    folder=output.partial,
                    path=path,
                    config=config,
                    split=split,
                    examples=examples,
                    catalogue=_needed(catalogue, examples),
                    toy=recipe.parameters["toy"],
                    encoding=options.encoding,
                    headroom_db=resolved.headroom_db,
                    is_clipping_error=options.on_clip == "error",
                    note=output.note_for(path),
                )
            )
    return tasks


def _splits(examples: pa.Table, recipe: Recipe) -> list[tuple[str, str, pa.Table]]:
    splits = []
    for config in recipe.configs:
        of_config = examples.filter(pc.equal(examples["config"], config))
        splits += [
            (config, split, of_config.filter(pc.equal(of_config["split"], split)))
            for split in pc.unique(of_config["split"]).to_pylist()
        ]
    return splits


def _needed(catalogue: pa.Table, examples: pa.Table) -> pa.Table:
    ids: set[str] = set()
    for name in ("recording_ids", "noise_recording_ids"):
        ids.update(pc.list_flatten(examples[name]).to_pylist())
    return catalogue.filter(pc.is_in(catalogue["recording_id"], value_set=pa.array(sorted(ids), pa.string())))


def _in_order(shards: list[Shard], recipe: Recipe) -> list[Shard]:
    configs = recipe.configs
    splits: list[Any] = pc.unique(recipe.examples["split"]).to_pylist()
    return sorted(shards, key=lambda shard: (configs.index(shard.config), splits.index(shard.split), shard.path))


def _require_room(output: OutputFolder, tasks: list[ShardTask], options: RenderOptions) -> None:
    share = SMALLEST_FLAC_SHARE if options.encoding.container == "flac" else 1.0
    n_bytes = sum(pcm_bytes(task.examples, options.encoding) for task in tasks)
    require_room(output.path, int(n_bytes * share), purpose="the dataset")
