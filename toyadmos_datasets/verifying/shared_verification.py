"""Verifies a shared copy, at any address, against its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import temporary_folder
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.sharing import Remote
from toyadmos_datasets.sharing.recipe_opening import parse_manifest, parse_recipe
from toyadmos_datasets.sharing.row_files import known_of_split, rows_path
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import CARD_NAME, MANIFEST_NAME, RECIPE_NAME, Manifest, Shard
from toyadmos_datasets.values.parquet_files import read_parquet
from toyadmos_datasets.values.shared_recipe import SHARED_NAME, SharedRecipe
from toyadmos_datasets.verifying.dataset_verification import (
    DatasetVerdict,
    Problem,
    check_card,
    check_recipe,
    problem_of,
)

_PIECE_BYTES: Bytes = 8 << 20


def verify_shared(
    address: str, progress: Progress | None = None, *, workers: int = 1, token: str | None = None
) -> DatasetVerdict:
    """Read every byte of a shared dataset and compare it with the manifest that was shared with it.

    Nothing is raised for what is wrong with the files: all of it is in the verdict. Of what was shared as a recipe,
    the file is compared with its own hash.

    Args:
        address: Where it was shared to.
        progress: Told about the work.
        workers: Number of processes.
        token: For a private repository on the Hub.

    Raises:
        DatasetError: Nothing was shared there to its end, or the manifest is damaged.
        ShareError: The place cannot be read.
    """
    remote = Remote(address=address, token=token)
    content = remote.read(MANIFEST_NAME)
    if content is None:
        return _recipe_verdict(remote)
    manifest = parse_manifest(content, remote.shown_path(MANIFEST_NAME))
    n_bytes = sum(shard.n_bytes for shard in manifest.shards)
    tasks = [_SharedShard(remote=remote, shard=shard) for shard in manifest.shards]
    if address.startswith("memory://"):
        workers = 1  # it is the memory of this process
    with (progress or Quiet()).stage(f"Verifying {remote.shown}", n_bytes, "bytes") as on_progress:
        found = [one for one in run_tasks(check_shared, tasks, workers=workers, on_progress=on_progress) if one]
    found += _check_small(remote, manifest)
    if not address.startswith(("http://", "https://")):  # these list nothing
        found += _unlisted(remote, manifest)
    return DatasetVerdict(
        folder=remote.shown,
        toy=manifest.toys_text,
        n_shards=len(manifest.shards),
        n_rows=sum(shard.n_rows for shard in manifest.shards),
        n_bytes=n_bytes,
        problems=tuple(sorted(found, key=lambda one: one.path)),
    )


def _recipe_verdict(remote: Remote) -> DatasetVerdict:
    """Look at what was shared without audio: the recipe, which knows its own hash, and the rows beside it."""
    content = remote.read(SHARED_NAME)
    if content is None:
        raise DatasetError(
            "No dataset was shared here, or not to the end.",
            where=remote.shown,
            expected=f"{MANIFEST_NAME}, or {SHARED_NAME} for a recipe",
            actual="neither",
            remedy="Check the address, or share it again: the same command goes on where it was cut.",
        )
    try:
        shared = parse_recipe(content, remote.shown_path(SHARED_NAME)).with_hashes()
    except DatasetError as error:
        problem = replace(problem_of(error, remote.shown_path(SHARED_NAME)), remedy=_again(remote))
        return DatasetVerdict(
            folder=remote.shown, toy="", n_shards=0, n_rows=0, n_bytes=len(content), problems=(problem,)
        )
    splits = dict.fromkeys((shard.config, shard.split) for shard in shared.shards)
    found = [_row_problem(remote, shared, config, split) for config, split in splits]
    return DatasetVerdict(
        folder=remote.shown,
        toy=", ".join(shared.toys),
        n_shards=0,
        n_rows=0,
        n_bytes=len(content),
        problems=tuple(one for one in found if one is not None),
    )


def _row_problem(remote: Remote, shared: SharedRecipe, config: str, split: str) -> Problem | None:
    """Compare the rows of a split with the recipe: the same events with the same hashes, in the same order."""
    path = rows_path(config, split)
    expected = f"the rows of {config}, {split}, as the recipe has them"
    content = remote.read(path)
    if content is None:
        return _problem(remote, "Rows that people look at are missing.", path, expected, "no file")

    def unreadable(actual: str) -> DatasetError:
        return DatasetError("Rows cannot be read.", where=path, expected=expected, actual=actual)

    try:
        with temporary_folder("rows") as folder:
            (folder / "rows.parquet").write_bytes(content)
            rows = read_parquet(folder / "rows.parquet", unreadable)
        same = [rows[name].to_pylist() == column.to_pylist() for name, column in known_of_split(shared, config, split)]
    except (DatasetError, KeyError) as error:
        return _problem(remote, "Rows that people look at are damaged.", path, expected, str(error))
    return None if all(same) else _problem(remote, "Rows are not those of the recipe.", path, expected, "others")


@dataclass(frozen=True, slots=True, kw_only=True)
class _SharedShard:
    remote: Remote
    shard: Shard


def check_shared(task: _SharedShard, watch: Watch) -> Problem | None:
    """Compare one shard's size and hash with what the manifest says."""
    remote, shard = task.remote, task.shard
    where = remote.shown_path(shard.path)
    whole = f"{shard.n_bytes} bytes, sha256 {shard.sha256}"
    digest, n_bytes = hashlib.sha256(), 0
    try:
        with remote.open(shard.path) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                n_bytes += len(piece)
                watch.advance(len(piece), at=where)
                if n_bytes > shard.n_bytes:
                    break  # no end may come
    except FileNotFoundError:
        return _problem(remote, "A shard is missing.", shard.path, whole, "no file")
    except OSError as error:
        raise_shortage(error, where)
        return _problem(remote, "A shard cannot be read.", shard.path, whole, str(error))
    if n_bytes != shard.n_bytes:
        what = "A shard has another size than it was written with."
        return _problem(remote, what, shard.path, whole, f"{n_bytes} bytes")
    if digest.hexdigest() != shard.sha256:
        what = "A shard was changed since it was written."
        return _problem(remote, what, shard.path, whole, f"sha256 {digest.hexdigest()}")
    return None


def _check_small(remote: Remote, manifest: Manifest) -> Iterator[Problem]:
    """Look at the recipe and the card, from copies in a folder of their own."""
    with temporary_folder("verify") as folder:
        for path in (RECIPE_NAME, CARD_NAME):
            content = remote.read(path)
            if content is not None:
                (folder / path).write_bytes(content)
        found = [*check_recipe(folder, manifest), *check_card(folder, manifest)]
    for one in found:
        path = remote.shown_path(Path(one.path).name)
        yield replace(one, path=path, remedy=_again(remote))


def _unlisted(remote: Remote, manifest: Manifest) -> Iterator[Problem]:
    listed = {RECIPE_NAME, *(shard.path for shard in manifest.shards)}
    for path in sorted(remote.sizes().keys() - listed):
        if path.endswith(".parquet") and not any(part.startswith(".") for part in path.split("/")):
            what = "There is a shard that the manifest does not list."
            yield _problem(remote, what, path, f"the {len(manifest.shards)} shards in {MANIFEST_NAME}", "one more")


def _problem(remote: Remote, what: str, path: str, expected: str, actual: str) -> Problem:
    return Problem(what=what, path=remote.shown_path(path), expected=expected, actual=actual, remedy=_again(remote))


def _again(remote: Remote) -> str:
    return f"Delete it there, and share the dataset again: toyadmos share DIR {shell_word(remote.shown)}"
