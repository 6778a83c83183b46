"""The one codec of clips: from the bytes of FLAC or WAV to samples, and from samples to bytes, without loss.

`decode_clip` returns floats, for training. `decode_pcm` returns the stored integers, for checks.
soundfile is imported where it is needed: PCM WAV of 16 or 24 bits is decoded without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import DatasetError, OptionError, WavError
from toyadmos_datasets.options.render_options import Encoding
from toyadmos_datasets.signal.levels import Levels, count_full_scale, health_flags, measure
from toyadmos_datasets.units import Hertz

if TYPE_CHECKING:
    import soundfile

SampleType: TypeAlias = Literal["float32", "int16"]
Samples: TypeAlias = npt.NDArray[Any]

_SCALES = {16: np.float32(1 / (1 << 15)), 24: np.float32(1 / (1 << 31))}
"""From the integers that `_integers_of` gives to full scale +-1, by bit depth; powers of two, so exact."""

_PCM = 1
_UNKNOWN_SIZE = 0xFFFFFFFF
"""What programs write that cannot go back to the header, as into a pipe."""

_FITS_INT16 = {"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    rate_hz: Hertz
    n_channels: int
    bit_depth: int
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
    if dtype == "int16" and layout.bit_depth != 16:
        raise _too_wide(f"PCM_{layout.bit_depth}", path)
    values = _integers_of(content, layout)
    samples = values.copy() if dtype == "int16" else np.multiply(values, _SCALES[layout.bit_depth], dtype=np.float32)
    return _channels_first(samples.reshape(-1, layout.n_channels)), layout.rate_hz


def view_clip(content: bytes | memoryview, path: str | None) -> tuple[Samples, float]:
    """Return the samples of a clip without decoding them, if it is WAV of 16 bits; else decoded to float32.

    Args:
        content: The bytes of a FLAC or WAV file.
        path: What the clip is called.

    Returns:
        Samples, read-only, of shape (n_samples,) or (n_channels, n_samples), and the factor that makes full scale +-1
        of them.

    Raises:
        DatasetError: The clip is damaged.
    """
    layout = _layout(content)
    if layout is None or layout.bit_depth != 16:
        return decode_clip(content, path)[0], 1.0
    frames = _integers_of(content, layout).reshape(-1, layout.n_channels)
    return frames[:, 0] if layout.n_channels == 1 else frames.T, float(_SCALES[16])


def _integers_of(content: bytes | memoryview, layout: _Layout) -> npt.NDArray[np.int16] | npt.NDArray[np.int32]:
    """Return the samples of a WAV file: of 16 bits as they lie there, of 24 bits in the upper bits of 32.

    Four little-endian bytes from one byte before a sample of 24 bits are that sample, shifted up by 8, and a byte of
    what stands before it, which is masked out. A header stands before the first sample, so that byte exists.
    """
    if layout.bit_depth == 16:
        return np.frombuffer(content, "<i2", layout.n_bytes // 2, layout.start)
    words = np.ndarray(layout.n_bytes // 3, "<i4", content, layout.start - 1, (3,))
    return words & ~0xFF


def _channels_first(frames: Samples) -> Samples:
    """Turn (n_samples, n_channels) into (n_channels, n_samples), or (n_samples,) for a single channel."""
    return frames[:, 0] if frames.shape[1] == 1 else np.ascontiguousarray(frames.T)


def _with_soundfile(content: bytes | memoryview | None, path: str | None, dtype: SampleType) -> tuple[Samples, Hertz]:
    with _opened(content, path) as file:
        if dtype == "int16" and file.subtype not in _FITS_INT16:
            raise _too_wide(file.subtype, path)
        return _channels_first(file.read(dtype=dtype, always_2d=True)), file.samplerate


@contextlib.contextmanager
def _opened(content: bytes | memoryview | None, path: str | None) -> Iterator[soundfile.SoundFile]:
    """Open a clip; whatever fails until it is closed is one error."""
    import soundfile  # noqa: PLC0415

    if content is None and path is None:
        raise DatasetError("A clip has neither bytes nor a path.", where="audio", expected="one of them")
    if content is not None and len(content) < (n_said := _said_by_riff(bytes(content[:8]))):
        raise _undecodable(content, path, f"cut, its header says {n_said}")
    try:
        with soundfile.SoundFile(path if content is None else io.BytesIO(content)) as file:
            yield file
    except soundfile.SoundFileError as error:
        raise _undecodable(content, path, error) from error


def _said_by_riff(start: bytes) -> int:
    """Return how many bytes a WAV file says that it has: libsndfile takes one that is cut without a word.

    Args:
        start: Its first 8 bytes.

    Returns:
        Its size; 0 for anything but RIFF, and for a size that its writer did not know.
    """
    size = int.from_bytes(start[4:8], "little")
    return 8 + size if start[:4] == b"RIFF" and size != _UNKNOWN_SIZE else 0


def _undecodable(content: bytes | memoryview | None, path: str | None, actual: object) -> DatasetError:
    return DatasetError(
        "A clip cannot be decoded.",
        where=path,
        expected="a whole FLAC or WAV file",
        actual=f"{'no' if content is None else len(content)} bytes: {actual}",
        remedy="Look for what else is damaged: toyadmos verify DIR. Then prepare the folder again with the same "
        "command and --overwrite.",
    )


def _too_wide(subtype: str, path: str | None) -> OptionError:
    return OptionError(
        "Clips of more than 16 bits do not fit int16.",
        where=path,
        expected="a clip of 16 bits",
        actual=subtype,
        remedy="Decode it to float32, which holds 24 bits exactly: Audio(), or decode_with_soundfile(dataset)",
    )


def _layout(content: bytes | memoryview) -> _Layout | None:
    """Find the samples of a whole PCM WAV file of 16 or 24 bits; None for anything else, which soundfile may know.

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
            is_known = kind == _PCM and bits in _SCALES and n_channels
            if not is_known or width != bits // 8 * n_channels or size % width:
                return None
            return _Layout(rate_hz=rate_hz, n_channels=n_channels, bit_depth=bits, start=at, n_bytes=size)
        at += size + size % 2
    return None


