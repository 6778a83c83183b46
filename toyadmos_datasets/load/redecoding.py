"""Giving the audio of a dataset another decoder: ours, with a sample type, or that of `datasets`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import datasets

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.json import canonical_json
from toyadmos_datasets.load.audio import Audio
from toyadmos_datasets.load.decoding import SampleType
from toyadmos_datasets.load.features import AudioFeatures, AudioInfo, arguments_of, map_audio

AnyDataset = TypeVar("AnyDataset")
"""A Dataset, a DatasetDict, or one of the iterable ones."""


def decode_with_soundfile(dataset: AnyDataset, *, sample_type: SampleType = "float32") -> AnyDataset:
    """Return the same rows with their audio decoded by soundfile, also in what is made of them.

    Args:
        dataset: A `Dataset`, a `DatasetDict` or an iterable one, of this package or not.
        sample_type: ``float32``, or ``int16`` for the integers of 16-bit clips.

    Raises:
        OptionError: There is no such sample type, no column of audio, or rows that are decoded already.
    """
    return cast(AnyDataset, _redecoded(dataset, _ours(decode=True, sample_type=sample_type)))


def as_plain_audio(dataset: AnyDataset) -> AnyDataset:
    """Return the same rows with plain `datasets.Audio`, for people without this package.

    `datasets` decodes it with torchcodec, and averages the channels in ``["array"]``.

    Args:
        dataset: A `Dataset`, a `DatasetDict` or an iterable one.

    Raises:
        OptionError: There is no column of audio, or rows that are decoded already.
    """
    return cast(AnyDataset, _redecoded(dataset, _plain))


def decoding(dataset: AnyDataset, decode: bool | str) -> AnyDataset:  # noqa: FBT001  # a choice of four, not a switch
    """Return the same rows decoded as `load_dataset` is asked to: True keeps the sample type that there is.

    Configs of log-mel features have no audio, and stay as they are.
    """
    features = getattr(dataset, "features", None)
    if features is not None and not _n_clips(features):
        return dataset
    sample_type = None if isinstance(decode, bool) else decode
    return cast(AnyDataset, _redecoded(dataset, _ours(decode=bool(decode), sample_type=sample_type)))


def _ours(*, decode: bool, sample_type: str | None) -> Callable[[datasets.Audio], datasets.Audio]:
    def change(audio: datasets.Audio) -> Audio:
        changes = {"decode": decode} | ({"sample_type": sample_type} if sample_type else {})
        return Audio(**(arguments_of(audio) | changes))

    return change


def _plain(audio: datasets.Audio) -> datasets.Audio:
    return datasets.Audio(**{name: value for name, value in arguments_of(audio).items() if name != "sample_type"})


def _redecoded(dataset: Any, change: Callable[[datasets.Audio], datasets.Audio]) -> Any:  # noqa: ANN401  # any of four
    if isinstance(dataset, dict):
        return type(dataset)({split: _redecoded(rows, change) for split, rows in dataset.items()})
    before = dataset.features
    features = map_audio(datasets.Features(before or {}), change)
    if before is None or not _n_clips(before):
        raise _no_audio(before)
    is_ours = change is not _plain
    info = (AudioInfo if is_ours else datasets.DatasetInfo)(**vars(dataset.info) | {"features": None})
    info.features = (AudioFeatures if is_ours else datasets.Features)(features)
    if isinstance(dataset, datasets.IterableDataset):
        return _redecoded_iterable(dataset, info, is_same=dict(before) == dict(features))
    # What `map` keeps is found by the fingerprint, and other samples give other results.
    described = canonical_json([dataset._fingerprint, info.features.to_dict()])  # noqa: SLF001  # as datasets does
    rows = datasets.Dataset(
        dataset.data,
        info=info,
        split=dataset.split,
        indices_table=dataset._indices,  # noqa: SLF001  # as above
        fingerprint=hashlib.sha256(described.encode()).hexdigest()[:16],
    )
    return rows if rows.format == dataset.format else rows.with_format(**dataset.format)


def _redecoded_iterable(
    rows: datasets.IterableDataset, info: datasets.DatasetInfo, *, is_same: bool
) -> datasets.IterableDataset:
    if not is_same and rows._ex_iterable.is_typed:  # noqa: SLF001  # nothing public says so
        rows = rows.decode(False)  # where threads decode, that is taken back
        if rows._ex_iterable.is_typed:  # noqa: SLF001  # as above
            raise OptionError(
                "These rows are decoded already, by what they were made of.",
                where="dataset",
                expected="rows that come encoded",
                actual="an iterable that was mapped with features=",
                remedy="Choose the decoder first, and map after that.",
            )
    redecoded = rows.cast(info.features)
    redecoded._info = info  # noqa: SLF001  # as above
    return redecoded


def _n_clips(features: datasets.Features) -> int:
    found: list[datasets.Audio] = []
    map_audio(dict(features), found.append)
    return len(found)


def _no_audio(features: datasets.Features | None) -> OptionError:
    columns = "columns that are not known yet" if features is None else ", ".join(features) or "no column"
    return OptionError(
        "The dataset has no column of audio.",
        where="dataset",
        expected="a column whose feature is Audio",
        actual=columns,
        remedy="Say which one it is: dataset.cast_column('audio', toyadmos_datasets.Audio())",
    )
