"""The features of a split: computed once for a config and kept, and read where they lie."""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.baseline.frames import Frames, GrowingFrames, log_mel, mapped_frames, require_long_enough
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, ResourceError
from toyadmos_datasets.files.atomic import remove_leftovers_once, require_room, sync_folder, temporary_path, writing
from toyadmos_datasets.files.cache_folder import Lease, default_cache
from toyadmos_datasets.files.checked_json import canonical_json, read_json, write_json
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.options.presets import PAPER, Preset
from toyadmos_datasets.signal.levels import power_to_db
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.shards import SplitOfConfig

_FRAMES, _BOUNDS, _ROWS, _CHECKSUMS = "frames.float32", "bounds.npy", "rows.parquet", "checksums.json"

_VERSION = 2
"""Of the layout: frames as they lie in memory, without a header, so that they can be written as they come."""

KEPT = {
    "event_id": pa.string(),
    "label": pa.int64(),
    "toy": pa.string(),
    "case": pa.int64(),
    "channel": pa.int64(),
    "condition": pa.string(),
    "take": pa.int64(),
    "draw": pa.int64(),
    "snr_db": pa.float64(),
    "snr_achieved_db": pa.float64(),
}
"""Columns that scores are told apart by, beside the state of each part."""

MEASURED = {"damage": pa.list_(pa.string()), "level_db": pa.float64(), "duration_s": pa.float64()}
"""What is added to them: damaged parts with their state, and what is measured of the clip."""

SILENCE_DB: Decibels = -200.0
"""Level that stands for digital silence where a finite number is needed; the quietest 16-bit clip is above -140."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Featured:
    """A split with its frames.

    Attributes:
        frames: Of every clip, in the order of the rows.
        rows: What is known of every clip, and its level.
    """

    frames: Frames
    rows: pa.Table


@contextlib.contextmanager
def held_features(toy: str) -> Iterator[None]:
    """Keep others from cleaning the features of a toy while the block runs."""
    with Lease(default_cache(), toy) as lease:
        lease.take(is_made=True)
        yield


def featured(split: SplitOfConfig, preset: Preset, progress: Progress | None = None) -> Featured:
    """Return a split with its frames, from the cache or computed now and kept there.

    Raises:
        DatasetError: A clip is damaged or too short.
        DiskFullError: No room for the frames.
    """
    folder = _kept(split, preset, progress or Quiet())
    bounds = np.load(folder / _BOUNDS)
    require_long_enough(np.diff(bounds).tolist(), preset)
    return Featured(frames=mapped_frames(folder / _FRAMES, bounds, preset.n_mels), rows=pq.read_table(folder / _ROWS))


def rows_of(split: SplitOfConfig, progress: Progress | None = None) -> pa.Table:
    """Return what is known and measured of every clip of a split, however short they are.

    Raises:
        DatasetError: A clip is damaged.
        DiskFullError: No room for the features that are kept with it.
    """
    return pq.read_table(_kept(split, PAPER, progress or Quiet()) / _ROWS)


def _kept(split: SplitOfConfig, preset: Preset, progress: Progress) -> Path:
    split.check()  # also where frames are kept: who trains or scores is told of damage
    folder = default_cache() / "features" / f"{split.toy}-{_key(split, preset)}"
    if folder.exists() and not _is_whole(folder):
        progress.say(f"Features that were kept are damaged, and are computed again: {folder}")
        with writing(folder):
            shutil.rmtree(folder)
    if not folder.exists():
        _compute(split, preset, folder, progress)
    return folder


def _is_whole(folder: Path) -> bool:
    """Compare what was kept with its checksums, in which its folder's files are named."""
    try:
        promised = read_json(folder / _CHECKSUMS)
        return promised == _checksums(folder)
    except ResourceError:
        raise
    except (DatasetError, OSError) as error:
        raise_shortage(error, folder)
        return False


def _checksums(folder: Path) -> dict[str, str]:
    return {name: _xxh3(folder / name) for name in (_FRAMES, _BOUNDS, _ROWS)}


def _xxh3(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _key(split: SplitOfConfig, preset: Preset) -> str:
    facts = {
        "version": _VERSION,
        "settings": preset.log_mel.as_parameters(),
        "shards": [shard.sha256 for shard in split.shards],
    }
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:32]


def _compute(split: SplitOfConfig, preset: Preset, folder: Path, progress: Progress) -> None:
    """Write all files into a folder of a temporary name, and rename it: it is there whole or not at all."""
    remove_leftovers_once(folder.parent)
    temporary = temporary_path(folder.parent)
    with writing(folder):
        temporary.mkdir(parents=True)
    try:
        rows, bounds = _write_frames(split, preset, temporary / _FRAMES, progress)
        with writing(folder):
            np.save(temporary / _BOUNDS, bounds)
            pq.write_table(rows, temporary / _ROWS)
            write_json(temporary / _CHECKSUMS, _checksums(temporary))
            if not folder.exists():  # another process may have been faster, with the same bytes
                temporary.rename(folder)
                sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_frames(
    split: SplitOfConfig, preset: Preset, path: Path, progress: Progress
) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Write the frames of a split, a clip at a time; return what is known of the clips, and their bounds."""
    kept: list[dict[str, Any]] = []
    with (
        _opened(path) as file,
        progress.stage(f"features of {split.config}, {split.split}", split.n_clips, "clips") as done,
    ):
        growing = GrowingFrames(file, path.parent)
        for row in split.rows():
            mono = decoded(row["audio"], preset.rate_hz)
            spectrum = log_mel(mono, preset)
            if not kept:  # clips are about equally long
                require_room(path.parent, spectrum.nbytes * split.n_clips, purpose="features")
            growing.append(spectrum)
            kept.append(_known(row, mono, preset))
            done(len(kept))
    if not kept:
        raise DatasetError(
            "There is nothing to train or score on.",
            where=f"{split.config}, {split.split}",
            expected="clips",
            actual="an empty split",
            remedy="Prepare the dataset with more events: leave --max-events out.",
        )
    # Not inferred: a split without damage or noise has nothing to infer a type from.
    parts = {name: pa.string() for name in kept[0] if name not in KEPT and name not in MEASURED}
    return pa.Table.from_pylist(kept, schema=pa.schema(KEPT | parts | MEASURED)), growing.bounds


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with writing(path.parent):
        file = path.open("xb")
    with contextlib.closing(file):
        yield file
        with writing(path.parent):  # what a buffer still held may not fit on the disk
            file.flush()


def _known(row: dict[str, Any], mono: FloatArray, preset: Preset) -> dict[str, Any]:
    """Return what is known and measured of a clip."""
    named = list(row)
    parts = named[named.index("damaged_parts") + 1 : named.index("take")]
    states = [f"{part}: {row[part]}" for part in row["damaged_parts"]]
    known = {name: row[name] for name in KEPT} | {part: row[part] for part in parts}
    return known | {"damage": states, "level_db": level_db(mono), "duration_s": len(mono) / preset.rate_hz}


def level_db(mono: FloatArray) -> Decibels:
    """Return the RMS level of a clip, dB re full scale; `SILENCE_DB` where there is nothing."""
    found = power_to_db(float(np.mean(np.square(mono, dtype=np.float64))))
    return found if math.isfinite(found) else SILENCE_DB
