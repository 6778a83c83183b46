"""Read WAV files as they stream by, and refuse every one whose sound is not exactly what the corpus holds.

Common readers shorten a file silently when its data is cut off, and convert what they were not asked
to. Here the header has to agree with the number of bytes that the source announces before the first
sample is given out, and nothing is ever converted.

A header may be odd and the sound whole all the same: a size that counts itself, bytes that a program left
behind the sound. Such files are read, and the stream says what is odd about them (`QUIRKS`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError, TruncatedWavError, WavError
from toyadmos_datasets.signal.riff import CHUNK_HEADER_BYTES, KNOWN_TAGS, UNFINISHED, ByteReader, Chunk, is_tag
from toyadmos_datasets.units import Bytes, Hertz

Samples = npt.NDArray[np.int16]

_SMALLEST: Final = 44
"""Bytes of the RIFF header, a PCM ``fmt`` chunk and the header of ``data``."""

_RIFF_RELATIVES: Final = {b"RIFX", b"RF64", b"BW64", b"FFIR"}
_PCM: Final = 0x0001
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_TAIL: Final = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")
"""What follows the format tag in the GUIDs of WAVE_FORMAT_EXTENSIBLE.

Source:
    Microsoft, "Multiple channel audio data and WAVE files": KSDATAFORMAT_SUBTYPE_PCM and its relatives.
"""

_CODECS: Final = {2: "Microsoft ADPCM", 3: "IEEE float", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3"}

QUIRKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "riff_size": "The RIFF size in the header is not that of the file; the sound is whole.",
        "data_size": "The data size in the header counts a byte of padding; the sound is whole.",
        "padding": "A chunk of an odd size is not padded; the sound is whole.",
        "trailing_bytes": "There are bytes after the sound that are no chunk of a WAV file; the sound is whole.",
        "unfinished": "The data size in the header was never filled in; all that follows it is read as the sound.",
    }
)
"""What may be odd about a header that is read all the same, and the sentence that states it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavFormat:
    """How a WAV file holds its samples.

    Attributes:
        rate_hz: Samples a second; 48 000 throughout the corpus.
        n_channels: Channels in one file; the corpus has a file for each microphone.
        width_bits: Bits a sample, 16.
    """

    rate_hz: Hertz = 48_000
    n_channels: int = 1
    width_bits: int = 16

    def __post_init__(self) -> None:
        if self.width_bits != 16:
            raise OptionError("Only 16-bit samples can be read.", expected=16, actual=self.width_bits)

    def __str__(self) -> str:
        return f"{self.rate_hz} Hz, {self.n_channels} channel(s), {self.width_bits}-bit PCM"

    @property
    def frame_n_bytes(self) -> Bytes:
        """Bytes of one sample on all channels."""
        return self.n_channels * self.width_bits // 8