_DEPTHS = (16, 24)
_INT16 = np.iinfo(np.int16)
_INT16_BYTES = 2


def encode_clip(samples: npt.NDArray[Any], rate_hz: Hertz, sample_type: SampleType, container: str = "WAV") -> bytes:
    """Encode without loss: as integers of 16 or 24 bits if these hold the samples exactly, else as WAV of floats.

    A clip that was decoded and not changed gets back the samples that it had.

    Args:
        samples: Shape (n_samples,), or (n_channels, n_samples).
        rate_hz: Their rate.
        sample_type: What they will be decoded to.
        container: ``WAV`` or ``FLAC``, for integers.

    Raises:
        OptionError: They will be decoded to int16, and are not integers of 16 bits.
    """
    if sample_type == "int16":
        samples = _as_int16(samples)
    if samples.dtype == np.int16:
        return write_clip(samples, rate_hz, container, "PCM_16")
    samples = samples.astype(np.float32, copy=False)
    for depth in _DEPTHS:
        limit = 1 << (depth - 1)
        scaled = samples * np.float32(limit)
        is_exact = np.array_equal(np.rint(scaled), scaled)
        if is_exact and -limit <= scaled.min(initial=0) and scaled.max(initial=0) < limit:
            # libsndfile takes 24-bit samples as the upper bits of 32.
            whole = scaled.astype(np.int16) if depth == 16 else scaled.astype(np.int32) << 8
            return write_clip(whole, rate_hz, container, f"PCM_{depth}")
    return write_clip(samples, rate_hz, "WAV", "FLOAT")


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


def encode_stored(
    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32], encoding: Encoding
) -> tuple[npt.NDArray[np.uint8], ...]:
    """Return the bytes of a clip as a dataset stores it, in parts that follow each other.

    WAV of 16 bits is not copied: its samples are the second part as they lie in memory.

    Args:
        samples: Integers of the encoding's bit depth, shape (n_samples,) or (n_channels, n_samples).
        encoding: Container, bit depth and rate.
    """
    if encoding.bit_depth == 16:
        narrow = samples.astype(np.int16, copy=False)
        if encoding.container == "wav":
            return _wav_of(narrow, encoding.rate_hz)
        content = write_clip(narrow, encoding.rate_hz, encoding.container.upper(), "PCM_16")
    else:
        whole = samples.astype(np.int32, copy=False) << 8  # libsndfile takes 24-bit samples as the upper bits of 32
        content = write_clip(whole, encoding.rate_hz, encoding.container.upper(), f"PCM_{encoding.bit_depth}")
    return (np.frombuffer(content, np.uint8),)


