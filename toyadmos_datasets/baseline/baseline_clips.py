"""Clips with what is known of them, from a prepared folder, a `datasets.Dataset`, or plain arrays."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.signal.levels import power_to_db
from toyadmos_datasets.signal.resampling import QUALITY
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.manifest import Manifest, Shard, read_manifest
from toyadmos_datasets.values.shards import check_shards, row_groups

FloatArray = npt.NDArray[np.float32]

SILENCE_DB: Decibels = -200.0
"""Level that stands for digital silence where a finite number is needed; the quietest 16-bit clip is above -140."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOfConfig:
    """One split of one config of a prepared folder.

    Attributes:
        folder: The prepared folder.
        manifest: Its manifest.
        config: Name of the config.
        split: Name of the split.
    """

    folder: Path
    manifest: Manifest
    config: str
    split: str

    @property
    def shards(self) -> list[Shard]:
        """The Parquet files, in order."""
        return self.manifest.configs[self.config][self.split]

    @property
    def n_clips(self) -> int:
        """Rows in all shards."""
        return sum(shard.n_rows for shard in self.shards)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read the rows in order, a row group at a time; audio stays encoded.

        Raises:
            DatasetError: A shard is missing or was changed; this is known before the first row.
        """
        check_shards(self.folder, self.shards)
        for shard in self.shards:
            for group in row_groups(self.folder, shard):
                yield from group.to_pylist()


def open_split(folder: Path, config: str | None, split: str) -> SplitOfConfig:
    """Find a split of a prepared folder; no config means the first.

    Raises:
        DatasetError: There is no prepared dataset.
        OptionError: It has no such config or split.
    """
    manifest = read_manifest(folder)
    chosen = config if config is not None else next(iter(manifest.audio_configs), "")
    _require_one_of(chosen, manifest.audio_configs, "--config")
    _require_one_of(split, manifest.configs[chosen], f"split of {chosen}")
    return SplitOfConfig(folder=folder.absolute(), manifest=manifest, config=chosen, split=split)


def cases_of(split: SplitOfConfig) -> tuple[int, ...]:
    """Return the cases in a split, ascending.

    Raises:
        DatasetError: A shard is missing or was changed.
    """
    groups = [group for shard in split.shards for group in row_groups(split.folder, shard, ["case"])]
    return tuple(sorted({case for group in groups for case in group["case"].to_pylist()}))


def _require_one_of(asked: str, choices: Iterable[str], where: str) -> None:
    if asked not in choices:
        raise OptionError(
            "The dataset has no such part.",
            where=where,
            expected=", ".join(choices),
            actual=asked,
            remedy="Choose one that it has.",
        )


def decoded(audio: dict[str, Any], rate_hz: Hertz) -> FloatArray:
    """Decode the audio of a row to mono samples at a rate, shape (n_samples,), full scale +-1.

    Of a clip with several channels the mean is taken, as ``--channels mix`` takes it.

    Raises:
        DatasetError: It is damaged.
    """
    if audio.get("array") is not None:
        mono, own_rate_hz = np.asarray(audio["array"], dtype=np.float32).T, audio["sampling_rate"]
    else:
        source = audio["path"] if audio.get("bytes") is None else io.BytesIO(audio["bytes"])
        try:
            mono, own_rate_hz = soundfile.read(source, dtype="float32")
        except soundfile.SoundFileError as error:
            raise DatasetError(
                "A clip cannot be decoded.",
                where=audio.get("path"),
                expected="a whole FLAC or WAV file",
                actual=error,
                remedy="Look for what else is damaged: toyadmos verify DIR. Then prepare the folder again.",
            ) from error
    if mono.ndim > 1:
        mono = mono.mean(axis=-1)
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