CORPUS_FORMAT = WavFormat()
"""What every file of the corpus is.

Source:
    Koizumi et al. 2019, section 3; public listings of the archives agree with it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavStream:
    """An opened WAV file whose header is in order.

    Attributes:
        wav_format: Its format, which is the expected one.
        n_samples: Samples on each channel.
        chunks: The samples, int16, one-dimensional, channels interleaved, read-only; to be used up
            once and to its end, since what follows the samples is checked there.
    """

    wav_format: WavFormat
    n_samples: int
    chunks: Iterator[Samples]
    _quirks: set[str] = field(default_factory=set, repr=False)

    @property
    def quirks(self) -> tuple[str, ...]:
        """What is odd about the header, by the names of `QUIRKS`; known once `chunks` is used up."""
        return tuple(name for name in QUIRKS if name in self._quirks)

    def read(self) -> Samples:
        """Collect all samples in one array, shape (n_samples * n_channels,), int16."""
        samples = np.empty(self.n_samples * self.wav_format.n_channels, dtype=np.int16)
        start = 0
        for chunk in self.chunks:
            samples[start : start + len(chunk)] = chunk
            start += len(chunk)
        return samples


def open_wav(
    chunks: Iterable[bytes],
    *,
    name: str,
    n_bytes: Bytes,
    expected: WavFormat = CORPUS_FORMAT,
    is_proved: bool = False,
) -> WavStream:
    """Read the header of a WAV file that streams by; its samples follow as they are asked for.

    Chunks that WAV files may have beside ``fmt`` and ``data`` are passed over, wherever they stand. Quirks of the
    header that leave the sound whole are noted in the stream. A data size that is larger than what is there is
    always an error. Where nothing proves the bytes, a header must not contradict itself about where the sound ends:
    a RIFF size that is the file's promises chunks up to the end, and what is no chunk may be sound that was cut off
    by a damaged data size.

    Args:
        chunks: All bytes of the file, cut anywhere.
        name: The file, for errors.
        n_bytes: Size of the file as its source announces it, bytes.
        expected: The only format that is accepted.
        is_proved: Whether the source compares the bytes with a checksum, so that the header is as it was written.

    Returns:
        The opened file; its `chunks` raise the same errors as this function.

    Raises:
        TruncatedWavError: The file is shorter than its header or its source says.
        UnsupportedWavError: It is a WAV file, but not of the expected format.
        WavError: It is no WAV file, there is no sound in it, or its header contradicts itself.

    Source:
        IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991: chunks
        are padded to even sizes, sizes are little-endian and leave out the eight bytes of their header.
    """
    reader = ByteReader(chunks, name=name, n_bytes=n_bytes)
    wav = _Wav(reader=reader, riff_end=_read_riff_header(reader), is_proved=is_proved)
    data_n_bytes = _find_data(wav, expected)
    return WavStream(
        wav_format=expected,
        n_samples=data_n_bytes // expected.frame_n_bytes,
        chunks=_read_samples(wav, data_n_bytes),
        _quirks=wav.quirks,
    )


@dataclass(slots=True, kw_only=True)
class _Wav:
    """A file that is being read.

    Attributes:
        reader: Its bytes.
        riff_end: Where it ends by its RIFF size; None where that was never filled in.
        is_proved: Whether a checksum proves its bytes.
        quirks: What was found to be odd about its header so far.
    """

    reader: ByteReader
    riff_end: Bytes | None
    is_proved: bool
    quirks: set[str] = field(default_factory=set)

    @property
    def is_shorter_than_riff(self) -> bool:
        """Whether the RIFF size promises more than there is."""
        return self.riff_end is not None and self.riff_end > self.reader.n_bytes

    def skip_padding(self, n_bytes: int) -> None:
        """Pass over the padding of a chunk, and note where it was left out."""
        if not self.reader.skip_padding(n_bytes):
            self.quirks.add("padding")

    def truncated(self, tag: bytes, n_bytes: int) -> TruncatedWavError:
        """Say that a chunk is longer than what is left of the file."""
        if self.is_shorter_than_riff:
            return self.shorter_than_riff()
        shown = ascii(tag)[2:-1].strip()
        what = f"This WAV file ends within its {shown} chunk."
        return self.reader.truncated(what, f"{n_bytes} bytes of {shown}", f"{self.reader.n_left} bytes")

    def shorter_than_riff(self) -> TruncatedWavError:
        """Say that the file ends before its RIFF size does."""
        what = "This WAV file is shorter than its header says."
        return self.reader.truncated(what, f"{self.riff_end} bytes", f"{self.reader.n_bytes} bytes")


def _read_riff_header(reader: ByteReader) -> Bytes | None:
    """Return where the file ends by its RIFF size; None where that was never filled in."""
    if reader.n_bytes < _SMALLEST:
        what = "This WAV file is empty." if reader.n_bytes == 0 else "This is too short to be a WAV file."
        raise reader.truncated(what, f"at least {_SMALLEST} bytes", f"{reader.n_bytes} bytes")
    tag, n_riff_bytes, kind = struct.unpack("<4sI4s", reader.take(12))
    if tag in _RIFF_RELATIVES:
        raise reader.unsupported("This kind of WAV file is not supported.", "RIFF", tag.decode())
    if tag != b"RIFF" or kind != b"WAVE":
        raise reader.damaged("This is not a WAV file.", "RIFF .... WAVE", f"{ascii(tag)[1:]} .... {ascii(kind)[1:]}")
    return None if n_riff_bytes in UNFINISHED else n_riff_bytes + CHUNK_HEADER_BYTES


def _find_data(wav: _Wav, expected: WavFormat) -> Bytes:
    """Read up to the first sample; return how many bytes of sound follow."""
    reader, has_format = wav.reader, False
    while (chunk := reader.peek_chunk()) is not None:
        reader.skip(CHUNK_HEADER_BYTES)
        if chunk.tag == b"data":
            if not has_format:
                raise reader.damaged("The data of this WAV file comes before its format.", "fmt first", "data first")
            return _sound_bytes(wav, chunk, expected.frame_n_bytes)
        if chunk.n_bytes > reader.n_left:
            raise wav.truncated(chunk.tag, chunk.n_bytes)
        if chunk.tag == b"fmt ":
            if has_format:
                raise reader.damaged("This WAV file has two formats.", "one fmt chunk", "a second one")
            has_format = True
            _check_format(reader, chunk.n_bytes, expected)
        else:
            reader.skip(chunk.n_bytes)
        wav.skip_padding(chunk.n_bytes)
    if wav.is_shorter_than_riff:
        raise wav.shorter_than_riff()
    raise reader.damaged("This WAV file has no samples.", "a data chunk", "none")


def _sound_bytes(wav: _Wav, data: Chunk, frame_n_bytes: Bytes) -> Bytes:
    """Return how much of the rest of the file is sound, as far as its header and the bytes that are there agree.

    Whole samples have an even number of bytes. A data size that is odd by one counts a byte of padding, which may
    or may not be there; only a checksum proves that no half of a sample is missing.
    """
    if data.n_bytes in UNFINISHED:
        return _unfinished_bytes(wav, data.n_bytes, frame_n_bytes)
    reader, n_bytes = wav.reader, data.n_bytes
    if wav.is_proved and n_bytes % frame_n_bytes == 1:
        n_bytes -= 1
        wav.quirks.add("data_size")
    if n_bytes > reader.n_left:
        raise wav.truncated(data.tag, data.n_bytes)
    if n_bytes % frame_n_bytes:
        what = "The data of this WAV file ends within a sample."
        raise reader.damaged(what, f"a multiple of {frame_n_bytes}", data.n_bytes)
    if not n_bytes:
        raise _no_sound(reader, data.n_bytes)
    return n_bytes


def _unfinished_bytes(wav: _Wav, n_declared: int, frame_n_bytes: Bytes) -> Bytes:
    """Return the size of sound whose size was never filled in: all whole samples up to the end of the file.

    A chunk that follows a size of 0 at once makes it the true size. A RIFF size that was filled in and is larger than
    the file, by more than the eight bytes that it may wrongly count, says that the file was cut off afterwards.
    """
    reader = wav.reader
    n_bytes = reader.n_left // frame_n_bytes * frame_n_bytes
    next_chunk = reader.peek_chunk() if n_declared == 0 else None
    is_empty = next_chunk is not None and next_chunk.tag in KNOWN_TAGS and _fits(next_chunk, reader)
    if is_empty or not n_bytes:
        raise _no_sound(reader, n_declared)
    is_cut = wav.riff_end is not None and wav.riff_end > reader.n_bytes + CHUNK_HEADER_BYTES
    if is_cut and not wav.is_proved:
        raise wav.truncated(b"data", n_declared)
    wav.quirks.add("unfinished")
    return n_bytes


def _no_sound(reader: ByteReader, n_declared: int) -> WavError:
    what = "There is no sound in this WAV file."
    return reader.damaged(what, "at least one sample", f"data of {n_declared} bytes, and {reader.n_left} bytes left")


def _check_format(reader: ByteReader, n_bytes: int, expected: WavFormat) -> None:
    if n_bytes < 16:
        raise reader.damaged(
            "The format of this WAV file is incomplete.", "at least 16 bytes of fmt", f"{n_bytes} bytes"
        )
    body = reader.take(min(n_bytes, 40))
    reader.skip(n_bytes - len(body))
    codec, n_channels, rate_hz, _, block_n_bytes, width_bits = struct.unpack_from("<HHIIHH", body)
    if codec == _EXTENSIBLE:
        codec = _codec_of_extensible(reader, body)
    if codec != _PCM:
        raise reader.unsupported("This codec is not supported.", "PCM", _CODECS.get(codec, f"format tag {codec:#06x}"))
    actual = (rate_hz, n_channels, width_bits)
    if actual != (expected.rate_hz, expected.n_channels, expected.width_bits):
        described = f"{rate_hz} Hz, {n_channels} channel(s), {width_bits}-bit PCM"
        raise reader.unsupported("This is not the format that the corpus has.", expected, described)
    if block_n_bytes != expected.frame_n_bytes:
        raise reader.damaged(
            "The format of this WAV file contradicts itself.", f"blocks of {expected.frame_n_bytes}", block_n_bytes
        )


def _codec_of_extensible(reader: ByteReader, body: bytes) -> int:
    """Return the format tag in the GUID of an extensible format."""
    if len(body) < 40:
        raise reader.damaged("The format of this WAV file is incomplete.", "40 bytes of fmt", f"{len(body)} bytes")
    width_bits, valid_bits = struct.unpack_from("<H2xH", body, 14)
    if body[26:] != _SUBFORMAT_TAIL or valid_bits not in {0, width_bits}:
        described = f"{valid_bits} of {width_bits} bits, subformat {body[24:].hex()}"
        raise reader.unsupported("This codec is not supported.", "PCM that uses all its bits", described)
    return int.from_bytes(body[24:26], "little")


def _read_samples(wav: _Wav, n_bytes: int) -> Iterator[Samples]:
    half = b""
    for piece in wav.reader.pieces(n_bytes):
        joined = memoryview(half + piece) if half else piece
        n_whole = len(joined) // 2 * 2
        half = bytes(joined[n_whole:])
        if n_whole:
            yield np.require(np.frombuffer(joined[:n_whole], dtype="<i2"), dtype=np.int16, requirements="A")
    _read_tail(wav)


def _read_tail(wav: _Wav) -> None:
    """Read what follows the sound, and note what is odd about it."""
    reader = wav.reader
    if "data_size" in wav.quirks:
        reader.skip_padding(1)
    while (chunk := reader.peek_chunk()) is not None:
        if chunk.tag in {b"data", b"fmt "}:
            raise reader.damaged("This WAV file has a second part.", "the end", f"{chunk.tag.decode().strip()} again")
        if not is_tag(chunk.tag) or not _fits(chunk, reader):
            break
        reader.skip(CHUNK_HEADER_BYTES + chunk.n_bytes)
        wav.skip_padding(chunk.n_bytes)
    end_of_chunks = reader.n_bytes - reader.n_left
    if reader.n_left:
        _skip_trailing_bytes(wav)
    if wav.riff_end not in {end_of_chunks, reader.n_bytes}:
        wav.quirks.add("riff_size")
    reader.expect_end()


def _fits(ahead: Chunk, reader: ByteReader) -> bool:
    """Whether a chunk whose header comes next ends within the file."""
    return ahead.n_bytes <= reader.n_left - CHUNK_HEADER_BYTES


def _skip_trailing_bytes(wav: _Wav) -> None:
    """Pass over bytes that are no chunk, unless they may be sound that a wrong data size cuts off.

    A damaged data size leaves a RIFF size that is exactly the file's. Bytes that were put behind the sound seldom do:
    either the RIFF size was left as it was, or they are zeros, or they begin as a chunk does.
    """
    reader = wav.reader
    n_bytes, begins_as_chunk = reader.n_left, reader.peek(4) in KNOWN_TAGS
    ahead = reader.peek(CHUNK_HEADER_BYTES)
    is_nothing = not reader.skip(n_bytes) or begins_as_chunk
    is_confirmed = wav.is_proved or "unfinished" in wav.quirks or wav.riff_end != reader.n_bytes
    if not (is_nothing or is_confirmed):
        what = "There is something unknown in this WAV file, or its data size is too small."
        raise reader.damaged(what, "the next chunk or the end", f"{n_bytes} bytes that begin with {ahead.hex(' ')}")
    wav.quirks.add("trailing_bytes")
