"""An audio feature for `datasets` that needs soundfile, and neither torch nor FFmpeg.

Whatever `datasets` derives from a column says in its schema that it is decoded by this type, so that it decodes as
its source did wherever this package is imported, and nowhere else in another way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import datasets
import numpy as np
import pyarrow as pa
from datasets.features import features as feature_types
from datasets.utils.file_utils import is_local_path

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.signal.clip_codec import Samples, SampleType, decode_clip, encode_clip
from toyadmos_datasets.units import Hertz

TYPE_NAME = "ToyAdmosAudio"
"""Name of the feature in schemas; `datasets` without this package refuses it."""


@dataclass
class Audio(datasets.Audio):  # type: ignore[misc]  # datasets has no type annotations to see
    """Decodes a clip to ``{"array", "sampling_rate", "path"}`` with soundfile.

    `array` has the shape (n_samples,), or (n_channels, n_samples) where a clip has several channels; none is averaged
    away. A `sampling_rate` that the clip does not have is reached by resampling.

    Attributes:
        sampling_rate: As `datasets.Audio` has it; None for that of the clip.
        decode: False for ``{"bytes", "path"}``.
        sample_type: ``float32``, full scale +-1, or ``int16``, the integers of a 16-bit clip as they are stored.

    Raises:
        OptionError: There is no such sample type.
    """

    sample_type: SampleType = "float32"
    _type: str = field(default=TYPE_NAME, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.sample_type not in get_args(SampleType):
            raise OptionError(
                "Audio cannot be decoded to this.",
                where="sample_type",
                expected=" or ".join(get_args(SampleType)),
                actual=repr(self.sample_type),
                remedy="Leave it out for float32.",
            )

    def decode_example(self, value: Any, token_per_repo_id: Any = None) -> dict[str, Any]:  # noqa: ANN401  # as its parent's
        """Decode one clip; a clip that is already decoded correctly stays as it is.

        Raises:
            DatasetError: The clip is damaged or missing.
            OptionError: It does not fit the sample type, or has other channels than requested.
        """
        if not self.decode:
            raise RuntimeError("Decoding is disabled for this feature. Please use Audio(decode=True) instead.")
        if not isinstance(value, dict) or "array" in value:
            if self._is_decoded(value):
                return dict(value)
            value = self.encode_example(value)
        content, path = value["bytes"], value["path"]
        if content is None and path is not None and not is_local_path(path):
            content = self.embed_storage(pa.array([value], self.pa_type), token_per_repo_id)[0]["bytes"].as_py()
        samples, rate_hz = decode_clip(content, path, self.sample_type)
        if getattr(self, "num_channels", None) or self.stream_index:  # the oldest datasets does not have both
            self._require_channels(samples, path)
        if self.sampling_rate and self.sampling_rate != rate_hz:
            samples, rate_hz = _resampled(samples, rate_hz, self.sampling_rate), self.sampling_rate
        return {"array": samples, "sampling_rate": rate_hz, "path": path}

    def encode_example(self, value: Any) -> dict[str, Any]:  # noqa: ANN401  # as its parent's
        """Encode samples, or take bytes and paths as they are.

        Samples become WAV, which decodes fastest, or FLAC where their path ends with ``.flac``, as those of a
        dataset that was prepared so do.

        Args:
            value: What `decode_example` gives, ``{"bytes", "path"}``, a path, bytes, or torchcodec's decoder.

        Raises:
            OptionError: It is of another kind, or does not fit the sample type.
        """
        if isinstance(value, (str, PathLike)):
            return {"bytes": None, "path": value if isinstance(value, str) else str(Path(value).absolute())}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": bytes(value), "path": None}
        if isinstance(value, dict) and value.get("array") is not None:
            return self._encoded(value["array"], value["sampling_rate"], value.get("path"))
        if isinstance(value, dict) and (value.get("bytes") is not None or value.get("path") is not None):
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        if hasattr(value, "get_all_samples"):
            return self._encoded_of_torchcodec(value)
        raise OptionError(
            "This is no clip.",
            where="audio",
            expected="{'array', 'sampling_rate'}, {'bytes', 'path'}, a path or bytes",
            actual=sorted(value) if isinstance(value, dict) else type(value).__name__,
        )

    def cast_storage(self, storage: pa.Array) -> pa.StructArray:
        """Turn a column into encoded clips; decoded ones are what a `map` gives that changed the audio."""
        if not pa.types.is_struct(storage.type):
            return super().cast_storage(storage)
        names = {storage.type.field(number).name for number in range(storage.type.num_fields)}
        if "array" in names:
            clips = [None if clip is None else self.encode_example(_samples_of(clip)) for clip in _rows(storage)]
            return pa.array(clips, self.pa_type)
        if not names & {"bytes", "path"}:
            raise pa.ArrowTypeError(f"Couldn't cast {storage.type} to clips")
        return super().cast_storage(storage)

    def _is_decoded(self, value: Any) -> bool:  # noqa: ANN401  # as above
        if not isinstance(value, dict) or getattr(value["array"], "dtype", None) != np.dtype(self.sample_type):
            return False
        return self.sampling_rate in (None, value["sampling_rate"])

    def _encoded(self, array: Any, rate_hz: Hertz, path: str | None) -> dict[str, Any]:  # noqa: ANN401  # or a list
        container = "FLAC" if path is not None and path.endswith(".flac") else "WAV"
        return {"bytes": encode_clip(np.asarray(array), int(rate_hz), self.sample_type, container), "path": path}

    def _encoded_of_torchcodec(self, decoder: Any) -> dict[str, Any]:  # noqa: ANN401  # torchcodec need not be there
        encoded: dict[str, Any] | None = getattr(decoder, "_hf_encoded", None)
        if encoded is not None:
            return encoded
        samples = decoder.get_all_samples()
        array = samples.data.cpu().numpy()
        return self._encoded(array[0] if len(array) == 1 else array, samples.sample_rate, None)

    def _require_channels(self, samples: Samples, path: str | None) -> None:
        """Raise if the number of channels differs from the requested one: channels are neither averaged nor added."""
        asked = getattr(self, "num_channels", None)
        n_channels = 1 if samples.ndim == 1 else len(samples)
        if asked in (None, n_channels) and not self.stream_index:
            return
        raise OptionError(
            "Channels are neither mixed nor made up.",
            where=path,
            expected=f"num_channels={n_channels}, or none, and no stream_index",
            actual=f"num_channels={asked}, stream_index={self.stream_index}",
            remedy="Leave them out, and choose from the array: clip['array'][0]",
        )


def _resampled(samples: Samples, rate_hz: Hertz, asked_hz: Hertz) -> Samples:
    import soxr  # noqa: PLC0415  (needed only for another rate)

    from toyadmos_datasets.signal.resampling import QUALITY  # noqa: PLC0415  (as above)

    resampled: Samples = soxr.resample(samples.T, rate_hz, asked_hz, quality=QUALITY).T
    return resampled


def _rows(storage: pa.StructArray) -> list[pa.StructScalar | None]:
    return [clip if clip.is_valid else None for clip in storage]


def _samples_of(clip: pa.StructScalar) -> dict[str, Any]:
    """Return a row of a column of decoded clips; rows that `map` left alone are encoded still."""
    fields = {name: clip[name] for name in clip}
    values = fields.pop("array").values
    value = {name: scalar.as_py() for name, scalar in fields.items()}
    if values is None:
        return value
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):  # several channels, each a list
        return value | {"array": np.stack([one.values.to_numpy(zero_copy_only=False) for one in values])}
    return value | {"array": values.to_numpy(zero_copy_only=False)}


# Without the wrapper, which warns of what is experimental.
getattr(feature_types.register_feature, "__wrapped__", feature_types.register_feature)(Audio, TYPE_NAME)
