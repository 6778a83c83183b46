"""The clips of a split as batches of arrays, augmented where that is asked for, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from toyadmos_datasets.loading.augmentation import (
    Augment,
    Augmentation,
    ClipPart,
    Draws,
    FloatArray,
    Integers,
    TrainingRows,
)
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.signal.logmel import log_mel
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.columns import LABELS

Features: TypeAlias = Literal["waveform", "logmel"]
FEATURES: tuple[Features, ...] = ("waveform", "logmel")


class ClipRows(Protocol):
    """Rows of a split with their clips; pickling sends no audio."""

    @property
    def headroom_db(self) -> Decibels:
        """How much augmented clips are attenuated."""

    def __len__(self) -> int: ...

    def waveform(self, row: int) -> FloatArray:
        """Return one clip, shape (n_samples,) or (n_channels, n_samples), full scale +-1."""

    def target(self, row: int) -> ClipPart:
        """Return the sounds of a row for the augmentation, as in `TrainingSounds`."""

    def noise(self, row: int, n_samples: int, place: float) -> ClipPart:
        """Return a stretch of the noise of a row, as `TrainingSounds` has it."""

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column."""

    def known(self) -> TrainingRows:
        """Return what an augmentation must know of the rows."""


@dataclass(slots=True)
class Clips:
    """The clips of a split, by row number; the sounds are opened where it is used.

    Args:
        rows: What is read.
        features: ``waveform`` or ``logmel``.
        settings: Of the log-mel features.
        columns: Which columns go with them.
        augment: What is changed about them; None for nothing.
        seed: Seed of its draws.
    """

    rows: ClipRows
    features: Features
    settings: LogMel
    columns: tuple[str, ...]
    augment: Augment | None = None
    seed: int = 0
    _augmentation: Augmentation | None = field(default=None, init=False, repr=False)
    _values: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.rows)

    def __getstate__(self) -> tuple[object, ...]:
        return self.rows, self.features, self.settings, self.columns, self.augment, self.seed

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.rows, self.features, self.settings, self.columns, self.augment, self.seed = state
        self._augmentation, self._values = None, {}

    def batch(self, rows: Sequence[int], epoch: int = 0) -> dict[str, Any]:
        """Return some clips with their columns.

        Args:
            rows: Which.
            epoch: Number of the epoch, from which the draws of an augmentation follow.

        Returns:
            ``waveform``, shape (n_clips, n_samples), or (n_clips, n_channels, n_samples), with ``n_samples`` of each;
            or ``logmel``, (n_clips, n_frames, n_mels) or (n_clips, n_channels, n_frames, n_mels), with ``n_frames``.
            Shorter clips are filled up with silence. ``row``, their numbers, and the columns: arrays of numbers, with
            NaN where there is none, and lists of anything else. With an augmentation, what was drawn (`Draws`) as
            ``drawn_snr_db`` and so on; with mix-ups, ``label_weights``, (n_clips, 2), and each column of the partners.

        Raises:
            DatasetError: A clip is damaged, or the dataset was replaced.
        """
        at = np.asarray(rows, dtype=np.int64)
        named = {"row": at} | {name: self._taken(name, at) for name in self.columns}
        if self.augment is None:
            return self._featured([self.waveform(row) for row in rows]) | named
        draws = self.augmentation().draws(at, epoch)
        clips, lengths = self.augmentation().clips(at, draws)
        named |= self._drawn(at, draws)
        if self.features == "waveform":
            return {"waveform": clips, "n_samples": lengths} | named
        return self._featured([clip[..., :length] for clip, length in zip(clips, lengths, strict=True)]) | named

    def _featured(self, waveforms: Sequence[FloatArray]) -> dict[str, Any]:
        """Return features of some clips as one array, with the lengths."""
        found = [self._features_of(one) for one in waveforms]
        axis = -1 if self.features == "waveform" else -2
        lengths = np.array([one.shape[axis] for one in found])
        return {
            self.features: np.stack(found) if len(set(lengths)) == 1 else _filled_up(found, axis, self._silence()),
            "n_samples" if self.features == "waveform" else "n_frames": lengths,
        }

    def waveform(self, row: int) -> FloatArray:
        """Decode one clip as it is stored, shape (n_samples,) or (n_channels, n_samples), full scale +-1."""
        return self.rows.waveform(row)

    def augmentation(self) -> Augmentation:
        """Return the augmentation, which is made at the first call.

        Raises:
            DatasetError: There is no noise to draw from.
        """
        if self._augmentation is None:
            self._augmentation = Augmentation(
                self.augment or Augment(),
                self.rows.known(),
                self.rows,
                seed=self.seed,
                headroom_db=self.rows.headroom_db,
            )
        return self._augmentation

    def _drawn(self, rows: Integers, draws: Draws) -> dict[str, Any]:
        named: dict[str, Any] = draws.named()
        if self.augment is not None and self.augment.mix_up:
            named["label_weights"] = self.augmentation().label_weights(rows, draws, len(LABELS))
            named |= {f"partner_{name}": self._taken(name, draws.partner_row) for name in self.columns}
        return named

    def _features_of(self, waveform: FloatArray) -> FloatArray:
        if self.features == "waveform":
            return waveform
        if waveform.ndim == 1:
            return log_mel(waveform, self.settings)
        return np.stack([log_mel(mono, self.settings) for mono in waveform])

    def _silence(self) -> float:
        if self.features == "waveform":
            return 0.0
        return float(log_mel(np.zeros(self.settings.n_fft, np.float32), self.settings)[0, 0])

    def _taken(self, name: str, at: Integers) -> Any:  # noqa: ANN401  # an array or a list
        if name not in self._values:
            column = self.rows.column(name)
            is_number = pa.types.is_integer(column.type) and not column.null_count
            is_number |= pa.types.is_floating(column.type)  # null becomes NaN
            self._values[name] = column.to_numpy() if is_number else column.to_pylist()
        values = self._values[name]
        return values[at] if isinstance(values, np.ndarray) else [values[row] for row in at]


def _filled_up(found: Sequence[FloatArray], axis: int, silence: float) -> FloatArray:
    """Stack arrays that differ along one axis, filled up at its end."""
    longest = max(one.shape[axis] for one in found)
    filled = []
    for one in found:
        widths = [(0, 0)] * one.ndim
        widths[axis] = (0, longest - one.shape[axis])
        filled.append(np.pad(one, widths, constant_values=silence))
    return np.stack(filled)
