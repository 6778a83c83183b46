"""Straight into training: a prepared folder becomes a `torch.utils.data.DataLoader`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pyarrow as pa

from toyadmos_datasets.errors import MissingExtraError, OptionError
from toyadmos_datasets.files.checked_json import checked
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.loading.choices import chosen_splits, require_choice
from toyadmos_datasets.loading.clip_cache import split_places
from toyadmos_datasets.loading.clip_positions import read_spans
from toyadmos_datasets.loading.consistent_read import open_consistently
from toyadmos_datasets.loading.epochs import Epochs
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.loading.mapped_clips import FEATURES, Clips, Features
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.units import Hertz
from toyadmos_datasets.values.manifest import Manifest
from toyadmos_datasets.values.parquet_files import features_in

if TYPE_CHECKING:
    from toyadmos_datasets.loading.torch_batches import ResumableLoader


def torch_loader(
    path: str | os.PathLike[str],
    name: str | None = None,
    split: str = "train",
    *,
    batch_size: int = 32,
    features: Features = "waveform",
    columns: Sequence[str] = ("label",),
    shuffle: bool = True,
    seed: int = 0,
    drop_last: bool = False,
    rank: int | None = None,
    world_size: int | None = None,
    log_mel: LogMel | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,  # noqa: ANN401  # DataLoader's
) -> ResumableLoader:
    """Return a DataLoader over a split of a prepared dataset.

    Its workers map the shards where they are. Every epoch has an order of its own, which follows from the seed and the
    number of the epoch; ranks share it. `state_dict` and `load_state_dict` go on in the middle of an epoch.

    Args:
        path: The prepared folder, or an address of one, which is copied into the cache of `datasets` first.
        name: Config; None for the first.
        split: One split.
        batch_size: Clips a batch.
        features: ``waveform`` or ``logmel``.
        columns: Columns that go with the clips: tensors where they are numbers, else lists.
        shuffle: Whether rows come in a new order every epoch.
        seed: Seed of the orders.
        drop_last: Whether to leave out a last batch that is not full.
        rank: Which of `world_size` processes this is; by default what torch.distributed says, or the only one.
        world_size: How many there are.
        log_mel: Settings of the log-mel features; by default 128 bands, frames of 1024 and hop 512, in dB.
        cache_dir: Where `datasets` keeps things; by default its own place.
        storage_options: For fsspec.
        options: Of `torch.utils.data.DataLoader`, such as ``num_workers`` and ``pin_memory``.

    Returns:
        Batches are dicts: ``waveform``, (batch, n_samples) or (batch, n_channels, n_samples), float32, full scale +-1,
        and ``n_samples``; or ``logmel``, (batch, n_frames, n_mels) or (batch, n_channels, n_frames, n_mels), and
        ``n_frames``; shorter clips are filled up with silence. Then ``row``, the number in the split, and the columns.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged.
        OptionError: There is no such config, split, column or feature, or the settings are for another rate.
        MissingExtraError: torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(
            "A DataLoader needs torch, which is not installed.",
            where="torch_loader",
            expected="torch",
            actual="not installed",
            remedy="pip install torch. Without it: toyadmos_datasets.load_dataset",
        )
    from toyadmos_datasets.loading.torch_batches import ResumableLoader, rank_and_size  # noqa: PLC0415  (needs torch)

    require_choice("features", features, FEATURES)
    places = _places(
        DatasetLocation(address=os.fspath(path), storage_options=dict(storage_options or {})), name, split, cache_dir
    )
    rows = read_spans(places).rows
    for column in columns:
        require_choice("columns", column, [one for one in rows.column_names if not pa.types.is_struct(rows[one].type)])
    settings = _settings(log_mel, _rate_hz(rows.schema, places))
    here, all_of_them = rank_and_size()
    epochs = Epochs(
        key=places.parent.name,
        n_rows=len(rows),
        batch_size=batch_size,
        is_shuffled=shuffle,
        is_last_dropped=drop_last,
        seed=seed,
        rank=here if rank is None else rank,
        world_size=all_of_them if world_size is None else world_size,
    )
    clips = Clips(places, len(rows), features, settings, tuple(columns))
    return ResumableLoader(clips, epochs, **options)


def _places(place: DatasetLocation, name: str | None, split: str, cache_dir: str | os.PathLike[str] | None) -> Path:
    """Find where the clips are."""
    import datasets.config  # noqa: PLC0415  (takes a second)

    cache = expanded_path(cache_dir or datasets.config.HF_DATASETS_CACHE).absolute()

    def opening(manifest: Manifest) -> Path:
        """Find the clips of the split."""
        splits = chosen_splits(manifest, name)
        if name is not None and manifest.has_features(name):
            raise OptionError(
                "This config holds features and no clips.",
                where="name",
                expected=", ".join(manifest.audio_configs),
                actual=name,
                remedy="Choose one of clips, with features='logmel' and log_mel=LogMel(...), or load_dataset.",
            )
        require_choice("split", split, splits)
        return split_places(place, split, splits[split], cache)

    return opening(place.manifest()) if place.is_far else open_consistently(place.folder, opening)


def _settings(log_mel: LogMel | None, rate_hz: Hertz) -> LogMel:
    """Return the settings of the features: bands stand for frequencies at the clips' own rate alone."""
    settings = log_mel or LogMel(rate_hz=rate_hz)
    if settings.rate_hz != rate_hz:
        raise OptionError(
            "The features are for clips of another rate.",
            where="log_mel",
            expected=f"rate_hz={rate_hz}, that of the clips",
            actual=f"rate_hz={settings.rate_hz}",
            remedy=f"log_mel=LogMel(rate_hz={rate_hz}, ...)",
        )
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _AudioFeature:
    """What is needed of the feature of a column of clips."""

    sampling_rate: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
    _type: str = "Audio"


def _rate_hz(schema: pa.Schema, where: object) -> Hertz:
    remedy = "Prepare or share the dataset again."
    feature = features_in(schema, where=where, remedy=remedy).get("audio")
    return checked(_AudioFeature, feature, what="The features are damaged.", where=where, remedy=remedy).sampling_rate
