"""From samples to the bytes of a clip, without loss."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.load.decoding import SampleType
from toyadmos_datasets.units import Hertz

_FLAC_DEPTHS = (16, 24)
_INT16 = np.iinfo(np.int16)


def encode_clip(samples: npt.NDArray[Any], rate_hz: Hertz, sample_type: SampleType) -> bytes:
    """Encode without loss: as FLAC of 16 or 24 bits if these hold the samples exactly, else as WAV of floats.

    A clip that was decoded and not changed gets back the samples that it had.

    Args:
        samples: Shape (n_samples,), or (n_channels, n_samples).
        rate_hz: Their rate.
        sample_type: What they will be decoded to.

    Raises:
        OptionError: They will be decoded to int16, and are not integers of 16 bits.
    """
    if sample_type == "int16":
        samples = _as_int16(samples)
    if samples.dtype == np.int16:
        return _written(samples, rate_hz, "FLAC", "PCM_16")
    samples = samples.astype(np.float32, copy=False)
    for depth in _FLAC_DEPTHS:
        limit = 1 << (depth - 1)
        scaled = samples * np.float32(limit)
        is_exact = np.array_equal(np.rint(scaled), scaled)
        if is_exact and -limit <= scaled.min(initial=0) and scaled.max(initial=0) < limit:
            # libsndfile takes 24-bit samples as the upper bits of 32.
            whole = scaled.astype(np.int16) if depth == 16 else scaled.astype(np.int32) << 8
            return _written(whole, rate_hz, "FLAC", f"PCM_{depth}")
    return _written(samples, rate_hz, "WAV", "FLOAT")


def _as_int16(samples: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    """Return the same integers as int16: formats of `datasets` give them as int64."""
    is_whole = samples.dtype.kind in "iu" or np.array_equal(np.rint(samples), samples)
    if is_whole and samples.min(initial=0) >= _INT16.min and samples.max(initial=0) <= _INT16.max:
        return samples.astype(np.int16, copy=False)
    raise OptionError(
        "Samples do not fit a column that is decoded to int16.",
        where="array",
        expected=f"integers from {_INT16.min} to {_INT16.max}",
        actual=f"{samples.dtype}, {samples.min(initial=0)} to {samples.max(initial=0)}",
        remedy="Round them and convert them to numpy.int16, or load the dataset as float32: decode=True",
    )


def _written(samples: npt.NDArray[Any], rate_hz: Hertz, container: str, subtype: str) -> bytes:
    import soundfile  # noqa: PLC0415  (who leaves the clips as they are does without)

    file = io.BytesIO()
    soundfile.write(file, samples.T, int(rate_hz), format=container, subtype=subtype)
    return file.getvalue()
