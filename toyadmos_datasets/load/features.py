"""What keeps the audio feature with what `datasets` derives: features and an info that every copy goes through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import datasets

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.load.audio import Audio
from toyadmos_datasets.load.decoding import SampleType

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
        """Assign where there is none."""
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
    """Return features whose columns of clips have the sample types of before, also where they are of decoded clips."""
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
