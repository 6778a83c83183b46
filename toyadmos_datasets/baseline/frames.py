"""The frames of many clips in one array, computed once for a config and kept, memory-mapped."""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import soxr
import xxhash

from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, ResourceError
from toyadmos_datasets.files.atomic import remove_leftovers_once, require_room, sync_folder, temporary_path, writing
from toyadmos_datasets.files.cache_folder import Lease, default_cache
from toyadmos_datasets.files.checked_json import canonical_json, read_json, write_json
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.options.presets import PAPER, Preset
from toyadmos_datasets.signal import logmel
from toyadmos_datasets.signal.clip_codec import decode_clip
from toyadmos_datasets.signal.levels import power_to_db
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.signal.resampling import QUALITY
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.shards import SplitOfConfig, check_shards


def log_mel(mono: npt.NDArray[np.floating], preset: Preset = PAPER) -> FloatArray:
    """Return the log-mel spectrogram of a clip, shape (n_frames, n_mels).

    Args:
        mono: Shape (n_samples,), full scale +-1, at the preset's rate.
        preset: Which frames, bands and logarithm.

    Raises:
        OptionError: The clip is shorter than a frame, or has more than one channel.
    """
    return logmel.log_mel(mono, preset.log_mel)


_FRAMES, _BOUNDS, _ROWS, _CHECKSUMS = "frames.npy", "bounds.npy", "rows.parquet", "checksums.json"

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
class Frames:
    """Log-mel frames of clips, one clip after the other.

    Attributes:
        values: Shape (n_frames, n_mels), float32; may be mapped from a file.
        bounds: Where each clip begins, and where the last one ends, shape (n_clips + 1,).
    """

    values: FloatArray
    bounds: npt.NDArray[np.int64]

    @property
    def n_clips(self) -> int:
        """Clips in it."""
        return len(self.bounds) - 1

    def rows(self, preset: Preset) -> npt.NDArray[np.int64]:
        """Return the frames that an input can be stacked around, shape (n_inputs,)."""
        return np.concatenate([self.rows_of(clip, preset) for clip in range(self.n_clips)])

    def rows_of(self, clip: int, preset: Preset) -> npt.NDArray[np.int64]:
        """Return the frames of one clip that an input can be stacked around."""
        start, end = self.bounds[clip], self.bounds[clip + 1]
        if preset.is_padded:
            return np.arange(start, end)
        return np.arange(start - min(*preset.offsets, 0), end - max(*preset.offsets, 0))


def decoded(audio: dict[str, Any], rate_hz: Hertz) -> FloatArray:
    """Decode the audio of a row to mono samples at a rate, shape (n_samples,), full scale +-1.

    Of a clip with several channels the mean is taken, as ``--channels mix`` takes it.

    Raises:
        DatasetError: It is damaged.
    """
    if audio.get("array") is not None:
        samples, own_rate_hz = np.asarray(audio["array"], dtype=np.float32), audio["sampling_rate"]
    else:
        samples, own_rate_hz = decode_clip(audio.get("bytes"), audio.get("path"))
    mono = samples if samples.ndim == 1 else samples.mean(axis=0)
    return mono if own_rate_hz == rate_hz else soxr.resample(mono, own_rate_hz, rate_hz, quality=QUALITY)


def mono_clips(clips: Any, rate_hz: Hertz) -> Iterator[FloatArray]:  # noqa: ANN401  # arrays or a Dataset
    """Take clips from a `datasets.Dataset` with a column `audio`, or from arrays, which have the rate already."""
    if hasattr(clips, "column_names"):
        import datasets  # noqa: PLC0415  (only who has a Dataset needs it, and has it)

        for row in clips.select_columns(["audio"]).cast_column("audio", datasets.Audio(decode=False)):
            yield decoded(row["audio"], rate_hz)
        return
    for mono in clips:
        yield np.asarray(mono, dtype=np.float32)


def level_db(mono: FloatArray) -> Decibels:
    """Return the RMS level of a clip, dB re full scale; `SILENCE_DB` where there is nothing."""
    found = power_to_db(float(np.mean(np.square(mono, dtype=np.float64))))
    return found if math.isfinite(found) else SILENCE_DB