def _wav_of(samples: npt.NDArray[np.int16], rate_hz: Hertz) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return header and samples of a WAV file of 16 bits: the bytes that libsndfile writes, without going through it.

    Source:
        RIFF: a header of 44 bytes, then the samples of all channels in turn.
    """
    n_channels = 1 if samples.ndim == 1 else len(samples)
    frames = samples if samples.ndim == 1 else np.ascontiguousarray(samples.T)
    n_bytes, width = samples.size * _INT16_BYTES, n_channels * _INT16_BYTES
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", n_bytes + 36, b"WAVE", b"fmt ", 16),
        *(_PCM, n_channels, int(rate_hz), int(rate_hz) * width, width, 8 * _INT16_BYTES),
        *(b"data", n_bytes),
    )
    return np.frombuffer(header, np.uint8), frames.astype("<i2", copy=False).reshape(-1).view(np.uint8)


def write_clip(samples: npt.NDArray[Any], rate_hz: Hertz, container: str, subtype: str) -> bytes:
    """Return the bytes of an audio file.

    Args:
        samples: Shape (n_samples,), or (n_channels, n_samples); of 24 bits, the upper bits of 32.
        rate_hz: Their rate.
        container: ``FLAC`` or ``WAV``.
        subtype: ``PCM_16``, ``PCM_24`` or ``FLOAT``.
    """
    import soundfile  # noqa: PLC0415

    file = io.BytesIO()
    soundfile.write(file, samples.T, int(rate_hz), format=container, subtype=subtype)
    return file.getvalue()


def rewrite_as_wav(content: bytes, name: str, n_samples: int | None = None) -> tuple[bytes, int]:
    """Return a clip as the bytes of a WAV file of the same integers, and its length in samples.

    Args:
        content: The bytes of a FLAC or WAV file.
        name: What the clip is called.
        n_samples: Where to cut it; None to leave it whole.

    Raises:
        DatasetError: It is damaged.
    """
    with _opened(content, name) as file:
        frames = file.read(-1 if n_samples is None else n_samples, dtype="int32", always_2d=True)
        return write_clip(frames.T, file.samplerate, "WAV", file.subtype), len(frames)


def clip_format(content: bytes, name: str) -> tuple[Hertz, int]:
    """Return the rate and the number of channels of a clip.

    Raises:
        DatasetError: It is damaged.
    """
    with _opened(content, name) as file:
        return file.samplerate, file.channels


DIGEST_BYTES = 16
"""128 bits of BLAKE2b: among a billion clips, two different ones share a hash with a chance of 1e-21."""

_DEEPEST = 24
"""Bits that other widths and floats are rounded to; float32 itself holds no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pcm:
    """A decoded clip.

    Attributes:
        samples: Integers of `bit_depth` bits, shape (n_samples, n_channels), int16 or int32.
        rate_hz: Sampling rate.
        bit_depth: 16 or 24.
    """

    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32]
    rate_hz: Hertz
    bit_depth: int

    @property
    def n_channels(self) -> int:
        """How many microphones are in it."""
        return int(self.samples.shape[1])

    @property
    def full_scale(self) -> int:
        """The integer that stands for 1.0."""
        return 1 << (self.bit_depth - 1)

    @property
    def digest(self) -> bytes:
        """Hash of the samples, whatever file they were in; of width, channels and every value."""
        state = hashlib.blake2b(f"{self.bit_depth} {self.n_channels} ".encode(), digest_size=DIGEST_BYTES)
        state.update(
            np.ascontiguousarray(self.samples.astype("<i2" if self.bit_depth == 16 else "<i4", copy=False)).data
        )
        return state.digest()

    def measured(self) -> Levels:
        """Measure all channels together: the levels are those of the mean power."""
        interleaved = self.samples.reshape(-1)
        return measure(interleaved, self.rate_hz * self.n_channels, full_scale=self.full_scale)

    def flags(self, levels: Levels) -> list[str]:
        """Name what is odd about the clip, as `health_flags` does."""
        narrow = self.samples if self.bit_depth == 16 else self.samples >> (self.bit_depth - 16)
        return health_flags(levels, count_full_scale(narrow.astype(np.int16, copy=False).reshape(-1)))


def decode_pcm(file: BinaryIO, *, name: str) -> Pcm:
    """Read a whole FLAC or WAV file as the integers that are stored.

    16 and 24 bits come as they are; other widths and floats are rounded to 24.

    Args:
        file: Its bytes.
        name: What to call it in an error.

    Raises:
        WavError: It is neither, is damaged, or is empty.
    """
    import soundfile  # noqa: PLC0415

    _refuse_cut_wav(file, name)
    try:
        with soundfile.SoundFile(file) as sound:
            n_promised = sound.frames
            depth = 16 if sound.subtype == "PCM_16" else _DEEPEST
            samples = _integers(sound, depth)
            rate_hz = int(sound.samplerate)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise _unreadable(name, error) from error
    if not len(samples) or len(samples) != n_promised:
        raise _unreadable(name, f"{len(samples)} of {n_promised} samples")
    return Pcm(samples=samples, rate_hz=rate_hz, bit_depth=depth)


def _refuse_cut_wav(file: BinaryIO, name: str) -> None:
    """Refuse a WAV file that is shorter than its header says."""
    start = file.read(8)
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    n_said = _said_by_riff(start)
    if n_bytes < n_said:
        raise _unreadable(name, f"{n_bytes} bytes of the {n_said} that its header says")


def _integers(sound: soundfile.SoundFile, depth: int) -> npt.NDArray[np.int16] | npt.NDArray[np.int32]:
    if depth == 16:
        return sound.read(dtype="int16", always_2d=True)  # type: ignore[no-any-return]
    if sound.subtype == f"PCM_{depth}":
        wide: npt.NDArray[np.int32] = sound.read(dtype="int32", always_2d=True)  # in the upper bits
        return wide >> (32 - depth)
    floats: npt.NDArray[np.float64] = sound.read(dtype="float64", always_2d=True)
    full_scale = 1 << (depth - 1)
    return np.clip(np.rint(floats * full_scale), -full_scale, full_scale - 1).astype(np.int32)


def _unreadable(name: str, actual: object) -> WavError:
    return WavError(
        "A clip cannot be decoded.",
        where=name,
        expected="a whole FLAC or WAV file",
        actual=actual,
        remedy="Make or fetch it again; this one is damaged.",
    )
