"""The augmentation as a transform: of `datasets.Dataset.with_transform`, of items of a torch Dataset, of arrays."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import datasets
import numpy as np
import pyarrow as pa

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.loading.augmentation import Augment, Augmentation, ClipPart, Draws, training_rows
from toyadmos_datasets.values.columns import LABELS

if TYPE_CHECKING:
    from datasets import Dataset

Row: TypeAlias = Mapping[str, Any]

_KNOWN = (
    "event_id",
    "draw",
    "target_start",
    "case",
    "channel",
    "label",
    "reference_level_db",
    "snr_db",
    "noise_recording_ids",
    "noise_level_db",
    "noise_gain_db",
    "target_level_db",
    "target_gain_db",
)
"""Columns of a prepared dataset that an augmentation looks at; of rows from elsewhere ``event_id`` has to be there."""


class AugmentTransform:
    """Turns rows of a training split into augmented ones; noise and partners come from the same rows.

    It does not change: another epoch is another transform, `at_epoch`. So it may be pickled, copied and used in any
    number of workers.

        transform = AugmentTransform(Augment(snr_db=(-6, 6), mix_up=0.4), train)
        for epoch in range(100):
            rows = train.with_transform(transform.at_epoch(epoch))

    Args:
        augment: What is changed.
        rows: The training split: a `Dataset` of this package, or any sequence of rows, such as a torch Dataset. A row
            has ``event_id``; ``target`` and ``noise`` where noise is drawn, else ``audio``; each an array of shape
            (n_samples,) or (n_channels, n_samples), or ``{"array": ...}``. ``case``, ``channel``, ``label`` and the
            levels of a prepared dataset are used where they are there. A sequence is gone through once.
        seed: Seed of all draws.
        epoch: Number of the epoch.

    Raises:
        OptionError: A row lacks a needed column, or two rows have one identity.
        DatasetError: Noise is requested, and a case and channel have none.
    """

    def __init__(self, augment: Augment, rows: Dataset | Sequence[Row], *, seed: int = 0, epoch: int = 0) -> None:
        self.epoch = epoch
        audio = ("audio",) if augment.snr_db is None else ("target", "noise")
        columns = _columns_of(rows, audio)
        self._numbers = {identity: row for row, identity in enumerate(_identities(columns))}
        if len(self._numbers) < len(columns):
            raise _unusable("rows that event_id, channel, draw and target_start tell apart", "two with the same")
        known = training_rows(columns)
        self._augmentation = Augmentation(augment, known, _RowSounds(rows, audio), seed=seed)

    def at_epoch(self, epoch: int) -> AugmentTransform:
        """Return the transform of another epoch."""
        other = copy.copy(self)
        other.epoch = epoch
        return other

    def __call__(self, rows: Row) -> dict[str, Any]:
        """Return augmented rows.

        Args:
            rows: One row, or several as `datasets` gives them: a list for each column.

        Returns:
            The same with ``audio`` augmented, and the drawn values: ``drawn_snr_db`` and so on, with mix-ups also
            ``label_weights``.

        Raises:
            OptionError: A row is not one of the training split.
        """
        if isinstance(rows["event_id"], str):
            batch = self._augmented({name: [value] for name, value in rows.items()})
            return {name: values[0] for name, values in batch.items()}
        return self._augmented(dict(rows))

    def _augmented(self, batch: dict[str, Any]) -> dict[str, Any]:
        numbers = np.array([self._number(identity) for identity in _identities_in(batch)], dtype=np.int64)
        draws = self._augmentation.draws(numbers, self.epoch)
        filled_up, lengths = self._augmentation.clips(numbers, draws)
        clips = [clip[..., :length] for clip, length in zip(filled_up, lengths, strict=True)]
        before = batch.get("audio", [None] * len(clips))
        batch["audio"] = [
            {**was, "array": clip} if isinstance(was, Mapping) else clip
            for was, clip in zip(before, clips, strict=True)
        ]
        return batch | {name: list(values) for name, values in self._drawn(numbers, draws).items()}

    def _drawn(self, numbers: np.ndarray[Any, np.dtype[np.int64]], draws: Draws) -> dict[str, Any]:
        named: dict[str, Any] = draws.named()
        if self._augmentation.augment.mix_up and (self._augmentation.rows.label >= 0).all():
            named["label_weights"] = self._augmentation.label_weights(numbers, draws, len(LABELS))
        return named

    def _number(self, identity: tuple[Any, ...]) -> int:
        if identity not in self._numbers:
            raise _unusable("a row of the split that the transform was made of", f"event {identity[0]}")
        return self._numbers[identity]


class _RowSounds:
    """The sounds of rows that are in memory, or decoded by `datasets`."""

    def __init__(self, rows: Dataset | Sequence[Row], audio: tuple[str, ...]) -> None:
        if isinstance(rows, datasets.Dataset):
            rows = rows.with_format(None)
            self._columns = {name: rows.select_columns([name]) for name in audio}
        else:
            self._columns = dict.fromkeys(audio, rows)
        self._target = audio[0]

    def target(self, row: int) -> ClipPart:
        """Return the target of a row."""
        return self._part(self._target, row)

    def noise(self, row: int, n_samples: int, place: float) -> ClipPart:
        """Return the noise of a row, from anywhere on and then from its beginning."""
        del n_samples
        noise = self._part("noise", row)
        return replace(noise, start=int(place * noise.samples.shape[-1]))

    def _part(self, name: str, row: int) -> ClipPart:
        return ClipPart(samples=np.asarray(_array_of(self._columns[name][row][name]), dtype=np.float32))


def _array_of(sound: Any) -> Any:  # noqa: ANN401  # an array, or what datasets decodes to
    return sound["array"] if isinstance(sound, Mapping) else sound


def _columns_of(rows: Dataset | Sequence[Row], audio: tuple[str, ...]) -> pa.Table:
    """Return the columns without sounds that the rows have."""
    if isinstance(rows, datasets.Dataset):
        _require(rows.column_names, audio)
        return rows.select_columns([one for one in _KNOWN if one in rows.column_names]).with_format("arrow")[:]
    found: dict[str, list[Any]] = {}
    for number in range(len(rows)):
        row = rows[number]
        _require(row, audio)
        for name in _KNOWN:
            if name in row:
                found.setdefault(name, []).append(row[name])
    return pa.table(found)


def _require(names: Sequence[str] | Row, audio: tuple[str, ...]) -> None:
    lacking = [one for one in ("event_id", *audio) if one not in names]
    if lacking:
        raise _unusable(", ".join(lacking), ", ".join(names))


_IDENTITY = ("event_id", "channel", "draw", "target_start")


def _identities(columns: pa.Table) -> list[tuple[Any, ...]]:
    there = {name: columns[name].to_pylist() for name in _IDENTITY if name in columns.column_names}
    return _identities_in(there)


def _identities_in(batch: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    nothing = [None] * len(batch["event_id"])
    return list(zip(*(batch.get(name, nothing) for name in _IDENTITY), strict=True))


def _unusable(expected: str, actual: str) -> OptionError:
    return OptionError(
        "Rows cannot be augmented.",
        where="rows",
        expected=expected,
        actual=actual,
        remedy="See help(toyadmos_datasets.AugmentTransform).",
    )
