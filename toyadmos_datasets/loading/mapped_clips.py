"""The clips of a split as batches of arrays, read by memory map from the shards, without torch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datasets.table import MemoryMappedTable

from toyadmos_datasets.loading.clip_cache import split_places
from toyadmos_datasets.loading.clip_positions import ClipSpans, read_places, read_spans
from toyadmos_datasets.loading.derived_features import decoding, features_of
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.signal.clip_codec import decode_clip
from toyadmos_datasets.signal.logmel import log_mel
from toyadmos_datasets.values.manifest import Shard


class InPlaceTable(MemoryMappedTable):  # type: ignore[misc]  # datasets has no type annotations to see
    """A memory-mapped table that `read_places` gives.

    To `datasets` it is one of its own: results of `map` are kept beside `path`, and pickling sends the path and the
    transforms, no audio. What it derives from itself stays of this kind.
    """

    @classmethod
    def from_file(cls, filename: str, replays: list[Any] | None = None) -> InPlaceTable:
        """Open a file that `write_places` wrote."""
        table: pa.Table = cls._apply_replays(read_places(Path(filename)), replays)
        return cls(table, filename, replays)

    def replace_schema_metadata(self, *args: Any, **kwargs: Any) -> InPlaceTable:  # noqa: ANN401  # as its parent's
        """Return the same rows with other metadata.

        `datasets` does this twice when it opens a table. The parent's would list all batches anew, one a row group,
        which would be most of the time that a large split takes to open.
        """
        replaced = InPlaceTable.__new__(InPlaceTable)
        replaced.__dict__.update(self.__dict__)
        replaced.table = self.table.replace_schema_metadata(*args, **kwargs)
        replaced._schema = replaced.table.schema  # noqa: SLF001  # of its own kind
        replay = ("replace_schema_metadata", copy.deepcopy(args), copy.deepcopy(kwargs))
        replaced.replays = self._append_replay(replay)
        return replaced

    def __setstate__(self, state: dict[str, Any]) -> None:
        table = self._apply_replays(read_places(Path(state["path"])), state["replays"])
        self.__init__(table, path=state["path"], replays=state["replays"])  # type: ignore[misc]  # as its parent does


def _deriving(name: str) -> Any:  # noqa: ANN401  # a method of the parent's
    inherited = getattr(MemoryMappedTable, name)

    def derive(self: InPlaceTable, *args: object, **kwargs: object) -> InPlaceTable:
        derived = inherited(self, *args, **kwargs)
        derived.__class__ = InPlaceTable  # as its parent made it: making another would list its batches once more
        return derived  # type: ignore[no-any-return]  # as above

    derive.__name__ = name
    derive.__doc__ = inherited.__doc__
    return derive


for _name in (
    "slice",
    "filter",
    "flatten",
    "combine_chunks",
    "cast",
    "add_column",
    "append_column",
    "remove_column",
    "set_column",
    "rename_columns",
    "drop",
    "select",
):
    setattr(InPlaceTable, _name, _deriving(_name))


def open_split(
    place: DatasetLocation, split: str, shards: Sequence[Shard], *, decode: bool | str, cache: Path
) -> datasets.Dataset:
    """Open the shards of a split where they are.

    Raises:
        DatasetError: A shard is missing, damaged, or replaced at this moment.
    """
    path = split_places(place, split, shards, cache)
    table = InPlaceTable.from_file(str(path))
    features = features_of(table.schema, where=place.where(shards[0]))
    info = datasets.DatasetInfo(features=features, config_name=shards[0].config)
    rows = datasets.Dataset(table, info=info, split=datasets.NamedSplit(split), fingerprint=path.parent.name)
    return decoding(rows, decode)


Features: TypeAlias = Literal["waveform", "logmel"]
FEATURES: tuple[Features, ...] = ("waveform", "logmel")
FloatArray = npt.NDArray[np.float32]


@dataclass(slots=True)
class Clips:
    """The clips of a split, by row number; pickling sends no audio, and the shards are mapped where it is used.

    Args:
        places: The file that says where the clips are.
        n_rows: How many there are.
        features: ``waveform`` or ``logmel``.
        settings: Of the log-mel features.
        columns: Which columns go with them.
    """

    places: Path
    n_rows: int
    features: Features
    settings: LogMel
    columns: tuple[str, ...]
    _spans: ClipSpans | None = field(default=None, init=False, repr=False)
    _values: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """Return the number of clips."""
        return self.n_rows

    def __getstate__(self) -> tuple[object, ...]:
        return self.places, self.n_rows, self.features, self.settings, self.columns

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.places, self.n_rows, self.features, self.settings, self.columns = state
        self._spans, self._values = None, {}

    def batch(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return some clips with their columns.

        Returns:
            ``waveform``, shape (n_clips, n_samples), or (n_clips, n_channels, n_samples), with ``n_samples`` of each;
            or ``logmel``, (n_clips, n_frames, n_mels) or (n_clips, n_channels, n_frames, n_mels), with ``n_frames``.
            Shorter clips are filled up with silence. ``row``, their numbers, and the columns: arrays of numbers, with
            NaN where there is none, and lists of anything else.

        Raises:
            DatasetError: A clip is damaged, or the dataset was replaced.
        """
        found = [self._features_of(self.waveform(row)) for row in rows]
        axis = -1 if self.features == "waveform" else -2
        lengths = np.array([one.shape[axis] for one in found])
        at = np.asarray(rows, dtype=np.int64)
        named = {
            self.features: np.stack(found) if len(set(lengths)) == 1 else _filled_up(found, axis, self._silence()),
            "n_samples" if self.features == "waveform" else "n_frames": lengths,
            "row": at,
        }
        return named | {name: self._taken(name, at) for name in self.columns}

    def waveform(self, row: int) -> FloatArray:
        """Decode one clip, shape (n_samples,) or (n_channels, n_samples), full scale +-1."""
        spans = self._opened()
        start, length = int(spans.start[row]), int(spans.length[row])
        content = spans.shards[spans.shard[row]][start : start + length]
        return decode_clip(content, f"{self.places.stem}, row {row}")[0]

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

    def _taken(self, name: str, at: npt.NDArray[np.int64]) -> Any:  # noqa: ANN401  # an array or a list
        if name not in self._values:
            column = self._opened().rows[name]
            is_number = pa.types.is_integer(column.type) and not column.null_count
            is_number |= pa.types.is_floating(column.type)  # null becomes NaN
            self._values[name] = column.to_numpy() if is_number else column.to_pylist()
        values = self._values[name]
        return values[at] if isinstance(values, np.ndarray) else [values[row] for row in at]

    def _opened(self) -> ClipSpans:
        if self._spans is None:
            self._spans = read_spans(self.places)
        return self._spans


def _filled_up(found: Sequence[FloatArray], axis: int, silence: float) -> FloatArray:
    """Stack arrays that differ along one axis, filled up at its end."""
    longest = max(one.shape[axis] for one in found)
    filled = []
    for one in found:
        widths = [(0, 0)] * one.ndim
        widths[axis] = (0, longest - one.shape[axis])
        filled.append(np.pad(one, widths, constant_values=silence))
    return np.stack(filled)