def frames_of(clips: Any, preset: Preset) -> Frames:  # noqa: ANN401  # arrays, a Dataset, or Frames
    """Return the frames of clips in memory; frames stay as they are."""
    if isinstance(clips, Frames):
        return clips
    spectra = [log_mel(mono, preset) for mono in mono_clips(clips, preset.rate_hz)]
    _require_long_enough([len(one) for one in spectra], preset)
    return Frames(values=np.concatenate(spectra), bounds=_bounds(len(one) for one in spectra))


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
    _require_long_enough(np.diff(bounds).tolist(), preset)
    values = np.load(folder / _FRAMES, mmap_mode="c")  # copy-on-write: torch wants writable memory
    rows = pq.read_table(folder / _ROWS)
    return Featured(frames=Frames(values=values, bounds=bounds), rows=rows)


def rows_of(split: SplitOfConfig, progress: Progress | None = None) -> pa.Table:
    """Return what is known and measured of every clip of a split, however short they are.

    Raises:
        DatasetError: A clip is damaged.
        DiskFullError: No room for the features that are kept with it.
    """
    return pq.read_table(_kept(split, PAPER, progress or Quiet()) / _ROWS)


def _kept(split: SplitOfConfig, preset: Preset, progress: Progress) -> Path:
    check_shards(split.folder, split.shards)  # also where frames are kept: who trains or scores is told of damage
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
        "settings": preset.log_mel.as_parameters(),
        "shards": [shard.sha256 for shard in split.shards],
    }
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:32]


def _compute(split: SplitOfConfig, preset: Preset, folder: Path, progress: Progress) -> None:
    kept: list[dict[str, Any]] = []
    spectra: list[FloatArray] = []
    with progress.stage(f"features of {split.config}, {split.split}", split.n_clips, "clips") as done:
        for row in split.rows():
            _append(row, preset, kept, spectra)
            done(len(kept))
    if not spectra:
        raise DatasetError(
            "There is nothing to train or score on.",
            where=f"{split.config}, {split.split}",
            expected="clips",
            actual="an empty split",
            remedy="Prepare the dataset with more events: leave --max-events out.",
        )
    n_bytes = sum(one.nbytes for one in spectra)
    require_room(folder, n_bytes, purpose="features")
    # Not inferred: a split without damage or noise has nothing to infer a type from.
    parts = {name: pa.string() for name in kept[0] if name not in KEPT and name not in MEASURED}
    _write(folder, spectra, pa.Table.from_pylist(kept, schema=pa.schema(KEPT | parts | MEASURED)))


def _append(row: dict[str, Any], preset: Preset, kept: list[dict[str, Any]], spectra: list[FloatArray]) -> None:
    mono = decoded(row["audio"], preset.rate_hz)
    spectra.append(log_mel(mono, preset))
    named = list(row)
    parts = named[named.index("damaged_parts") + 1 : named.index("take")]
    states = [f"{part}: {row[part]}" for part in row["damaged_parts"]]
    known = {name: row[name] for name in KEPT} | {part: row[part] for part in parts}
    kept.append(known | {"damage": states, "level_db": level_db(mono), "duration_s": len(mono) / preset.rate_hz})


def _write(folder: Path, spectra: list[FloatArray], rows: pa.Table) -> None:
    """Write all files into a folder of a temporary name, and rename it: it is there whole or not at all."""
    bounds = _bounds(len(one) for one in spectra)
    remove_leftovers_once(folder.parent)
    temporary = temporary_path(folder.parent)
    with writing(folder):
        temporary.mkdir(parents=True)
        try:
            shape = (int(bounds[-1]), spectra[0].shape[1])
            values = np.lib.format.open_memmap(temporary / _FRAMES, mode="w+", dtype=np.float32, shape=shape)
            np.concatenate(spectra, out=values)
            values.flush()
            np.save(temporary / _BOUNDS, bounds)
            pq.write_table(rows, temporary / _ROWS)
            write_json(temporary / _CHECKSUMS, _checksums(temporary))
            if not folder.exists():  # another process may have been faster, with the same bytes
                temporary.rename(folder)
                sync_folder(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _bounds(lengths: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _require_long_enough(lengths: list[int], preset: Preset) -> None:
    needed = 1 if preset.is_padded else max(*preset.offsets, 0) - min(*preset.offsets, 0) + 1
    if not lengths or min(lengths) < needed:
        raise DatasetError(
            "There is nothing to train or score on." if not lengths else "A clip is too short for one input.",
            where=f"preset {preset.name}",
            expected=f"clips of at least {needed} frames",
            actual="no clips" if not lengths else f"one of {min(lengths)} frames",
            remedy="Leave such clips out, or stack fewer frames: --set 'offsets=[-2,-1,0,1,2]'",
        )
