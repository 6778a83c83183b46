"""Open a prepared folder as `datasets` would, without torch and FFmpeg, and only what its manifest lists."""

from __future__ import annotations

import glob
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from toyadmos_datasets.errors import DatasetError, MissingExtraError, OptionError
from toyadmos_datasets.files.checksum import sha256_of
from toyadmos_datasets.values.dataset import Shard, check_shard_sizes, read_manifest

if TYPE_CHECKING:
    from datasets import Dataset, DatasetBuilder, DatasetDict

_ALL = "all"


def load_dataset(
    path: str | os.PathLike[str], name: str | None = None, split: str | None = None, *, decode: bool = True
) -> Dataset | DatasetDict:
    """Load a prepared dataset.

    What `datasets.load_dataset` does, but for two things: only the shards that the manifest lists are read,
    after their sizes and, the first time, their hashes were compared with it; and audio comes decoded, as
    ``{"array": float32 of shape (n_samples,), "sampling_rate", "path"}``. The rows are kept once more, in the
    cache of `datasets`, where they are mapped into memory.

    Args:
        path: The prepared folder.
        name: Config, such as ``snr_6db``; None for the first.
        split: ``train``, or an expression of `datasets` such as ``train[:10%]`` or ``train+test``; None for all
            splits.
        decode: Whether audio is decoded; else it is ``{"bytes", "path"}``.

    Returns:
        The rows of the split, or all splits by name.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged, or a newer version wrote it.
        OptionError: There is no such config or split.
        MissingExtraError: soundfile is not installed, and `decode` is on.
    """
    folder = Path(path).expanduser().absolute()
    configs = read_manifest(folder).configs
    config = next(iter(configs), "") if name is None else name
    _require_choice("config", config, configs)
    splits = configs[config]
    asked = "+".join(splits) if split == _ALL else split
    for part in [] if asked is None else asked.split("+"):
        _require_choice("split", part.partition("[")[0], splits)
    if decode and importlib.util.find_spec("soundfile") is None:
        raise MissingExtraError(
            "Audio cannot be decoded: soundfile is not installed.",
            where="load_dataset(..., decode=True)",
            remedy="Install it: pip install soundfile. Or take the bytes as they are: decode=False",
        )
    builder = _build(folder, splits)
    try:
        loaded = builder.as_dataset(split=asked)
    except (ValueError, AssertionError) as error:  # how datasets refuses what stands in the brackets
        raise OptionError(
            "This is not an expression for a split.",
            where="split",
            expected="train, train[:100], train[10%:20%], train+test and the like",
            actual=f"{asked}: {error}",
            remedy="See https://huggingface.co/docs/datasets/loading#slice-splits",
        ) from error
    return _each(loaded, decode=decode)


def _require_choice(what: str, asked: str, choices: Iterable[str]) -> None:
    if asked not in choices:
        raise OptionError(
            f"The dataset has no such {what}.",
            where="name" if what == "config" else what,
            expected=", ".join(choices),
            actual=asked,
            remedy="Choose one that it has.",
        )


def _build(folder: Path, splits: dict[str, list[Shard]]) -> DatasetBuilder:
    """Bring the shards into the cache of `datasets`, unless they are there."""
    import datasets  # noqa: PLC0415  (takes a second, which reading the manifest need not wait for)

    shards = [shard for of_split in splits.values() for shard in of_split]
    check_shard_sizes(folder, shards)
    data_files = {
        # datasets takes paths for patterns
        split: [glob.escape(str(folder / shard.path)) for shard in of_split]
        for split, of_split in splits.items()
    }
    builder = datasets.load_dataset_builder("parquet", data_files=data_files)
    if not Path(builder.cache_dir).exists():
        _check_hashes(folder, shards)
    builder.download_and_prepare()
    return builder


def _check_hashes(folder: Path, shards: Iterable[Shard]) -> None:
    for shard in shards:
        actual = sha256_of(folder / shard.path)
        if actual != shard.sha256:
            raise DatasetError(
                "A shard was changed since it was written.",
                where=folder / shard.path,
                expected=f"sha256 {shard.sha256}",
                actual=f"sha256 {actual}",
                remedy="Prepare the folder again with the same command and --overwrite.",
            )


def _each(loaded: Dataset | DatasetDict, *, decode: bool) -> Dataset | DatasetDict:
    import datasets  # noqa: PLC0415  (see above)

    if isinstance(loaded, datasets.DatasetDict):
        return datasets.DatasetDict({split: _each(one, decode=decode) for split, one in loaded.items()})
    if not decode:
        return loaded.cast_column("audio", datasets.Audio(decode=False))
    from toyadmos_datasets.load.audio import with_soundfile  # noqa: PLC0415  (needs soundfile)

    return with_soundfile(loaded)
