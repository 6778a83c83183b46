"""Clips back as the integers that are stored, from bytes of FLAC or WAV, and the hash that tells equal sound."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile

from toyadmos_datasets.errors import WavError
from toyadmos_datasets.signal.levels import Levels, count_full_scale, health_flags, measure
from toyadmos_datasets.units import Hertz

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


def decode(file: BinaryIO, *, name: str) -> Pcm:
    """Read a whole FLAC or WAV file.

    16 and 24 bits come as they are; other widths and floats are rounded to 24.

    Args:
        file: Its bytes.
        name: What to call it in an error.

    Raises:
        WavError: It is neither, is damaged, or is empty.
    """
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
    """Refuse a WAV file that is shorter than its header says: libsndfile would take what there is without a word."""
    start = file.read(8)
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    n_said = 8 + int.from_bytes(start[4:], "little")
    if start[:4] == b"RIFF" and n_bytes < n_said:
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
