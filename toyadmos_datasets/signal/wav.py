"""Read WAV files as they stream by, and refuse every one that is not exactly what the corpus holds.

Common readers shorten a file silently when its data is cut off, and convert what they were not asked
to. Here the header has to agree with the number of bytes that the source announces before the first
sample is given out, and nothing is ever converted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError, TruncatedWavError, UnsupportedWavError, WavError
from toyadmos_datasets.units import Bytes, Hertz

Samples = npt.NDArray[np.int16]

_SMALLEST: Final = 44
"""Bytes of the RIFF header, a PCM ``fmt`` chunk and the header of ``data``."""

_UNFINISHED: Final = (0, 0xFFFFFFFF)
"""What recorders write as a size before they know it."""

_RIFF_RELATIVES: Final = {b"RIFX", b"RF64", b"BW64", b"FFIR"}
_PCM: Final = 0x0001
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_TAIL: Final = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")
"""What follows the format tag in the GUIDs of WAVE_FORMAT_EXTENSIBLE.

Source:
    Microsoft, "Multiple channel audio data and WAVE files": KSDATAFORMAT_SUBTYPE_PCM and its relatives.
"""

_CODECS: Final = {2: "Microsoft ADPCM", 3: "IEEE float", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3"}
_FETCH_AGAIN: Final = "Fetch or extract this file again; this one is damaged."


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

    def read(self) -> Samples:
        """Collect all samples in one array, shape (n_samples * n_channels,), int16."""
        samples = np.empty(self.n_samples * self.wav_format.n_channels, dtype=np.int16)
        start = 0
        for chunk in self.chunks:
            samples[start : start + len(chunk)] = chunk
            start += len(chunk)
        return samples


def open_wav(chunks: Iterable[bytes], *, name: str, n_bytes: Bytes, expected: WavFormat = CORPUS_FORMAT) -> WavStream:
    """Read the header of a WAV file that streams by; its samples follow as they are asked for.

    Chunks that WAV files may have beside ``fmt`` and ``data`` are passed over, wherever they stand.

    Args:
        chunks: All bytes of the file, cut anywhere.
        name: The file, for errors.
        n_bytes: Size of the file as its source announces it, bytes.
        expected: The only format that is accepted.

    Returns:
        The opened file; its `chunks` raise the same errors as this function.

    Raises:
        TruncatedWavError: The file is shorter than its header or its source says.
        UnsupportedWavError: It is a WAV file, but not of the expected format.
        WavError: It is no WAV file, or its header contradicts itself or the file's size.

    Source:
        IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991: chunks
        are padded to even sizes, sizes are little-endian and leave out the eight bytes of their header.
    """
    reader = _ByteReader(chunks, name=name, n_bytes=n_bytes)
    _read_riff_header(reader)
    data_n_bytes = _find_data(reader, expected)
    frame_n_bytes = expected.n_channels * expected.width_bits // 8
    if data_n_bytes % frame_n_bytes:
        raise reader.damaged(
            "The data of this WAV file ends within a sample.", f"a multiple of {frame_n_bytes}", data_n_bytes
        )
    return WavStream(
        wav_format=expected,
        n_samples=data_n_bytes // frame_n_bytes,
        chunks=_read_samples(reader, data_n_bytes),
    )


class _ByteReader:
    """The bytes of one file, taken from chunks that are cut anywhere."""

    def __init__(self, chunks: Iterable[bytes], *, name: str, n_bytes: Bytes) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self.name = name
        self.n_bytes = n_bytes
        self.n_left = n_bytes

    def pieces(self, n_bytes: int) -> Iterator[memoryview]:
        """Give out the next `n_bytes` bytes in pieces, without copying them."""
        while n_bytes:
            while not self._rest:
                self._rest = memoryview(self._next_chunk())
            piece, self._rest = self._rest[:n_bytes], self._rest[n_bytes:]
            n_bytes -= len(piece)
            self.n_left -= len(piece)
            yield piece

    def take(self, n_bytes: int) -> bytes:
        """Give out the next few bytes in one piece."""
        return b"".join(self.pieces(n_bytes))

    def skip(self, n_bytes: int) -> None:
        """Pass over bytes."""
        for _ in self.pieces(n_bytes):
            pass

    def expect_end(self) -> None:
        """Raise if there is more than the source announced."""
        if self._rest or any(self._chunks):
            raise self.damaged("This WAV file is longer than its source says.", f"{self.n_bytes} bytes", "more")

    def damaged(self, what: str, expected: object, actual: object) -> WavError:
        """Say that a file contradicts itself."""
        return WavError(what, where=self.name, expected=expected, actual=actual, remedy=_FETCH_AGAIN)

    def truncated(self, what: str, expected: object, actual: object) -> TruncatedWavError:
        """Say that a file ends too early."""
        return TruncatedWavError(what, where=self.name, expected=expected, actual=actual, remedy=_FETCH_AGAIN)

    def unsupported(self, what: str, expected: object, actual: object) -> UnsupportedWavError:
        """Say that a file is in order, but not what the corpus has."""
        remedy = "Take the file from the official archive, or convert it yourself: nothing is converted silently."
        return UnsupportedWavError(what, where=self.name, expected=expected, actual=actual, remedy=remedy)

    def _next_chunk(self) -> bytes:
        chunk = next(self._chunks, None)
        if chunk is None:
            n_read = self.n_bytes - self.n_left
            raise self.truncated("This WAV file ends too early.", f"{self.n_bytes} bytes", f"{n_read} bytes")
        return chunk


class _Chunk(NamedTuple):
    tag: bytes
    n_bytes: int


def _read_riff_header(reader: _ByteReader) -> None:
    if reader.n_bytes < _SMALLEST:
        what = "This WAV file is empty." if reader.n_bytes == 0 else "This is too short to be a WAV file."
        raise reader.truncated(what, f"at least {_SMALLEST} bytes", f"{reader.n_bytes} bytes")
    tag, n_riff_bytes, kind = struct.unpack("<4sI4s", reader.take(12))
    if tag in _RIFF_RELATIVES:
        raise reader.unsupported("This kind of WAV file is not supported.", "RIFF", tag.decode())
    if tag != b"RIFF" or kind != b"WAVE":
        raise reader.damaged("This is not a WAV file.", "RIFF .... WAVE", f"{ascii(tag)[1:]} .... {ascii(kind)[1:]}")
    if n_riff_bytes in _UNFINISHED:
        raise reader.damaged(
            "The header of this WAV file was never finished.", f"size {reader.n_bytes - 8}", n_riff_bytes
        )
    if n_riff_bytes > reader.n_bytes - 8:
        raise reader.truncated(
            "This WAV file is shorter than its header says.", f"{n_riff_bytes + 8} bytes", f"{reader.n_bytes} bytes"
        )
    if n_riff_bytes < reader.n_bytes - 8:
        raise reader.damaged(
            "This WAV file is longer than its header says.", f"{n_riff_bytes + 8} bytes", f"{reader.n_bytes} bytes"
        )


def _find_data(reader: _ByteReader, expected: WavFormat) -> int:
    """Read up to the first sample; return the size of the data, bytes."""
    has_format = False
    while reader.n_left:
        chunk = _read_chunk_header(reader)
        if chunk.tag == b"data":
            if not has_format:
                raise reader.damaged("The data of this WAV file comes before its format.", "fmt first", "data first")
            return chunk.n_bytes
        if chunk.tag != b"fmt ":
            _skip_chunk(reader, chunk.n_bytes)
            continue
        if has_format:
            raise reader.damaged("This WAV file has two formats.", "one fmt chunk", "a second one")
        has_format = True
        _check_format(reader, chunk.n_bytes, expected)
    raise reader.damaged("This WAV file has no samples.", "a data chunk", "none")


def _read_chunk_header(reader: _ByteReader) -> _Chunk:
    if reader.n_left < 8:
        raise reader.damaged(
            "There is something unknown in this WAV file.", "the next chunk or the end", reader.take(reader.n_left)
        )
    chunk = _Chunk._make(struct.unpack("<4sI", reader.take(8)))
    if chunk.tag == b"data" and chunk.n_bytes in _UNFINISHED:
        what = "The header of this WAV file was never finished, or there is no sound in it."
        raise reader.damaged(what, f"data of up to {reader.n_left} bytes", f"data of {chunk.n_bytes} bytes")
    if chunk.n_bytes > reader.n_left:
        tag = ascii(chunk.tag)[2:-1].strip()
        what = f"This WAV file ends within its {tag} chunk."
        raise reader.truncated(what, f"{chunk.n_bytes} bytes of {tag}", f"{reader.n_left} bytes")
    return chunk


def _skip_chunk(reader: _ByteReader, n_bytes: int) -> None:
    """Pass over the rest of a chunk and its padding, which some programs leave out at the end of the file."""
    reader.skip(min(n_bytes + n_bytes % 2, reader.n_left))


def _check_format(reader: _ByteReader, n_bytes: int, expected: WavFormat) -> None:
    if n_bytes < 16:
        raise reader.damaged(
            "The format of this WAV file is incomplete.", "at least 16 bytes of fmt", f"{n_bytes} bytes"
        )
    body = reader.take(min(n_bytes, 40))
    reader.skip(n_bytes - len(body) + n_bytes % 2)
    codec, n_channels, rate_hz, _, block_n_bytes, width_bits = struct.unpack_from("<HHIIHH", body)
    if codec == _EXTENSIBLE:
        codec = _codec_of_extensible(reader, body)
    if codec != _PCM:
        raise reader.unsupported("This codec is not supported.", "PCM", _CODECS.get(codec, f"format tag {codec:#06x}"))
    actual = (rate_hz, n_channels, width_bits)
    if actual != (expected.rate_hz, expected.n_channels, expected.width_bits):
        described = f"{rate_hz} Hz, {n_channels} channel(s), {width_bits}-bit PCM"
        raise reader.unsupported("This is not the format that the corpus has.", expected, described)
    frame_n_bytes = n_channels * width_bits // 8
    if block_n_bytes != frame_n_bytes:
        raise reader.damaged(
            "The format of this WAV file contradicts itself.", f"blocks of {frame_n_bytes}", block_n_bytes
        )


def _codec_of_extensible(reader: _ByteReader, body: bytes) -> int:
    """Return the format tag in the GUID of an extensible format."""
    if len(body) < 40:
        raise reader.damaged("The format of this WAV file is incomplete.", "40 bytes of fmt", f"{len(body)} bytes")
    width_bits, valid_bits = struct.unpack_from("<H2xH", body, 14)
    if body[26:] != _SUBFORMAT_TAIL or valid_bits not in {0, width_bits}:
        described = f"{valid_bits} of {width_bits} bits, subformat {body[24:].hex()}"
        raise reader.unsupported("This codec is not supported.", "PCM that uses all its bits", described)
    return int.from_bytes(body[24:26], "little")


def _read_samples(reader: _ByteReader, n_bytes: int) -> Iterator[Samples]:
    half = b""
    for piece in reader.pieces(n_bytes):
        joined = memoryview(half + piece) if half else piece
        n_whole = len(joined) // 2 * 2
        half = bytes(joined[n_whole:])
        if n_whole:
            yield np.require(np.frombuffer(joined[:n_whole], dtype="<i2"), dtype=np.int16, requirements="A")
    while reader.n_left:
        chunk = _read_chunk_header(reader)
        if chunk.tag in {b"data", b"fmt "}:
            raise reader.damaged("This WAV file has a second part.", "the end", f"{chunk.tag.decode().strip()} again")
        _skip_chunk(reader, chunk.n_bytes)
    reader.expect_end()
