"""Straight into training: rows of clips, such as those of a prepared folder, become a `torch.utils.data.DataLoader`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pyarrow as pa

from toyadmos_datasets.errors import MissingExtraError, OptionError
from toyadmos_datasets.files.checked_json import canonical_json, checked
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.loading.augmentation import TRAIN, Augment
from toyadmos_datasets.loading.choices import chosen_splits, require_choice
from toyadmos_datasets.loading.clip_batches import FEATURES, ClipRows, Clips, Features
from toyadmos_datasets.loading.clip_cache import split_places
from toyadmos_datasets.loading.clip_positions import read_spans
from toyadmos_datasets.loading.consistent_read import open_consistently
from toyadmos_datasets.loading.epochs import Epochs
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.loading.mapped_rows import MappedRows
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.units import Hertz
from toyadmos_datasets.values.columns import STEMS
from toyadmos_datasets.values.manifest import Manifest
from toyadmos_datasets.values.parquet_files import features_in

if TYPE_CHECKING:
    from toyadmos_datasets.loading.torch_batches import ResumableLoader


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """What the batches of a loader are, wherever its rows come from; `torch_loader` says what each means."""

    batch_size: int = 32
    features: Features = "waveform"
    columns: Sequence[str] = ("label",)
    shuffle: bool = True
    seed: int = 0
    drop_last: bool = False
    rank: int | None = None
    world_size: int | None = None
    log_mel: LogMel | None = None
    augment: Augment | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def require_usable(self, split: str) -> None:
        """Raise unless batches of a split can be made.

        Raises:
            MissingExtraError: torch is not installed.
            OptionError: There are no such features, or the split is not to be augmented.
        """
        if importlib.util.find_spec("torch") is None:
            raise MissingExtraError(
                "A DataLoader needs torch, which is not installed.",
                where="torch_loader",
                expected="torch",
                actual="not installed",
                remedy="pip install torch. Without it: toyadmos_datasets.load_dataset",
            )
        require_choice("features", self.features, FEATURES)
        if self.augment is not None and split != TRAIN:
            raise OptionError(
                "Only the training split is augmented, with its own noise and partners.",
                where="augment",
                expected=f"split={TRAIN!r}",
                actual=f"split={split!r}",
                remedy="Leave augment and snr_db out for the other splits.",
            )

    def loader(self, rows: ClipRows, *, rate_hz: Hertz, key: str, columns: Sequence[str]) -> ResumableLoader:
        """Return the loader.

        Args:
            rows: What is read.
            rate_hz: Rate of the clips.
            key: Identity of the rows, so that a state is not taken for another dataset's.
            columns: The columns that can go with the clips.

        Raises:
            DatasetError: There is no noise to draw from.
            OptionError: There is no such column, or the settings are for another rate.
        """
        from toyadmos_datasets.loading.torch_batches import ResumableLoader, rank_and_size  # noqa: PLC0415  (torch)

        for column in self.columns:
            require_choice("columns", column, columns)
        here, all_of_them = rank_and_size()
        epochs = Epochs(
            key=key if self.augment is None else f"{key}-{_digest(asdict(self.augment))}",
            n_rows=len(rows),
            batch_size=self.batch_size,
            is_shuffled=self.shuffle,
            is_last_dropped=self.drop_last,
            seed=self.seed,
            rank=here if self.rank is None else self.rank,
            world_size=all_of_them if self.world_size is None else self.world_size,
        )
        settings = _settings(self.log_mel, rate_hz)
        clips = Clips(rows, self.features, settings, tuple(self.columns), self.augment, self.seed)
        if self.augment is not None:
            clips.augmentation()  # what cannot be augmented is refused at once
        return ResumableLoader(clips, epochs, **self.options)


def prepared_loader(
    place: DatasetLocation,
    name: str | None,
    split: str,
    batching: Batching,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
) -> ResumableLoader:
    """Return a loader over a split of a prepared dataset.

    Args:
        place: The prepared folder, or an address of one.
        name: Config; None for the first.
        split: One split.
        batching: What its batches are.
        cache_dir: Where `datasets` keeps things; by default its own place.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged.
        OptionError: There is no such config, split, column or feature, the settings are for another rate, or what is
            to be augmented has no stems.
        MissingExtraError: torch is not installed.
    """
    batching.require_usable(split)
    places = _places(place, name, split, cache_dir)
    rows = read_spans(places).rows
    is_clip = {one.name for one in rows.schema if pa.types.is_struct(one.type)}
    is_mixing = batching.augment is not None and batching.augment.snr_db is not None
    if is_mixing and not is_clip.issuperset(STEMS):
        raise OptionError(
            "New noise needs clips whose target is stored without noise.",
            where="snr_db",
            expected=f"the columns {' and '.join(STEMS)}",
            actual=", ".join(sorted(is_clip)),
            remedy="Prepare the dataset with --stems, or mix straight from the recordings: torch_loader(source=...).",
        )
    return batching.loader(
        MappedRows(places, len(rows), augmented="target" if is_mixing else "audio"),
        rate_hz=_rate_hz(rows.schema, places),
        key=places.parent.name,
        columns=[one for one in rows.column_names if one not in is_clip],
    )


def _digest(facts: object) -> str:
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]


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
