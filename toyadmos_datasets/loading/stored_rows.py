"""Planned rows of which nothing is rendered: their sounds are read from the recording store when they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from toyadmos_datasets.loading.augmentation import ClipPart, FloatArray, TrainingRows, training_rows
from toyadmos_datasets.signal.levels import db_to_gain
from toyadmos_datasets.signal.mixing import stem_of
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.columns import LABELS
from toyadmos_datasets.values.recording_store import RecordingReader


@dataclass(slots=True)
class StoredRows:
    """Rows of a plan whose numbers are known, such as `prepare` renders.

    Every stretch is compared with its checksums whenever it is read.

    Args:
        examples: The rows, with what is known of a prepared dataset's before it is rendered.
        catalogue: What the store says of the recordings that they need.
        is_stacked: Whether the recordings of a row are channels of its clip, and not averaged.
        headroom_db: Attenuation of every clip.
    """

    examples: pa.Table
    catalogue: pa.Table
    is_stacked: bool
    headroom_db: Decibels
    _reader: RecordingReader | None = field(default=None, init=False, repr=False)
    _lengths: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _rows: dict[str, list[Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        label = pa.array([LABELS.index(one) for one in self.examples["label"].to_pylist()], pa.int64())
        self.examples = self.examples.set_column(self.examples.column_names.index("label"), "label", label)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.examples)

    def __getstate__(self) -> tuple[object, ...]:
        return self.examples, self.catalogue, self.is_stacked, self.headroom_db

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.examples, self.catalogue, self.is_stacked, self.headroom_db = state
        self._reader, self._lengths, self._rows = None, {}, {}

    def waveform(self, row: int) -> FloatArray:
        """Return the target of a row, since nothing is mixed with it yet."""
        target = self.target(row)
        waveform: FloatArray = np.multiply(target.samples, np.float32(target.scale), dtype=np.float32)
        return waveform

    def target(self, row: int) -> ClipPart:
        """Read the target of a row, with the gain that the protocol gives it."""
        ids, start, n_samples = (self._value(name, row) for name in ("recording_ids", "target_start", "n_samples"))
        return self._part(ids, start, n_samples, gain_db=self._value("target_gain_db", row))

    def noise(self, row: int, n_samples: int, place: float) -> ClipPart:
        """Read any stretch of the noise of a row; all of it, to be repeated, where it is shorter."""
        ids = self._value("noise_recording_ids", row)
        self._opened()
        n_noise = min(self._lengths[one] for one in ids)
        if n_noise >= n_samples:
            return self._part(ids, int(place * (n_noise - n_samples + 1)), n_samples)
        return replace(self._part(ids, 0, n_noise), start=int(place * n_noise))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column."""
        return self.examples[name]

    def known(self) -> TrainingRows:
        """Return what an augmentation must know of the rows; of noise, only what is drawn can be measured."""
        return training_rows(self.examples, is_noise_measured=True)

    def _part(self, ids: Sequence[str], start: int, n_samples: int, *, gain_db: Decibels = 0.0) -> ClipPart:
        reader = self._opened()
        stem = stem_of([reader.stretch(one, start, n_samples) for one in ids], is_stacked=self.is_stacked)
        return ClipPart(samples=stem.total, scale=db_to_gain(gain_db) / stem.full_scale)

    def _value(self, name: str, row: int) -> Any:  # noqa: ANN401  # of any column
        if name not in self._rows:
            self._rows[name] = self.examples[name].to_pylist()
        return self._rows[name][row]

    def _opened(self) -> RecordingReader:
        if self._reader is None:
            self._reader = RecordingReader(self.catalogue)
            names, lengths = (self.catalogue[name].to_pylist() for name in ("recording_id", "n_samples"))
            self._lengths = dict(zip(names, lengths, strict=True))
        return self._reader
