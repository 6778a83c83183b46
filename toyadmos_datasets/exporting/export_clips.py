"""The clips of a config, as they stand in its shards, and as WAV."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import soundfile

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values.manifest import LABELS, Shard, audio_columns
from toyadmos_datasets.values.shards import row_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip with what is known of it.

    Attributes:
        split: ``train``.
        label: ``normal`` or ``anomalous``.
        columns: Every column but audio.
        content: The bytes of its audio file.
        name: What that file is called in the dataset.
    """

    split: str
    label: str
    columns: dict[str, Any]
    content: bytes
    name: str

    def as_wav(self, n_samples: int | None = None) -> tuple[bytes, int]:
        """Return the clip as the bytes of a WAV file, and its length in samples.

        Args:
            n_samples: Where to cut it; None to leave it whole.

        Raises:
            DatasetError: It is damaged.
        """
        try:
            with soundfile.SoundFile(io.BytesIO(self.content)) as file:
                frames = file.read(-1 if n_samples is None else n_samples, dtype="int32", always_2d=True)
                rate_hz, subtype = file.samplerate, file.subtype
        except soundfile.SoundFileError as error:
            raise DatasetError(
                "A clip cannot be decoded.",
                where=self.name,
                expected="a whole FLAC or WAV file",
                actual=error,
                remedy="Look for what else is damaged: toyadmos verify DIR",
            ) from error
        target = io.BytesIO()
        soundfile.write(target, frames, rate_hz, format="WAV", subtype=subtype)
        return target.getvalue(), len(frames)


def form_of(content: bytes) -> tuple[int, int]:
    """Return the rate and the number of channels of an audio file's bytes."""
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        return file.samplerate, file.channels


def clips_of(folder: Path, shards: Sequence[Shard]) -> Iterator[Clip]:
    """Yield the clips of some shards, in order; memory holds a row group."""
    for shard in shards:
        for group in row_groups(folder, shard):
            clips = [name for name in audio_columns(stems=True) if name in group.column_names]
            rows = group.drop_columns(clips).to_pylist()
            for audio, columns in zip(group["audio"].to_pylist(), rows, strict=True):
                yield Clip(
                    split=shard.split,
                    label=LABELS[columns["label"]],
                    columns=columns | {"label": LABELS[columns["label"]]},
                    content=audio["bytes"],
                    name=audio["path"],
                )


def lengths_of(folder: Path, shards: Sequence[Shard]) -> tuple[int, int]:
    """Return the lengths of the shortest and of the longest clip, samples."""
    groups = [group["n_samples"] for shard in shards for group in row_groups(folder, shard, ["n_samples"])]
    return min(pc.min(one).as_py() for one in groups), max(pc.max(one).as_py() for one in groups)
