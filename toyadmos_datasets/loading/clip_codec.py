"""From the bytes of a clip to samples, and from samples to bytes, without loss."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.units import Hertz

SampleType: TypeAlias = Literal["float32", "int16"]
Samples: TypeAlias = npt.NDArray[Any]

_SCALE = np.float32(1 / 32768)
_PCM = 1
_FITS_INT16 = {"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    rate_hz: Hertz
    n_channels: int
    start: int
    n_bytes: int


def decode_clip(
    content: bytes | memoryview | None, path: str | None, dtype: SampleType = "float32"
) -> tuple[Samples, Hertz]:
    """Decode a clip.

    Args:
        content: The bytes of a FLAC or WAV file; None to read `path`.
        path: What the clip is called, or where it is.
        dtype: ``float32``, full scale +-1, or ``int16``.

    Returns:
        Samples of shape (n_samples,), or (n_channels, n_samples) where there are several channels, and their rate.

    Raises:
        DatasetError: The clip is damaged, or there is none.
        OptionError: It does not fit int16.
    """
    layout = None if content is None else _layout(content)
    if content is None or layout is None:
        return _with_soundfile(content, path, dtype)
    values = np.frombuffer(content, "<i2", layout.n_bytes // 2, layout.start)
    samples = values.copy() if dtype == "int16" else np.multiply(values, _SCALE, dtype=np.float32)
    return _channels_first(samples.reshape(-1, layout.n_channels)), layout.rate_hz


def _channels_first(frames: Samples) -> Samples:
    """Turn (n_samples, n_channels) into (n_channels, n_samples), or (n_samples,) for a single channel."""
    return frames[:, 0] if frames.shape[1] == 1 else np.ascontiguousarray(frames.T)


def _with_soundfile(content: bytes | memoryview | None, path: str | None, dtype: SampleType) -> tuple[Samples, Hertz]:
    import soundfile  # noqa: PLC0415  (WAV of 16 bits does without)

    if content is None and path is None:
        raise DatasetError("A clip has neither bytes nor a path.", where="audio", expected="one of them")
    try:
        with soundfile.SoundFile(path if content is None else io.BytesIO(content)) as file:
            if dtype == "int16" and file.subtype not in _FITS_INT16:
                raise _too_wide(file.subtype, path)
            return _channels_first(file.read(dtype=dtype, always_2d=True)), file.samplerate
    except soundfile.SoundFileError as error:
        raise DatasetError(
            "A clip cannot be decoded.",
            where=path,
            expected="a whole FLAC or WAV file",
            actual=f"{'no' if content is None else len(content)} bytes: {error}",
            remedy="Look for what else is damaged: toyadmos verify DIR. Then prepare the folder again with the same "
            "command and --overwrite.",
        ) from error


def _too_wide(subtype: str, path: str | None) -> OptionError:
    return OptionError(
        "Clips of more than 16 bits do not fit int16.",
        where=path,
        expected="a clip of 16 bits",
        actual=subtype,
        remedy="Decode it to float32, which holds 24 bits exactly: Audio(), or decode_with_soundfile(dataset)",
    )


def _layout(content: bytes | memoryview) -> _Layout | None:
    """Find the samples of a whole 16-bit PCM WAV file; None for anything else, which soundfile may know.

    Source:
        RIFF: chunks of a name, a size and so many bytes, padded to even.
    """
    if bytes(content[:4]) != b"RIFF" or bytes(content[8:12]) != b"WAVE":
        return None
    at, form = 12, None
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        at += 8
        if at + size > len(content):
            return None
        if name == b"fmt " and size >= 16:
            form = struct.unpack_from("<HHIIHH", content, at)
        elif name == b"data" and form is not None:
            kind, n_channels, rate_hz, _, width, bits = form
            if (kind, bits) != (_PCM, 16) or not n_channels or width != 2 * n_channels or size % width:
                return None
            return _Layout(rate_hz=rate_hz, n_channels=n_channels, start=at, n_bytes=size)
        at += size + size % 2
    return None


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
