"""`load_dataset`: opens a prepared folder, or builds the dataset of a toy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toyadmos_datasets.corpus.toys import TOYS, toy_named
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.escaping import python_text
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.loading import check_decode, check_split, load_prepared
from toyadmos_datasets.loading.clip_cache import writable_or_stand_in
from toyadmos_datasets.loading.dcase_dataset import load_dcase
from toyadmos_datasets.loading.location import DatasetLocation, has_recipe_alone
from toyadmos_datasets.values.dcase_folder import is_dcase

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

_TOYS = {name for toy in TOYS for name in (toy.short, toy.name)}


def load_dataset(
    path: str | os.PathLike[str],
    name: str | None = None,
    split: str | None = None,
    *,
    decode: bool | str = True,
    streaming: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    num_proc: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,  # noqa: ANN401  # attributes of ToyAdmosConfig
) -> Dataset | DatasetDict | IterableDataset | IterableDatasetDict:
    """Load a prepared dataset or a saved one, from a folder or an address, fill in a shared one, or build one of a toy.

    Args:
        path: A folder from `toyadmos prepare`, or from `save_to_disk` of a dataset that was loaded here; an address
            of one (``s3://``, ``hf://datasets/``, ``memory://``); with `source`, where one was shared without audio;
            ``dcase:DIR`` for a folder in a layout of DCASE task 2, whose configs are its machines;
            or a toy: ``car``, ``conveyor``, ``train``. A folder of that name is ``./train``.
        name: Config of the prepared dataset, such as ``snr_6db``; None for the first. For a toy, the protocol; None
            for ``waspaa2019``.
        split: ``train``, or an expression of `datasets` such as ``train[:10%]``; None for all splits.
        decode: True or ``float32`` for float32, ``int16`` for the integers as they are stored, False for the bytes.
        streaming: Whether to read, or render, as it goes.
        cache_dir: Where `datasets` keeps things; by default its own place.
        num_proc: For a toy, and for what is filled in: processes that build.
        storage_options: For fsspec.
        options: For a toy: ``source`` and whatever else `ToyAdmosConfig` has. For what was shared without audio:
            ``source``, where your recordings are, and ``cache``, ``fetch``, ``ignore``.

    Returns:
        The rows of the split, or all splits by name. Audio is ``{"array", "sampling_rate", "path"}``, `array` of
        shape (n_samples,), or (n_channels, n_samples) where clips have several channels. A prepared folder is read
        where it is; no clip is copied.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged, or a newer version wrote it; or the clips that
            your recordings give are not those that were shared.
        OptionError: There is no such config, split, decoding or option.
        MissingExtraError: A package is not installed that decoding or the address needs.
        SourceError: A toy's recordings are not where `source` says.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> clip = toyadmos.load_dataset("data/train", "snr_6db", split="train")[0]
        >>> clip["audio"]["array"].dtype, clip["audio"]["sampling_rate"], clip["snr_db"]
        (dtype('float32'), 16000, 6.0)
    """
    if is_dcase(path):
        _require_no_options(path, options, num_proc, streaming=streaming)
        return load_dcase(os.fspath(path), name, split, decode=decode)
    if os.fspath(path) not in _TOYS:
        if "source" in options:
            from toyadmos_datasets.builder.filled_dataset import fill_options, filled_folder  # noqa: PLC0415  # as below

            path = filled_folder(path, fill_options(options, num_proc), storage_options=storage_options)
            options, num_proc, storage_options = {}, None, None
        if options or num_proc:
            raise OptionError(
                "A prepared dataset is taken as it is.",
                where=", ".join([*options, *(["num_proc"] if num_proc else [])]),
                expected="a toy, for these options: car, conveyor or train",
                actual=os.fspath(path),
                remedy="Leave them out, or give a toy to be built.",
            )
        try:
            return load_prepared(
                path,
                name,
                split,
                decode=decode,
                streaming=streaming,
                cache_dir=cache_dir,
                storage_options=storage_options,
            )
        except DatasetError:
            place = DatasetLocation(address=os.fspath(path), storage_options=dict(storage_options or {}))
            if not has_recipe_alone(place):
                raise
        raise DatasetError(
            "This dataset was shared without audio.",
            where=place.shown,
            expected="source=, where your copy of the recordings is",
            actual="not given",
            remedy=f'load_dataset({python_text(place.shown)}, source="/data/ToyADMOS"), or source="record"',
        )
    from toyadmos_datasets.builder.dataset_builder import ToyAdmos  # noqa: PLC0415  # prepared folders need no stages

    toy = toy_named(os.fspath(path)).short
    builder = ToyAdmos(f"{toy}-{name or 'waspaa2019'}", cache_dir=_builders_cache(cache_dir), **options)
    check_decode(decode, builder.config.bit_depth)
    if streaming:
        return builder.as_streaming_dataset(split, decode=decode)
    builder.download_and_prepare(num_proc=num_proc)
    return builder.as_dataset(check_split(split, builder.info.splits), decode=decode)


def _require_no_options(
    path: str | os.PathLike[str], options: Mapping[str, Any], num_proc: int | None, *, streaming: bool
) -> None:
    given = [*options, *(["num_proc"] if num_proc else []), *(["streaming"] if streaming else [])]
    if given:
        raise OptionError(
            "A folder of DCASE is taken as it is, and read clip by clip.",
            where=", ".join(given),
            expected="name, split and decode",
            actual=os.fspath(path),
            remedy="Leave them out.",
        )


def _builders_cache(cache_dir: str | os.PathLike[str] | None) -> str:
    """Return the folder where `datasets` builds: the given one, or its own if that is writable."""
    if cache_dir is not None:
        return os.fspath(cache_dir)
    from datasets import config  # noqa: PLC0415  # takes a second

    return str(writable_or_stand_in(expanded_path(config.HF_DATASETS_CACHE)))
