"""One shard: its examples are mixed, encoded and written, a row group at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.engine import Watch
from toyadmos_datasets.errors import ClippingError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checksum import sha256_of
from toyadmos_datasets.files.json import write_json
from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.signal.mixing import Stem, active_snr, mix, quantise, snr, sum_of
from toyadmos_datasets.units import Bytes, Decibels
from toyadmos_datasets.values.dataset import LABELS, Shard, columns_of, dataset_schema
from toyadmos_datasets.values.recordings import RecordingReader

ROWS_A_SHARD = 256
"""About 50 MB of 11 s clips at 16 kHz: enough shards to share work, few enough to list."""

ROWS_A_GROUP = 32
"""About 6 MB: what a streaming reader fetches at least."""

_ONE_PAGE_BYTES: Bytes = 1 << 30
"""More than a row group has: its clips are one page."""

SNR_DECIMALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """What it takes to render one shard, wherever that happens.

    Attributes:
        folder: Where shards are collected.
        path: The shard's place in the folder and in the dataset, forward slashes.
        config: Its config.
        split: Its split.
        examples: Its rows, as `resolve` gives them.
        catalogue: The recordings that they need.
        toy: ``ToyTrain``.
        encoding: How audio is stored.
        headroom_db: Attenuation of every example.
        is_clipping_error: Whether a sample past full scale is an error; it is counted otherwise.
        note: Where the finished shard's facts are noted, for a run that goes on from here.
    """

    folder: Path
    path: str
    config: str
    split: str
    examples: pa.Table
    catalogue: pa.Table
    toy: str
    encoding: Encoding
    headroom_db: Decibels
    is_clipping_error: bool
    note: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Example:
    samples: npt.NDArray[np.int32]
    n_clipped: int
    snr_achieved_db: Decibels | None
    snr_active_db: Decibels | None


def render_shard(task: ShardTask, watch: Watch) -> Shard:
    """Write a shard and return its facts; nothing is left under its name if that fails.

    Raises:
        ClippingError: An example exceeds full scale and that is an error.
    """
    path = task.folder / task.path
    n_clipped = 0
    with write_file(path) as file:
        n_clipped = _write_rows(task, watch, file)
    shard = Shard(
        path=task.path,
        config=task.config,
        split=task.split,
        n_rows=len(task.examples),
        n_bytes=path.stat().st_size,
        sha256=sha256_of(path),
        n_clipped=n_clipped,
    )
    write_json(task.note, {name: getattr(shard, name) for name in Shard.__slots__})
    return shard


def rendered_groups(task: ShardTask, watch: Watch) -> Iterator[tuple[pa.Table, int]]:
    """Render a shard's rows, a row group at a time, and tell how many examples of each exceeded full scale.

    Raises:
        ClippingError: An example exceeds full scale and that is an error.
    """
    schema = dataset_schema(task.toy, task.encoding.rate_hz)
    reader = RecordingReader(task.catalogue)
    for start in range(0, len(task.examples), ROWS_A_GROUP):
        rows = []
        n_clipped = 0
        for example in task.examples.slice(start, ROWS_A_GROUP).to_pylist():
            watch.advance(1, at=example["event_id"])
            row, n = _row(example, task, reader)
            n_clipped += n > 0
            rows.append(row)
        yield pa.Table.from_pylist(rows, schema=schema), n_clipped


def _write_rows(task: ShardTask, watch: Watch, file: BinaryIO) -> int:
    schema = dataset_schema(task.toy, task.encoding.rate_hz)
    n_clipped = 0
    with pq.ParquetWriter(
        file,
        schema,
        compression="none",  # FLAC does not compress again
        use_dictionary=False,
        # The clips of a row group lie in one piece, one after the other, so that a reader can map them where they are.
        column_encoding={"audio.bytes": "DELTA_LENGTH_BYTE_ARRAY"},
        data_page_size=_ONE_PAGE_BYTES,
        write_page_checksum=True,
        write_statistics=["label", *columns_of(task.toy)],
        store_schema=True,
    ) as writer:
        for group, n in rendered_groups(task, watch):
            n_clipped += n
            writer.write_table(group, row_group_size=ROWS_A_GROUP)
    return n_clipped


def _row(example: dict[str, Any], task: ShardTask, reader: RecordingReader) -> tuple[dict[str, Any], int]:
    """Render one example to a row of the dataset; also tell how many samples exceeded full scale."""
    mixed = _mix(example, task, reader)
    if mixed.n_clipped and task.is_clipping_error:
        raise ClippingError(
            "An example exceeds full scale.",
            where=f"{example['event_id']}, channel {example['channel']}, config {example['config']}",
            expected=f"every sample within full scale at a headroom of {task.headroom_db:g} dB",
            actual=f"{mixed.n_clipped} samples past it",
            remedy="Leave --headroom-db to be found, raise it, or count such examples: --on-clip count",
        )
    damage = damage_of(task.toy, example["condition"])
    channel = f"ch{example['channel']}" if example["channel"] else "mix"
    same = ("toy", "case", "channel", "recording_type", "condition", "take", "event_id", "recording_ids")
    also_same = (
        "draw",
        "target_start",
        "noise_recording_ids",
        "noise_start",
        "n_samples",
        "target_gain_db",
        "noise_gain_db",
        "snr_db",
    )
    row = {name: example[name] for name in (*same, *also_same)} | damage.by_part
    row |= {
        "audio": {
            "bytes": task.encoding.encode(mixed.samples),
            "path": f"{example['event_id']}_{channel}.{task.encoding.container}",
        },
        "label": LABELS.index(example["label"]),
        "damage_source": damage.source,
        "damaged_parts": list(damage.damaged_parts),
        "headroom_db": task.headroom_db,
        "snr_achieved_db": mixed.snr_achieved_db,
        "snr_active_db": mixed.snr_active_db,
        "peak": float(np.abs(mixed.samples).max()) / (1 << (task.encoding.bit_depth - 1)),
    }
    return row, mixed.n_clipped


def _mix(example: dict[str, Any], task: ShardTask, reader: RecordingReader) -> _Example:
    n_samples = example["n_samples"]
    start = example["target_start"]
    recordings = [reader.checked_samples(one)[start : start + n_samples] for one in example["recording_ids"]]
    target = Stem(total=sum_of(recordings), n_recordings=len(recordings), gain_db=example["target_gain_db"])
    noise = _noise(example, reader)
    mixture = mix([target] if noise is None else [target, noise], task.headroom_db)
    samples, n_clipped = quantise(mixture, task.encoding.bit_depth)
    if noise is None:
        return _Example(samples=samples, n_clipped=n_clipped, snr_achieved_db=None, snr_active_db=None)
    return _Example(
        samples=samples,
        n_clipped=n_clipped,
        snr_achieved_db=_finite(snr(target, noise)),
        snr_active_db=_finite(active_snr(target, noise, task.encoding.rate_hz)),
    )


def _noise(example: dict[str, Any], reader: RecordingReader) -> Stem | None:
    ids = example["noise_recording_ids"]
    if not ids:
        return None
    stretches = [reader.stretch(one, example["noise_start"], example["n_samples"]) for one in ids]
    return Stem(total=sum_of(stretches), n_recordings=len(ids), gain_db=example["noise_gain_db"])


def _finite(ratio_db: Decibels) -> Decibels | None:
    return round(ratio_db, SNR_DECIMALS) if math.isfinite(ratio_db) else None
