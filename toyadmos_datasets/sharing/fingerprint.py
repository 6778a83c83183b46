"""Hashes of a dataset's shards, of what is in them, and of every example's samples, taken in workers."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError, WavError
from toyadmos_datasets.signal.clip_codec import DIGEST_BYTES, decode_pcm
from toyadmos_datasets.values.manifest import Manifest, Shard, check_shard_sizes
from toyadmos_datasets.values.shards import row_groups

_AGAIN = "Prepare the folder again with the same command and --overwrite."


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPrint:
    """What is hashed of one shard.

    Attributes:
        shard: The shard.
        digests: Hash of the samples of each example, in order.
        names: Event and channel of each example, to tell rows apart.
        audio_sha256: Hash of the encoded audio.
        columns_sha256: Hash of the values of the other columns.
    """

    shard: Shard
    digests: tuple[bytes, ...]
    names: tuple[tuple[str, int], ...]
    audio_sha256: str
    columns_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    folder: Path
    shard: Shard


def fingerprint_shards(folder: Path, manifest: Manifest, progress: Progress, *, workers: int) -> list[ShardPrint]:
    """Decode every clip of a prepared folder and hash it; in the order of the manifest.

    Raises:
        DatasetError: A shard is not what the manifest says, or a clip cannot be decoded.
    """
    check_shard_sizes(folder, manifest.audio_shards)
    tasks = [_Task(folder=folder, shard=shard) for shard in manifest.audio_shards]
    total = sum(shard.n_rows for shard in manifest.audio_shards)
    with progress.stage(f"Hashing {folder.name}", total, "clips") as on_progress:
        found = {one.shard.path: one for one in run_tasks(hash_shard, tasks, workers=workers, on_progress=on_progress)}
    return [found[shard.path] for shard in manifest.audio_shards]


def hash_shard(task: _Task, watch: Watch) -> ShardPrint:
    """Hash one shard."""
    path, shard = task.folder / task.shard.path, task.shard
    audio, columns = hashlib.sha256(), hashlib.sha256()
    digests: list[bytes] = []
    names: list[tuple[str, int]] = []
    for group in row_groups(task.folder, shard):
        sounds = [name for name in group.column_names if pa.types.is_struct(group.schema.field(name).type)]
        for row in group.drop_columns(sounds).to_pylist():
            columns.update(repr(row).encode())
        for row in group.select([*sounds, "event_id", "channel"]).to_pylist():
            watch.advance(1, at=f"{shard.path}: {row['event_id']}")
            encoded = [row[name]["bytes"] for name in sounds if row[name] is not None]
            for one in encoded:
                audio.update(hashlib.sha256(one).digest())
            digests.append(_digest_of(encoded, f"{path}: {row['event_id']}"))
            names.append((row["event_id"], row["channel"]))
    if len(digests) != shard.n_rows:
        raise _changed(path, f"{shard.n_rows} rows", f"{len(digests)} rows")
    return ShardPrint(
        shard=shard,
        digests=tuple(digests),
        names=tuple(names),
        audio_sha256=audio.hexdigest(),
        columns_sha256=columns.hexdigest(),
    )


def _digest_of(encoded: list[bytes], name: str) -> bytes:
    """Return the hash of a clip's samples; with stems, of all three."""
    try:
        digests = [decode_pcm(io.BytesIO(one), name=name).digest for one in encoded]
    except WavError as error:
        raise DatasetError(
            error.what, where=name, expected=error.expected, actual=error.actual, remedy=_AGAIN
        ) from error
    return digests[0] if len(digests) == 1 else hashlib.blake2b(b"".join(digests), digest_size=DIGEST_BYTES).digest()


def _changed(path: Path, expected: Any, actual: Any) -> DatasetError:  # noqa: ANN401  # texts and numbers alike
    return DatasetError(
        "A shard was changed since it was written.", where=path, expected=expected, actual=actual, remedy=_AGAIN
    )
