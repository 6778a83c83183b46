"""The audio feature stays with what `datasets` derives, and gives way to another on purpose."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

import datasets
import pyarrow as pa

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.loading.audio_feature import Audio
from toyadmos_datasets.signal.clip_codec import SampleType
from toyadmos_datasets.values.parquet_files import features_in

_REMEDY = "Prepare or share the dataset again."


def features_of(schema: pa.Schema, *, where: object) -> datasets.Features:
    """Return the features of a table.

    Args:
        schema: Of the table.
        where: The table, for the error.

    Raises:
        DatasetError: The metadata hold none, or what `datasets` does not take for features of these columns.
    """
    content = features_in(schema, where=where, remedy=_REMEDY)
    try:
        features = datasets.Features.from_arrow_schema(schema)
    except Exception as error:  # what datasets raises for features that are none is not known
        raise _damaged(where, error) from error
    if set(features) != set(schema.names) or set(content) != set(schema.names):
        raise _damaged(where, f"features of {', '.join(map(ascii, sorted(content)))}")
    return features


def _damaged(where: object, actual: object) -> DatasetError:
    return DatasetError(
        "The features of a shard are damaged.",
        where=where,
        expected="the features of its columns, as datasets writes them",
        actual=actual,
        remedy=_REMEDY,
    )


_DECODED = {"array", "sampling_rate", "path"}


class AudioFeatures(datasets.Features):  # type: ignore[misc]  # datasets has no type annotations to see
    """Features in which a plain `datasets.Audio` that is assigned becomes `Audio`, with the sample type of before."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # a column may be called self
        self, *given = args
        super(AudioFeatures, self).__init__(*given, **kwargs)
        self.update(dict(self))

    def __setitem__(self, name: str, feature: object) -> None:
        super().__setitem__(name, map_audio(feature, lambda audio: _of_this_package(audio, self._sample_type(name))))

    def update(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as its parent's
        """Assign several."""
        for name, feature in dict(*args, **kwargs).items():
            self[name] = feature

    def setdefault(self, name: str, default: object = None) -> object:
        """Assign a feature to a column without one."""
        if name not in self:
            self[name] = default
        return self[name]

    def reorder_fields_as(self, other: datasets.Features) -> AudioFeatures:
        """Reorder as `other` has them; columns that only `other` has are taken from there.

        Where datasets are put side by side, `datasets` gives the info of the first, and the columns of all.
        """
        shared = datasets.Features({name: feature for name, feature in other.items() if name in self})
        ordered = datasets.Features(self).reorder_fields_as(shared)
        return AudioFeatures({name: ordered.get(name, feature) for name, feature in other.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return AudioFeatures, (dict(self),)

    def _sample_type(self, name: str) -> SampleType:
        """Return the sample type of the column, else that of the first one of clips."""
        of_others = (feature for other, feature in self.items() if other != name)
        found = [one.sample_type for one in (self.get(name), *of_others) if isinstance(one, Audio)]
        return found[0] if found else "float32"


class AudioInfo(datasets.DatasetInfo):  # type: ignore[misc]  # datasets has no type annotations to see
    """Info whose features are `AudioFeatures`, and stay so.

    `datasets` gives a copy of its info to every dataset that it derives from another, and assigns features to it. What
    the columns of clips were is remembered where features are not known, as after a `map` of what is streamed.
    """

    __slots__ = ("_clips",)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "features" and isinstance(value, datasets.Features):
            before = getattr(self, "_clips", {})
            value = _following(value, before)
            object.__setattr__(self, "_clips", before | {key: one for key, one in value.items() if _is_clip(one)})
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        """Whether the columns that both have are the same: `datasets` then keeps this info when it merges them."""
        if type(other) is not AudioInfo:
            return NotImplemented
        mine, others = self.features or {}, other.features or {}
        return all(feature == others[name] for name, feature in mine.items() if name in others)

    __hash__ = datasets.DatasetInfo.__hash__

    def copy(self) -> AudioInfo:
        """Return a copy that remembers the same."""
        return copy.deepcopy(self)


def map_audio(feature: Any, change: Callable[[datasets.Audio], Any]) -> Any:  # noqa: ANN401  # features have no common type
    """Return a feature, or a tree of them, with the ones of clips changed."""
    if isinstance(feature, datasets.Audio):
        return change(feature)
    if isinstance(feature, dict):
        return type(feature)({name: map_audio(one, change) for name, one in feature.items()})
    if isinstance(feature, (datasets.List, datasets.LargeList)):
        return replace(feature, feature=map_audio(feature.feature, change))
    return feature


def arguments_of(audio: datasets.Audio) -> dict[str, Any]:
    """Return what a feature of clips was made with."""
    return {one.name: getattr(audio, one.name) for one in fields(audio) if one.init}


def _of_this_package(audio: datasets.Audio, sample_type: SampleType) -> datasets.Audio:
    if type(audio) is not datasets.Audio:
        return audio
    return Audio(**arguments_of(audio), sample_type=sample_type)


def _is_clip(feature: object) -> bool:
    return isinstance(feature, datasets.Audio)


def _following(features: Mapping[str, Any], clips: Mapping[str, Any]) -> AudioFeatures:
    """Return features whose columns of clips keep their earlier sample types, also for decoded clips."""
    following = AudioFeatures({name: one for name, one in clips.items() if name in features})
    ours = [one for one in clips.values() if isinstance(one, Audio)]
    for name, feature in features.items():
        if name in clips and _is_decoded(getattr(feature, "feature", None)):
            raise _decoded_lists(name)
        if name not in clips and type(feature) is datasets.Audio and "int16" in {one.sample_type for one in ours}:
            raise _encoded_by_others(name)
        if name not in clips or not _is_decoded(feature):
            following[name] = feature
    return AudioFeatures({name: following[name] for name in features})


def _is_decoded(feature: object) -> bool:
    return isinstance(feature, dict) and set(feature) == _DECODED


def _encoded_by_others(name: str) -> OptionError:
    """Say what plain features do in `map`: `datasets` encodes with torchcodec, which takes integers for full scale."""
    return OptionError(
        "A new column of clips beside int16 needs the feature of this package.",
        where=name,
        expected="toyadmos_datasets.Audio",
        actual="datasets.Audio",
        remedy=f"features = dataset.features; features[{name!r}] = toyadmos_datasets.Audio(sample_type='int16')",
    )


def _decoded_lists(name: str) -> OptionError:
    """Say what `batch` of the oldest `datasets` would do, and any `map` that puts clips into lists."""
    return OptionError(
        "Clips would be kept decoded, as lists of numbers.",
        where=name,
        expected="a column of clips, or of lists of them",
        actual="lists of decoded clips, without features that say what they are",
        remedy=f"Give map features= with {name!r}: datasets.List(toyadmos_datasets.Audio()), or go over the rows with "
        "dataset.iter(batch_size)",
    )


AnyDataset = TypeVar("AnyDataset")
"""A Dataset, a DatasetDict, or one of the iterable ones."""


def decode_with_soundfile(dataset: AnyDataset, *, sample_type: SampleType = "float32") -> AnyDataset:
    """Return the same rows with their audio decoded by soundfile, also in datasets derived from them.

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
    """Return the same rows decoded by the option `decode` of `load_dataset`: True keeps the sample type.

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
