"""Recipes, exported to the file that is shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.sharing.fingerprint import ShardPrint, fingerprint_shards
from toyadmos_datasets.signal.clip_codec import DIGEST_BYTES
from toyadmos_datasets.values.manifest import RECIPE_NAME, read_manifest
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shared_recipe import (
    SharedRecipe,
    SharedShard,
    write_shared_recipe,
)

_OF_THE_FOLDER = ("source", "rebuilt_from")
"""Parts of a request that say where one folder came from; what the source is stands in the file by itself."""


def export_recipe(folder: Path, out: Path, *, workers: int = 1, progress: Progress | None = None) -> SharedRecipe:
    """Write what a prepared folder consists of, with the hashes of every example, as one small file without audio.

    Args:
        folder: The prepared folder.
        out: The file.
        workers: Number of processes.
        progress: Told about the hashing.

    Raises:
        DatasetError: The folder is not what its manifest says.
    """
    manifest = read_manifest(folder)
    recipe = read_recipe(folder / RECIPE_NAME)
    if recipe.sha256 != manifest.recipe_sha256:
        raise _not_its_recipe(folder, f"the recipe {manifest.recipe_sha256}", f"the recipe {recipe.sha256}")
    prints = fingerprint_shards(folder, manifest, progress or Quiet(), workers=workers)
    shared = SharedRecipe(
        toy=manifest.toy,
        recipe=recipe,
        digests=digests_of(recipe, prints, folder),
        source=manifest.source,
        request=_shared_request(manifest.request),
        versions=manifest.versions,
        headroom_db=manifest.headroom_db,
        shards=tuple(shared_shard(one) for one in prints),
        skipped=manifest.skipped,
        additions=tuple(replace(one, request=_shared_request(one.request)) for one in manifest.additions),
    )
    write_shared_recipe(shared, out)
    return shared


def _shared_request(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in _OF_THE_FOLDER}


def shared_shard(one: ShardPrint) -> SharedShard:
    """Return what is shared of a shard."""
    shard = one.shard
    return SharedShard(
        path=shard.path,
        config=shard.config,
        split=shard.split,
        n_rows=shard.n_rows,
        n_bytes=shard.n_bytes,
        sha256=shard.sha256,
        audio_sha256=one.audio_sha256,
        columns_sha256=one.columns_sha256,
    )


def digests_of(recipe: Recipe, prints: Sequence[ShardPrint], folder: Path) -> pa.Array:
    """Bring the hashes of samples into the order of the recipe's rows.

    The shards of one config and split hold its rows in the recipe's order.

    Raises:
        DatasetError: The rows of the shards are not those of the recipe.
    """
    names = list(zip(*(recipe.examples[name].to_pylist() for name in ("event_id", "channel")), strict=True))
    digests: list[bytes] = [b""] * len(names)
    for config, split in dict.fromkeys((one.shard.config, one.shard.split) for one in prints):
        mine = [one for one in prints if (one.shard.config, one.shard.split) == (config, split)]
        is_here = pc.and_(pc.equal(recipe.examples["config"], config), pc.equal(recipe.examples["split"], split))
        rows = np.flatnonzero(is_here.to_numpy()).tolist()
        there = [name for one in mine for name in one.names]
        if there != [names[row] for row in rows]:
            raise _not_its_recipe(folder, f"the {len(rows)} examples of {config}, {split}", "other examples")
        for row, digest in zip(rows, (digest for one in mine for digest in one.digests), strict=True):
            digests[row] = digest
    if not all(digests):
        raise _not_its_recipe(folder, f"{len(names)} examples", f"{len(names) - digests.count(b'')} examples")
    return pa.array(digests, pa.binary(DIGEST_BYTES))


def _not_its_recipe(folder: Path, expected: str, actual: str) -> DatasetError:
    return DatasetError(
        "The folder and its recipe disagree.",
        where=folder,
        expected=expected,
        actual=actual,
        remedy="Prepare the folder again with the same command and --overwrite.",
    )
