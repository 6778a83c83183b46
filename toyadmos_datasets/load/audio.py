"""An audio feature for `datasets` that needs soundfile, and neither torch nor FFmpeg."""

from __future__ import annotations

import io
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import soundfile
import soxr

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.signal.resample import QUALITY
from toyadmos_datasets.units import Hertz

_FLAC_DEPTHS = (16, 24)

FloatSamples = npt.NDArray[np.float32]


class SoundfileAudio(datasets.Audio):  # type: ignore[misc]  # datasets has no type annotations to see
    """Decodes a clip to ``{"array", "sampling_rate", "path"}`` with soundfile.

    `array` is float32, mono, shape (n_samples,), full scale +-1. A `sampling_rate` that the clip does not have
    is reached by resampling. What is written to Parquet or to the disk calls itself `Audio`, so that plain
    `datasets` reads it.
    """

    def decode_example(self, value: dict[str, Any], token_per_repo_id: object = None) -> dict[str, Any]:
        """Decode one clip; what is decoded already stays as it is.

        Raises:
            DatasetError: The clip is damaged.
        """
        del token_per_repo_id  # clips are never remote
        if "array" in value:
            return value
        mono, rate_hz = _read(value["bytes"], value["path"])
        if self.sampling_rate and self.sampling_rate != rate_hz:
            mono = soxr.resample(mono, rate_hz, self.sampling_rate, quality=QUALITY)
            rate_hz = self.sampling_rate
        return {"array": mono, "sampling_rate": rate_hz, "path": value["path"]}

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


class SoundfileInfo(datasets.DatasetInfo):  # type: ignore[misc]  # datasets has no type annotations to see
    """Info of a dataset whose audio is decoded by `SoundfileAudio`, and stays so.

    `datasets` gives a copy of its info to every dataset that it derives from another. It takes the features
    anew, from the file, when it finds the result of an earlier `map` in its cache: there the audio is a plain
    `Audio` again, which this puts right.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name == "features" and isinstance(value, datasets.Features):
            value = _with_soundfile(value)
        super().__setattr__(name, value)


def with_soundfile(dataset: datasets.Dataset) -> datasets.Dataset:
    """Return the same rows with their audio decoded by `SoundfileAudio`, here and in all that is made of them."""
    return datasets.Dataset(dataset.data, info=SoundfileInfo(**vars(dataset.info)), split=dataset.split)


def _with_soundfile(features: datasets.Features) -> datasets.Features:
    return datasets.Features(
        {
            name: SoundfileAudio(sampling_rate=feature.sampling_rate)
            if type(feature) is datasets.Audio and feature.decode
            else feature
            for name, feature in features.items()
        }
    )


def _read(content: bytes | None, path: str | None) -> tuple[FloatSamples, Hertz]:
    try:
        return soundfile.read(path if content is None else io.BytesIO(content), dtype="float32")  # type: ignore[no-any-return]
    except soundfile.SoundFileError as error:
        raise DatasetError(
            "A clip cannot be decoded.",
            where=path,
            expected="a whole FLAC or WAV file",
            actual=f"{'no' if content is None else len(content)} bytes: {error}",
            remedy="Look for what else is damaged: toyadmos verify DIR. Then prepare the folder again with the same "
            "command and --overwrite.",
        ) from error


def _encode_scalar(clip: pa.StructScalar) -> dict[str, Any]:
    path = clip["path"].as_py() if "path" in clip else None
    return _encode(clip["array"].values.to_numpy(zero_copy_only=False), clip["sampling_rate"].as_py(), path)


def _encode(mono: npt.NDArray[Any], rate_hz: Hertz, path: str | None) -> dict[str, Any]:
    """Encode without loss: as FLAC of 16 or 24 bits if these hold the samples exactly, else as WAV of floats.

    A clip that was decoded and not changed gets back the bytes that it had.
    """
    file = io.BytesIO()
    samples = mono.astype(np.float32, copy=False)
    for depth in _FLAC_DEPTHS:
        scaled = samples * np.float32(1 << (depth - 1))
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
    soundfile.write(file, samples, int(rate_hz), format="WAV", subtype="FLOAT")
    return {"bytes": file.getvalue(), "path": path}
