"""Clips as people pass them: arrays, decoded audio or a `datasets.Dataset`, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import soxr

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.signal.clip_codec import decode_clip
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.signal.resampling import QUALITY
from toyadmos_datasets.units import Hertz

_INT16_FULL_SCALE = 1 << 15
_LOUDEST = 16.0
"""A float clip may exceed full scale, as mixtures do; 24 dB above it, it is integers that were called floats."""


def decoded(audio: Mapping[str, Any], rate_hz: Hertz) -> FloatArray:
    """Decode the audio of a row to mono samples at a rate, shape (n_samples,), full scale +-1.

    Of a clip with several channels the mean is taken, as ``--channels mix`` takes it.

    Raises:
        DatasetError: It is damaged.
        OptionError: It is decoded already, and no sound.
    """
    if audio.get("array") is not None:
        samples, own_rate_hz = full_scale(audio["array"]), audio["sampling_rate"]
    else:
        samples, own_rate_hz = decode_clip(audio.get("bytes"), audio.get("path"))
    mono = samples if samples.ndim == 1 else samples.mean(axis=0)
    return mono if own_rate_hz == rate_hz else soxr.resample(mono, own_rate_hz, rate_hz, quality=QUALITY)


def mono_clips(clips: Any, rate_hz: Hertz) -> Iterator[FloatArray]:  # noqa: ANN401  # arrays or a Dataset
    """Yield clips, shape (n_samples,), full scale +-1, at a rate.

    Args:
        clips: A `datasets.Dataset` with a column `audio`, decoded audio (`array` and `sampling_rate`), or arrays of
            one channel, which have the rate already; int16 is scaled.
        rate_hz: The rate.

    Raises:
        OptionError: A clip has several channels, is of another type, or is not finite or far above full scale.
    """
    if hasattr(clips, "column_names"):
        import datasets  # noqa: PLC0415  (needed only for a Dataset, whose owner has it)

        for row in clips.select_columns(["audio"]).cast_column("audio", datasets.Audio(decode=False)):
            yield decoded(row["audio"], rate_hz)
        return
    for number, clip in enumerate(clips):
        mono = decoded(clip, rate_hz) if isinstance(clip, Mapping) else full_scale(clip, where=f"clip {number}")
        if mono.ndim != 1:
            raise _refusal(f"clip {number}", "one channel, shape (n_samples,)", f"shape {mono.shape}")
        yield mono


def full_scale(samples: Any, *, where: str = "clip") -> FloatArray:  # noqa: ANN401  # whatever was passed
    """Return samples as float32, full scale +-1; int16 is scaled.

    Raises:
        OptionError: They are of a type whose full scale is not known, not finite, or far above full scale.
    """
    array = np.asarray(samples)
    if array.dtype == np.int16:
        return array.astype(np.float32) / np.float32(_INT16_FULL_SCALE)
    if array.dtype.kind != "f":
        raise _refusal(where, "float samples, full scale +-1, or int16", f"dtype {array.dtype}")
    found = array.astype(np.float32, copy=False)
    peak = float(np.abs(found).max(initial=0.0))
    if not np.isfinite(peak):
        raise _refusal(where, "finite samples", "NaN or infinities")
    if peak > _LOUDEST:
        raise _refusal(where, f"full scale +-1, peaks of at most {_LOUDEST:g}", f"a peak of {peak:g}")
    return found


def _refusal(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "A clip is not what features are made of.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="Pass float arrays of full scale +-1, int16 arrays, or a Dataset with a column audio.",
    )
