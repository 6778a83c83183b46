"""Enhanced clips of a test split, from a folder or a Parquet file, beside the stems that they are scored against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError, OptionError, SilentSignalError
from toyadmos_datasets.files.reading import file_errors
from toyadmos_datasets.scores.enhancement_scores import EnhancementScore, score_enhancement
from toyadmos_datasets.scores.enhancement_summary import GROUPED_BY
from toyadmos_datasets.signal.clip_codec import decode_clip
from toyadmos_datasets.units import Hertz
from toyadmos_datasets.values.columns import STEMS
from toyadmos_datasets.values.parquet_files import read_parquet
from toyadmos_datasets.values.shards import SplitOfConfig

FloatArray: TypeAlias = npt.NDArray[np.float32]
Find: TypeAlias = Callable[[dict[str, Any]], tuple[FloatArray, Hertz]]

SUFFIXES = (".wav", ".flac")
_TELLING = ("event_id", "channel", "draw", "snr_db", "target_start")
"""Columns that tell clips apart, where a Parquet file has them."""

_LABELLED = ("event_id", "label", "channel", "draw")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedClip:
    """A clip with its parts, full scale +-1.

    Attributes:
        row: Its columns.
        rate_hz: Rate of all of them.
        mixture: As it was given to noise reduction.
        estimate: What that made of it.
        target: The machine's sound.
        noise: The noise.
    """

    row: dict[str, Any]
    rate_hz: Hertz
    mixture: FloatArray
    estimate: FloatArray
    target: FloatArray
    noise: FloatArray


def enhanced_clips(split: SplitOfConfig, enhanced: Path) -> Iterator[EnhancedClip]:
    """Yield the clips of a split, each with its enhanced one.

    Args:
        split: A split with stems.
        enhanced: A folder of WAV or FLAC files that are called as the clips of the dataset are, in any folder below; or
            a Parquet file with `audio`, ``event_id`` and what tells its clips apart.

    Raises:
        OptionError: The split has no stems, or a clip is missing, there twice, or of another rate or length.
        DatasetError: A clip is damaged.
    """
    find = _in_folder(enhanced) if enhanced.is_dir() else _in_table(enhanced)
    for row in split.rows():
        parts = [_decoded(row.get(name)) for name in ("audio", *STEMS)]
        if parts[1] is None or parts[2] is None or parts[0] is None:
            raise OptionError(
                "Noise reduction is scored against the stems of clips with noise.",
                where=split.config,
                expected="clips with target and noise",
                actual=f"none of {row['event_id']}",
                remedy="Prepare the dataset with --stems, and choose a config with noise, such as --config snr_0db.",
            )
        estimate, rate_hz = find(row)
        (mixture, own_rate_hz), (target, _), (noise, _) = (one for one in parts if one is not None)
        if rate_hz != own_rate_hz or estimate.shape[-1] != target.shape[-1]:
            raise _unfit(
                enhanced,
                f"{own_rate_hz} Hz, {target.shape[-1]} samples",
                f"{rate_hz} Hz, {estimate.shape[-1]} samples of {row['event_id']}",
            )
        yield EnhancedClip(row=row, rate_hz=rate_hz, mixture=mixture, estimate=estimate, target=target, noise=noise)


def score_clips(split: SplitOfConfig, enhanced: Path, progress: Progress) -> tuple[pa.Table, int]:
    """Score every clip of a split.

    Returns:
        A row a clip: what tells it apart, and the fields of `EnhancementScore`; and the number of clips that are left
        out because their target is digital silence.
    """
    found, n_silent = [], 0
    with progress.stage(f"scoring {enhanced.name}", split.n_clips, "clips") as done:
        for number, clip in enumerate(enhanced_clips(split, enhanced), start=1):
            try:
                score = score_enhancement(clip.estimate, clip.target, clip.noise)
            except SilentSignalError:
                n_silent += 1
            else:
                found.append({name: clip.row[name] for name in _columns()} | asdict(score))
            done(number)
    return pa.Table.from_pylist(found, schema=_SCHEMA), n_silent


def _columns() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_LABELLED, *GROUPED_BY)))


_TYPES = {"event_id": pa.string(), "condition": pa.string(), "snr_db": pa.float64()}
_SCHEMA = pa.schema(
    [
        *(pa.field(name, _TYPES.get(name, pa.int64())) for name in _columns()),
        *(pa.field(name, pa.float64()) for name in EnhancementScore.__slots__),
    ]
)


def _decoded(audio: dict[str, Any] | None) -> tuple[FloatArray, Hertz] | None:
    if audio is None or audio.get("bytes") is None:
        return None
    return decode_clip(audio["bytes"], audio.get("path"))


def _in_folder(folder: Path) -> Find:
    by_name: dict[str, Path] = {}
    with file_errors(folder):
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                if path.stem in by_name:
                    raise _unfit(folder, f"one file called {path.stem}", "two")
                by_name[path.stem] = path

    def find(row: dict[str, Any]) -> tuple[FloatArray, Hertz]:
        """Read the file that is called as a clip."""
        name = Path(row["audio"]["path"]).stem
        if name not in by_name:
            raise _unfit(folder, f"{name}.wav or {name}.flac", "no such file")
        path = by_name[name]
        with file_errors(path):
            content = path.read_bytes()
        return decode_clip(content, str(path))

    return find


def _in_table(path: Path) -> Find:
    table = read_parquet(path, partial(_unreadable, path))
    telling = [name for name in _TELLING if name in table.column_names]
    if "audio" not in table.column_names or "event_id" not in telling:
        raise _unfit(path, "the columns audio and event_id", ", ".join(table.column_names))
    keys = list(zip(*(table[name].to_pylist() for name in telling), strict=True))
    places = {key: number for number, key in enumerate(keys)}
    if len(places) < len(keys):
        raise _unfit(path, f"one clip for each {', '.join(telling)}", "several")

    def find(row: dict[str, Any]) -> tuple[FloatArray, Hertz]:
        """Decode the clip of a row."""
        place = places.get(tuple(row[name] for name in telling))
        audio = None if place is None else _decoded(table["audio"][place].as_py())
        if audio is None:
            raise _unfit(path, f"a clip of {row['event_id']}", "none")
        return audio

    return find


def _unreadable(path: Path, actual: str) -> DatasetError:
    return DatasetError(
        "The enhanced clips cannot be read.",
        where=path,
        expected="a folder, or a Parquet file with the columns audio and event_id",
        actual=actual,
        remedy="Write them as docs/enhancement.md says.",
    )


def _unfit(path: Path, expected: str, actual: str) -> OptionError:
    return OptionError(
        "The enhanced clips are not those of the test split.",
        where=path,
        expected=expected,
        actual=actual,
        remedy="Enhance each clip of the split, and keep its name, rate and length.",
    )
