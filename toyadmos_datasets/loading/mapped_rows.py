"""The rows of a prepared split, each clip read by memory map from its shard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from toyadmos_datasets.loading.augmentation import ClipPart, FloatArray, TrainingRows, training_rows
from toyadmos_datasets.loading.clip_positions import ClipSpans, read_spans
from toyadmos_datasets.signal.clip_codec import decode_clip, view_clip
from toyadmos_datasets.units import Decibels


@dataclass(slots=True)
class MappedRows:
    """Rows of which the shards are mapped where they are used.

    Args:
        places: The file that says where the clips are.
        n_rows: How many there are.
        augmented: Column that is augmented: ``target`` where noise is drawn, else ``audio``.
    """

    places: Path
    n_rows: int
    augmented: str = "audio"
    headroom_db: Decibels = field(default=0.0, init=False)
    _spans: dict[str, ClipSpans] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    def __getstate__(self) -> tuple[object, ...]:
        return self.places, self.n_rows, self.augmented

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.places, self.n_rows, self.augmented = state
        self.headroom_db, self._spans = 0.0, {}  # the parts in the shards are attenuated already

    def waveform(self, row: int) -> FloatArray:
        """Decode one clip, shape (n_samples,) or (n_channels, n_samples), full scale +-1."""
        return decode_clip(*self._content("audio", row))[0]

    def target(self, row: int) -> ClipPart:
        """Return the sounds of a row for the augmentation."""
        return self._part(self.augmented, row)

    def noise(self, row: int, n_samples: int, place: float) -> ClipPart:
        """Return the noise of a row, from anywhere on and then from its beginning."""
        del n_samples
        noise = self._part("noise", row)
        return replace(noise, start=int(place * noise.samples.shape[-1]))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column."""
        return self._opened("audio").rows[name]

    def known(self) -> TrainingRows:
        """Return what an augmentation must know of the rows."""
        return training_rows(self._opened("audio").rows)

    def _part(self, column: str, row: int) -> ClipPart:
        samples, scale = view_clip(*self._content(column, row))
        return ClipPart(samples=samples, scale=scale)

    def _content(self, column: str, row: int) -> tuple[memoryview, str]:
        """Return the bytes of a clip, and what errors call it."""
        spans = self._opened(column)
        start, length = int(spans.start[row]), int(spans.length[row])
        return spans.shards[spans.shard[row]][start : start + length], f"{self.places.stem}, row {row}"

    def _opened(self, column: str) -> ClipSpans:
        if column not in self._spans:
            self._spans[column] = read_spans(self.places, column)
        return self._spans[column]
