"""Open a prepared dataset as `datasets` would, in memory maps or as it streams, and only what its manifest lists."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.iterable_dataset import ArrowExamplesIterable

from toyadmos_datasets.errors import DatasetError, OptionError, ToyAdmosError
from toyadmos_datasets.files.reading import expanded_path, raise_shortage, raise_system_fault
from toyadmos_datasets.loading.choices import check_decode, check_split, chosen_splits, part_of
from toyadmos_datasets.loading.consistent_read import open_consistently
from toyadmos_datasets.loading.derived_features import decoding, features_of
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.loading.saved_datasets import is_saved, open_saved
from toyadmos_datasets.values.manifest import Manifest, Shard
from toyadmos_datasets.values.parquet_files import require_bounded_group, require_rows, require_short_footer
from toyadmos_datasets.values.shards import check_shards

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict


_AGAIN = "Prepare or share the dataset again."


def stream_split(
    place: DatasetLocation, split: str, shards: Sequence[Shard], *, decode: bool | str
) -> datasets.IterableDataset:
    """Return the rows of a split, to be read one after the other.

    It has as many shards as the split has files, for workers and ranks to share; `state_dict` works.
    """
    rows = ArrowExamplesIterable(_tables, {"place": place, "shards": list(shards)})
    with place.open(shards[0]) as file:
        features = _features(file, place, shards[0])
    info = datasets.DatasetInfo(features=features, config_name=shards[0].config)
    return decoding(datasets.IterableDataset(rows, info=info, split=datasets.NamedSplit(split)), decode)


def _tables(place: DatasetLocation, shards: Sequence[Shard]) -> Iterator[tuple[str, pa.Table]]:
    """Read shards a row group at a time: near ones are compared with their hashes, all pages with their checksums."""
    for number, shard in enumerate(shards):
        with place.open(shard) as file:
            place.require_current(shard)
            if not place.is_far:
                check_shards(place.folder, [shard])
            for group, table in enumerate(_row_groups(file, place, shard)):
                yield f"{number}_{group}", table


def _row_groups(file: IO[bytes], place: DatasetLocation, shard: Shard) -> Iterator[pa.Table]:
    """Read the row groups of a shard; of a far one, each is given after a look whether the dataset is still the one."""
    try:
        parquet = _opened(file, place, shard)
        for group in range(parquet.num_row_groups):
            require_bounded_group(parquet, group, where=place.where(shard), remedy=_AGAIN)
            table = parquet.read_row_group(group)
            if place.is_far:  # what is near stays as it was opened, whatever gets its name
                place.require_current(shard)
            yield table
    except ToyAdmosError:
        raise
    except Exception as error:  # noqa: BLE001  # what a file system raises is not known
        raise _failed(place, shard, error) from (None if place.is_far else error)


def _features(file: IO[bytes], place: DatasetLocation, shard: Shard) -> datasets.Features:
    try:
        return features_of(_opened(file, place, shard).schema_arrow, where=place.where(shard))
    except ToyAdmosError:
        raise
    except Exception as error:  # noqa: BLE001  # what a file system raises is not known
        raise _failed(place, shard, error) from (None if place.is_far else error)


def _opened(file: IO[bytes], place: DatasetLocation, shard: Shard) -> pq.ParquetFile:
    """Open a shard after looking at how much its footer says that it is to hold."""
    require_short_footer(file, where=place.where(shard), remedy=_AGAIN)
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    require_rows(parquet.metadata, shard.n_rows, where=place.where(shard), remedy=_AGAIN)
    return parquet


def _failed(place: DatasetLocation, shard: Shard, error: Exception) -> DatasetError:
    """Tell a shard that is damaged from one that was replaced meanwhile, and from one that stopped coming."""
    (raise_shortage if place.is_far else raise_system_fault)(error, place.where(shard))
    is_of_arrow = isinstance(error, pa.ArrowException) or (isinstance(error, OSError) and error.errno is None)
    if place.is_far and (not is_of_arrow or isinstance(error, ConnectionError | TimeoutError)):
        return place.cut(shard.path, error)
    place.require_current(shard)
    return DatasetError(
        "A shard is damaged.",
        where=place.where(shard),
        expected=f"Parquet with sha256 {shard.sha256}",
        actual=type(error).__name__ if place.is_far else error,
        remedy=_AGAIN,
    )


def load_prepared(
    path: str | os.PathLike[str],
    name: str | None = None,
    split: str | None = None,
    *,
    decode: bool | str = True,
    streaming: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Dataset | DatasetDict | IterableDataset | IterableDatasetDict:
    """Load a prepared dataset, or what `save_to_disk` wrote of one.

    Only the shards that the manifest lists are read. A folder is read where it is: the clips are mapped into memory
    inside its shards, and the cache of `datasets` gets the other columns and where the clips are. The first time every
    shard is compared with its hash. An address is copied into that cache first, or streamed.

    Args:
        path: The prepared folder, one that `save_to_disk` wrote, or an address of either that fsspec knows.
        name: Config, such as ``snr_6db``; None for the first.
        split: ``train``, or an expression of `datasets` such as ``train[:10%]`` or ``train+test``; None for all
            splits.
        decode: True or ``float32`` for float32, ``int16`` for the integers as they are stored, False for the bytes.
        streaming: Whether to read as it goes; then `split` is one split.
        cache_dir: Where `datasets` keeps things; by default its own place.
        storage_options: For fsspec.

    Returns:
        The rows of the split, or all splits by name. Audio is ``{"array", "sampling_rate", "path"}``, `array` of
        shape (n_samples,), or (n_channels, n_samples) where clips have several channels.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged, or a newer version wrote it.
        OptionError: There is no such config, split or decoding.
        MissingExtraError: soundfile is not installed, and `decode` is on; or a package for the address.
    """
    place = DatasetLocation(address=os.fspath(path), storage_options=dict(storage_options or {}))

    def opening(manifest: Manifest) -> Any:  # noqa: ANN401  # one of the four
        """Open the requested splits."""
        splits = chosen_splits(manifest, name)
        asked = check_split(split, splits)
        check_decode(decode, manifest.request.get("bit_depth", 16))
        if streaming:
            return _streamed(place, splits, asked, decode=decode)
        return _mapped(place, _used(splits, asked), asked, decode=decode, cache=_cache(cache_dir))

    if not place.is_far and is_saved(place):
        return open_saved(place, name, split, decode=decode, streaming=streaming)
    try:
        return opening(place.manifest()) if place.is_far else open_consistently(place.folder, opening)
    except DatasetError:
        if not place.is_far or not is_saved(place):
            raise
    return open_saved(place, name, split, decode=decode, streaming=streaming)


def _streamed(
    place: DatasetLocation, splits: dict[str, list[Shard]], asked: str | None, *, decode: bool | str
) -> IterableDataset | IterableDatasetDict:
    import datasets  # noqa: PLC0415  (takes a second, which reading the manifest need not wait for)

    from toyadmos_datasets.loading.prepared_dataset import stream_split  # noqa: PLC0415  (as above)

    if asked is None:
        return datasets.IterableDatasetDict(
            {split: stream_split(place, split, shards, decode=decode) for split, shards in splits.items()}
        )
    if asked not in splits:
        raise OptionError(
            "What is read as it goes cannot be cut or put together by an expression.",
            where="split",
            expected=" or ".join(splits),
            actual=asked,
            remedy="Take one split, and cut it with .take(n) and .skip(n).",
        )
    return stream_split(place, asked, splits[asked], decode=decode)


def _used(splits: dict[str, list[Shard]], asked: str | None) -> dict[str, list[Shard]]:
    if asked is None:
        return splits
    return {split: splits[split] for split in (part.partition("[")[0] for part in asked.split("+"))}


def _mapped(
    place: DatasetLocation, splits: dict[str, list[Shard]], asked: str | None, *, decode: bool | str, cache: Path
) -> Dataset | DatasetDict:
    import datasets  # noqa: PLC0415  (as above)

    from toyadmos_datasets.loading.mapped_clips import open_split  # noqa: PLC0415  (as above)

    opened = {split: open_split(place, split, shards, decode=decode, cache=cache) for split, shards in splits.items()}
    return datasets.DatasetDict(opened) if asked is None else part_of(opened, asked)


def _cache(cache_dir: str | os.PathLike[str] | None) -> Path:
    import datasets  # noqa: PLC0415  (as above)

    return expanded_path(cache_dir or datasets.config.HF_DATASETS_CACHE).absolute()
