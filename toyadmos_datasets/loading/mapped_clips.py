"""The rows of a split for `datasets`, their clips mapped where they are in the shards."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.table import MemoryMappedTable

from toyadmos_datasets.loading.clip_cache import split_places
from toyadmos_datasets.loading.clip_positions import read_places
from toyadmos_datasets.loading.derived_features import decoding, features_of
from toyadmos_datasets.loading.location import DatasetLocation
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
