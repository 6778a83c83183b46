"""A split as a `datasets.Dataset` whose clips stay in the shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets

from toyadmos_datasets.load.kept import split_places
from toyadmos_datasets.load.place import Place
from toyadmos_datasets.load.redecoding import decoding
from toyadmos_datasets.load.stored import features_of
from toyadmos_datasets.load.table import InPlaceTable
from toyadmos_datasets.values.dataset import Shard


def open_split(
    place: Place, split: str, shards: Sequence[Shard], *, decode: bool | str, cache: Path
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
