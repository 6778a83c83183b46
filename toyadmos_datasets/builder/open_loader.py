"""`torch_loader`: a DataLoader over a prepared folder, or over clips that are mixed on demand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.loading.augmentation import TRAIN, Augment, Range
from toyadmos_datasets.loading.clip_batches import Features
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.loading.prepared_loader import Batching, prepared_loader
from toyadmos_datasets.options.render_options import LogMel

if TYPE_CHECKING:
    from toyadmos_datasets.loading.torch_batches import ResumableLoader


def torch_loader(
    path: str | os.PathLike[str] | None = None,
    name: str | None = None,
    split: str = TRAIN,
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
    augment: Augment | None = None,
    snr_db: Range | None = None,
    source: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,  # noqa: ANN401  # DataLoader's, and the builder's
) -> ResumableLoader:
    """Return a DataLoader over a split of a prepared dataset, or of a source of which nothing is rendered.

    Its workers map the shards in place. Every epoch has its own order, which follows from the seed and the
    number of the epoch; ranks share it. `state_dict` and `load_state_dict` go on in the middle of an epoch.

    With `source`, recordings are ingested if they are not yet, and every clip of the training split is mixed with
    another stretch of noise in every epoch, straight from the recording store.

    Args:
        path: The prepared folder, or an address of one, which is copied into the cache of `datasets` first. With
            `source`: the toy, ``car``, ``conveyor`` or ``train``.
        name: Config; None for the first. With `source`: the protocol.
        split: One split. With `source` or `augment`: ``train``.
        batch_size: Clips a batch.
        features: ``waveform`` or ``logmel``.
        columns: Columns that go with the clips: tensors where they are numbers, else lists.
        shuffle: Whether rows come in a new order every epoch.
        seed: Seed of the orders, of all draws, and with `source` of the plan.
        drop_last: Whether to leave out a last batch that is not full.
        rank: Which of `world_size` processes this is; by default what torch.distributed says, or the only one.
        world_size: How many there are.
        log_mel: Settings of the log-mel features; by default 128 bands, frames of 1024 and hop 512, in dB.
        augment: Changes of the clips of the training split, different in every epoch.
        snr_db: Lowest and highest SNR: the same as `augment` with this `snr_db`.
        source: Where the recordings are, as ``toyadmos prepare --source`` has it; None for a prepared dataset.
        protocol: With `source`: the protocol, another place for `name`.
        cache_dir: Where `datasets` keeps things; by default its own place.
        storage_options: For fsspec.
        options: Of `torch.utils.data.DataLoader`, such as ``num_workers`` and ``pin_memory``; with `source`, also
            attributes of `ToyAdmosConfig`, such as ``channels``, ``cases`` and ``headroom_db``.

    Returns:
        Batches are dicts: ``waveform``, (batch, n_samples) or (batch, n_channels, n_samples), float32, full scale +-1,
        and ``n_samples``; or ``logmel``, (batch, n_frames, n_mels) or (batch, n_channels, n_frames, n_mels), and
        ``n_frames``; shorter clips are filled up with silence. Then ``row``, the number in the split, and the columns.
        With an augmentation, also the drawn values, as ``drawn_snr_db`` and so on; with mix-ups ``label_weights``,
        (batch, 2), and the columns of the partners, as ``partner_label``.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged.
        OptionError: There is no such config, split, column or feature, or the settings are for another rate.
        SourceError: The recordings are not where `source` says.
        MissingExtraError: torch is not installed.
    """
    if snr_db is not None:
        augment = replace(augment or Augment(), snr_db=snr_db)
    batching = Batching(
        batch_size=batch_size,
        features=features,
        columns=columns,
        shuffle=shuffle,
        seed=seed,
        drop_last=drop_last,
        rank=rank,
        world_size=world_size,
        log_mel=log_mel,
        augment=augment,
        options=options,
    )
    if source is None:
        if path is None or protocol is not None:
            raise _incomplete("source", "where the recordings are", "none")
        place = DatasetLocation(address=os.fspath(path), storage_options=dict(storage_options or {}))
        return prepared_loader(place, name, split, batching, cache_dir=cache_dir)
    batching.require_usable(split)
    if augment is None or augment.snr_db is None:
        raise _incomplete("snr_db", "lowest and highest SNR, dB", "none")
    from toyadmos_datasets.builder.mixed_rows import source_loader  # noqa: PLC0415  (prepared folders need no stages)

    plan = {"toy": None if path is None else os.fspath(path), "protocol": protocol or name, "source": os.fspath(source)}
    return source_loader({key: value for key, value in plan.items() if value is not None}, batching)


def _incomplete(where: str, expected: str, actual: str) -> OptionError:
    return OptionError(
        "A loader needs a prepared dataset, or a source and the SNRs that its clips are mixed at.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="torch_loader('data/train'), or torch_loader('train', source=DIR, protocol='basic', snr_db=(-6, 6))",
    )
