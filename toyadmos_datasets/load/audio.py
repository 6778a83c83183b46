"""An audio feature for `datasets` that needs soundfile, and neither torch nor FFmpeg."""

from __future__ import annotations

import hashlib
import io
from typing import Any, ClassVar

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import soundfile
import soxr

from toyadmos_datasets.load.decoding import SampleType, decode_clip
from toyadmos_datasets.signal.resample import QUALITY
from toyadmos_datasets.units import Hertz

_FLAC_DEPTHS = (16, 24)


class SoundfileAudio(datasets.Audio):  # type: ignore[misc]  # datasets has no type annotations to see
    """Decodes a clip to ``{"array", "sampling_rate", "path"}`` with soundfile.

    `array` is float32, full scale +-1, shape (n_samples,), or (n_channels, n_samples) where a clip has several
    channels; none is averaged away. A `sampling_rate` that the clip does not have is reached by resampling. What is
    written to Parquet or to the disk calls itself `Audio`, so that plain `datasets` reads it.
    """

    sample_type: ClassVar[SampleType] = "float32"

    def decode_example(self, value: dict[str, Any], token_per_repo_id: object = None) -> dict[str, Any]:
        """Decode one clip; what is decoded already stays as it is.

        Raises:
            DatasetError: The clip is damaged.
        """
        del token_per_repo_id  # clips are never remote
        if "array" in value:
            return value
        samples, rate_hz = decode_clip(value["bytes"], value["path"], self.sample_type)
        if self.sampling_rate and self.sampling_rate != rate_hz:
            samples = soxr.resample(samples.T, rate_hz, self.sampling_rate, quality=QUALITY).T
            rate_hz = self.sampling_rate
        return {"array": samples, "sampling_rate": rate_hz, "path": value["path"]}

    def encode_example(self, value: object) -> dict[str, Any]:
        """Encode what `decode_example` gives; anything else as `datasets.Audio` does."""
        if isinstance(value, dict):
            if "array" in value:
                return _encode(np.asarray(value["array"]), value["sampling_rate"], value.get("path"))
            if value.get("bytes") is not None:
                return {"bytes": value["bytes"], "path": value.get("path")}
        encoded: dict[str, Any] = super().encode_example(value)
        return encoded

    def cast_storage(self, storage: pa.Array) -> pa.StructArray:
        """Turn a column into encoded clips; decoded ones are what a `map` gives that looked at the audio."""
        if pa.types.is_struct(storage.type) and storage.type.get_field_index("array") >= 0:
            encoded = [_encode_scalar(clip) if clip.is_valid else None for clip in storage]
            storage = pa.array(encoded, self.pa_type)
        return super().cast_storage(storage)


class Int16Audio(SoundfileAudio):
    """Decodes as `SoundfileAudio` does, to int16: the integers of a 16-bit clip, as they are stored."""

    sample_type: ClassVar[SampleType] = "int16"


class SoundfileInfo(datasets.DatasetInfo):  # type: ignore[misc]  # datasets has no type annotations to see
    """Info of a dataset whose audio is decoded by `SoundfileAudio`, and stays so.

    `datasets` gives a copy of its info to every dataset that it derives from another. It takes the features
    anew, from the file, when it finds the result of an earlier `map` in its cache: there the audio is a plain
    `Audio` again, which this puts right.
    """

    audio: ClassVar[type[SoundfileAudio]] = SoundfileAudio

    def __setattr__(self, name: str, value: object) -> None:
        if name == "features" and isinstance(value, datasets.Features):
            value = _decoding(value, self.audio)
        super().__setattr__(name, value)


class Int16Info(SoundfileInfo):
    """Info of a dataset whose audio is decoded by `Int16Audio`."""

    audio: ClassVar[type[SoundfileAudio]] = Int16Audio


def info_for(info: datasets.DatasetInfo, *, decode: bool | str) -> datasets.DatasetInfo:
    """Return the same info with the audio decoded by soundfile, as ``int16`` where `decode` says so, or not at all."""
    if decode:
        return (Int16Info if decode == "int16" else SoundfileInfo)(**vars(info))
    encoded = info.copy()
    encoded.features = datasets.Features(
        {
            name: datasets.Audio(sampling_rate=feature.sampling_rate, decode=False) if is_audio(feature) else feature
            for name, feature in info.features.items()
        }
    )
    return encoded


def decoding(loaded: Any, decode: bool | str) -> Any:  # noqa: ANN401, FBT001  # any of the four kinds of datasets
    """Return the same rows with their audio decoded by soundfile, or not at all, also in what is made of them."""
    if isinstance(loaded, dict):
        return type(loaded)({split: decoding(rows, decode) for split, rows in loaded.items()})
    info = info_for(loaded.info, decode=decode)
    if isinstance(loaded, datasets.IterableDataset):
        return datasets.IterableDataset(loaded._ex_iterable, info=info, split=loaded.split)  # noqa: SLF001  # as it does
    # What `map` keeps is found by the fingerprint, and other samples give other results.
    fingerprint = hashlib.sha256(f"{loaded._fingerprint} {decode}".encode()).hexdigest()[:16]  # noqa: SLF001
    return datasets.Dataset(loaded.data, info=info, split=loaded.split, fingerprint=fingerprint)


def is_audio(feature: object) -> bool:
    """Whether a feature is one of clips."""
    return isinstance(feature, datasets.Audio)


def _decoding(features: datasets.Features, audio: type[SoundfileAudio]) -> datasets.Features:
    return datasets.Features(
        {
            name: audio(sampling_rate=feature.sampling_rate)
            if type(feature) is datasets.Audio and feature.decode
            else feature
            for name, feature in features.items()
        }
    )


def _encode_scalar(clip: pa.StructScalar) -> dict[str, Any]:
    path = clip["path"].as_py() if "path" in clip else None
    values = clip["array"].values
    if pa.types.is_list(values.type):  # several channels, each a list
        samples = np.stack([one.values.to_numpy(zero_copy_only=False) for one in values])
    else:
        samples = values.to_numpy(zero_copy_only=False)
    return _encode(samples, clip["sampling_rate"].as_py(), path)


def _encode(samples: npt.NDArray[Any], rate_hz: Hertz, path: str | None) -> dict[str, Any]:
    """Encode without loss: as FLAC of 16 or 24 bits if these hold the samples exactly, else as WAV of floats.

    A clip that was decoded and not changed gets back the samples that it had.
    """
    file = io.BytesIO()
    frames = samples.T
    if samples.dtype == np.int16:
        soundfile.write(file, frames, int(rate_hz), format="FLAC", subtype="PCM_16")
        return {"bytes": file.getvalue(), "path": path}
    frames = frames.astype(np.float32, copy=False)
    for depth in _FLAC_DEPTHS:
        scaled = frames * np.float32(1 << (depth - 1))
        limit = 1 << (depth - 1)
        if (
            np.array_equal(np.rint(scaled), scaled)
            and -limit <= scaled.min(initial=0)
            and scaled.max(initial=0) < limit
        ):
            # libsndfile takes 24-bit samples as the upper bits of 32.
            whole = scaled.astype(np.int16) if depth == 16 else scaled.astype(np.int32) << 8
            soundfile.write(file, whole, int(rate_hz), format="FLAC", subtype=f"PCM_{depth}")
            return {"bytes": file.getvalue(), "path": path}
    soundfile.write(file, frames, int(rate_hz), format="WAV", subtype="FLOAT")
    return {"bytes": file.getvalue(), "path": path}
