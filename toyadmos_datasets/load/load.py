"""Open a prepared dataset as `datasets` would, without torch and FFmpeg, and only what its manifest lists."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.looking import expanded
from toyadmos_datasets.load.choices import check_decode, check_split, chosen_splits
from toyadmos_datasets.load.expressions import part_of
from toyadmos_datasets.load.place import Place
from toyadmos_datasets.load.saved import is_saved, open_saved
from toyadmos_datasets.load.settled import open_settled
from toyadmos_datasets.values.dataset import Manifest, Shard

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict


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
    place = Place(address=os.fspath(path), storage_options=dict(storage_options or {}))

    def opening(manifest: Manifest) -> Any:  # noqa: ANN401  # one of the four
        """Open what is asked for."""
        splits = chosen_splits(manifest, name)
        asked = check_split(split, splits)
        check_decode(decode, manifest.request.get("bit_depth", 16))
        if streaming:
            return _streamed(place, splits, asked, decode=decode)
        return _mapped(place, _used(splits, asked), asked, decode=decode, cache=_cache(cache_dir))

    if not place.is_far and is_saved(place):
        return open_saved(place, name, split, decode=decode, streaming=streaming)
    try:
        return opening(place.manifest()) if place.is_far else open_settled(place.folder, opening)
    except DatasetError:
        if not place.is_far or not is_saved(place):
            raise
    return open_saved(place, name, split, decode=decode, streaming=streaming)


def _streamed(
    place: Place, splits: dict[str, list[Shard]], asked: str | None, *, decode: bool | str
) -> IterableDataset | IterableDatasetDict:
    import datasets  # noqa: PLC0415  (takes a second, which reading the manifest need not wait for)

    from toyadmos_datasets.load.streaming import stream_split  # noqa: PLC0415  (as above)

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
    place: Place, splits: dict[str, list[Shard]], asked: str | None, *, decode: bool | str, cache: Path
) -> Dataset | DatasetDict:
    import datasets  # noqa: PLC0415  (as above)

    from toyadmos_datasets.load.mapped import open_split  # noqa: PLC0415  (as above)

    opened = {split: open_split(place, split, shards, decode=decode, cache=cache) for split, shards in splits.items()}
    return datasets.DatasetDict(opened) if asked is None else part_of(opened, asked)


def _cache(cache_dir: str | os.PathLike[str] | None) -> Path:
    import datasets  # noqa: PLC0415  (as above)

    return expanded(cache_dir or datasets.config.HF_DATASETS_CACHE).absolute()
