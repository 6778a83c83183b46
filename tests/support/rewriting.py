"""How tests change what a prepared folder holds, in ways that its manifest does not give away."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.values.manifest import read_manifest, write_manifest

Row: TypeAlias = dict[str, Any]


def rewritten(folder: Path, copy: Path, change: Callable[[str, list[Row]], list[Row]]) -> Path:
    """Copy a prepared folder with other rows.

    Args:
        folder: The prepared folder.
        copy: Where to.
        change: Called with ``config/split`` and the rows of each shard; returns the new rows.
    """
    shutil.copytree(folder, copy)
    manifest = read_manifest(copy)
    shards = []
    for shard in manifest.shards:
        path = copy / shard.path
        table = pq.read_table(path)
        rows = change(f"{shard.config}/{shard.split}", table.to_pylist())
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
        shards.append(replace(shard, n_rows=len(rows), n_bytes=path.stat().st_size, sha256=sha256_of(path)))
    write_manifest(copy, replace(manifest, shards=tuple(shards)))
    return copy


def in_split(name: str, change: Callable[[list[Row]], list[Row]]) -> Callable[[str, list[Row]], list[Row]]:
    """Change the rows of one ``config/split`` and leave the others."""
    return lambda here, rows: change(rows) if here == name else rows


def samples_of(row: Row) -> np.ndarray:
    """Decode a row's clip to int16, shape (n_samples,)."""
    return soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")[0]


def flac_of(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    """Encode int16 samples."""
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int16), rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()
