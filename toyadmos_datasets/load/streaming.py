"""A dataset that is read as it goes, shard by shard, from a folder or an address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.iterable_dataset import ArrowExamplesIterable

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.looking import raise_shortage
from toyadmos_datasets.load.place import Place
from toyadmos_datasets.load.redecoding import decoding
from toyadmos_datasets.load.stored import features_of
from toyadmos_datasets.values.dataset import Shard
from toyadmos_datasets.values.footer import require_bounded_group, require_rows, require_short_footer
from toyadmos_datasets.values.shards import check_shards

_AGAIN = "Prepare or share the dataset again."


def stream_split(place: Place, split: str, shards: Sequence[Shard], *, decode: bool | str) -> datasets.IterableDataset:
    """Return the rows of a split, to be read one after the other.

    It has as many shards as the split has files, for workers and ranks to share; `state_dict` works.
    """
    rows = ArrowExamplesIterable(_tables, {"place": place, "shards": list(shards)})
    with place.open(shards[0]) as file:
        features = _features(file, place, shards[0])
    info = datasets.DatasetInfo(features=features, config_name=shards[0].config)
    return decoding(datasets.IterableDataset(rows, info=info, split=datasets.NamedSplit(split)), decode)


def _tables(place: Place, shards: Sequence[Shard]) -> Iterator[tuple[str, pa.Table]]:
    """Read shards a row group at a time: near ones are compared with their hashes, all pages with their checksums."""
    for number, shard in enumerate(shards):
        with place.open(shard) as file:
            _require_current(place, shard)
            if not place.is_far:
                check_shards(place.folder, [shard])
            try:
                parquet = _opened(file, place, shard)
                for group in range(parquet.num_row_groups):
                    require_bounded_group(parquet, group, where=place.where(shard), remedy=_AGAIN)
                    yield f"{number}_{group}", parquet.read_row_group(group)
            except (pa.ArrowException, OSError) as error:
                raise_shortage(error, place.where(shard))
                raise _damaged(place, shard, error) from error


def _require_current(place: Place, shard: Shard) -> None:
    """Raise if the dataset was replaced since it was opened: what is open now may be of another one."""
    if shard not in place.manifest().shards:
        raise DatasetError(
            "The dataset was replaced while it was read.",
            where=place.where(shard),
            expected=f"sha256 {shard.sha256}",
            actual="a manifest that does not list it",
            remedy="Load it again.",
        )


def _features(file: IO[bytes], place: Place, shard: Shard) -> datasets.Features:
    try:
        return features_of(_opened(file, place, shard).schema_arrow, where=place.where(shard))
    except (pa.ArrowException, OSError) as error:
        raise_shortage(error, place.where(shard))
        raise _damaged(place, shard, error) from error


def _opened(file: IO[bytes], place: Place, shard: Shard) -> pq.ParquetFile:
    """Open a shard after looking at how much its footer says that it is to hold."""
    require_short_footer(file, where=place.where(shard), remedy=_AGAIN)
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    require_rows(parquet.metadata, shard.n_rows, where=place.where(shard), remedy=_AGAIN)
    return parquet


def _damaged(place: Place, shard: Shard, error: Exception) -> DatasetError:
    return DatasetError(
        "A shard is damaged.",
        where=place.where(shard),
        expected=f"Parquet with sha256 {shard.sha256}",
        actual=type(error).__name__ if place.is_far else error,
        remedy=_AGAIN,
    )
