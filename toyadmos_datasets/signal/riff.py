"""The bytes of a RIFF file as they stream by, and the chunks that they form."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from toyadmos_datasets.errors import TruncatedWavError, UnsupportedWavError, WavError
from toyadmos_datasets.units import Bytes

UNFINISHED: Final = (0, 0xFFFFFFFF)
"""What recorders write as a size before they know it."""

CHUNK_HEADER_BYTES: Final = 8

KNOWN_TAGS: Final = frozenset(
    b"fmt |data|LIST|list|fact|bext|cue |plst|labl|note|smpl|inst|JUNK|junk|PAD |FLLR|PEAK|cart|iXML|axml|chna|afsp|"
    b"minf|elm1|regn|umid|_PMX|DISP|ID3 |id3 ".split(b"|")
)
"""Tags of chunks that WAV files have.

Source:
    IBM and Microsoft 1991; Microsoft's new media types, 1994; EBU Tech 3285; what audio programs write.
"""

_FETCH_AGAIN: Final = "Fetch or extract this file again; this one is damaged."


class Chunk(NamedTuple):
    """The header of a chunk: its tag, and the size of what follows."""

    tag: bytes
    n_bytes: int


class ByteReader:
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
                self._rest = memoryview(self._next_piece())
            piece, self._rest = self._rest[:n_bytes], self._rest[n_bytes:]
            n_bytes -= len(piece)
            self.n_left -= len(piece)
            yield piece

    def take(self, n_bytes: int) -> bytes:
        """Give out the next few bytes in one piece."""
        return b"".join(self.pieces(n_bytes))

    def peek(self, n_bytes: int) -> bytes:
        """Return the next few bytes, or those that are left, and leave them where they are."""
        n_bytes = min(n_bytes, self.n_left)
        while len(self._rest) < n_bytes:
            self._rest = memoryview(bytes(self._rest) + self._next_piece())
        return bytes(self._rest[:n_bytes])

    def skip(self, n_bytes: int) -> bool:
        """Pass over bytes; return whether any of them is not zero."""
        return sum(len(bytes(piece).strip(b"\0")) for piece in self.pieces(n_bytes)) > 0  # to the end, unlike any()

    def skip_padding(self, n_bytes: int) -> bool:
        """Pass over the byte that fills up a chunk of an odd size, and return whether it is there or not needed.

        Where it was left out, the next chunk or the end of the file follows at once.
        """
        if n_bytes % 2 == 0:
            return True
        ahead = self.peek(5)
        if not ahead or (is_tag(ahead[:4]) and ahead[1:] not in KNOWN_TAGS):
            return False
        self.skip(1)
        return True

    def peek_chunk(self) -> Chunk | None:
        """Return the header of the chunk that comes next, if there is room for one, and leave it where it is."""
        ahead = self.peek(CHUNK_HEADER_BYTES)
        return Chunk._make(struct.unpack("<4sI", ahead)) if len(ahead) == CHUNK_HEADER_BYTES else None

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

    def _next_piece(self) -> bytes:
        piece = next(self._chunks, None)
        if piece is None:
            n_read = self.n_bytes - self.n_left + len(self._rest)
            raise self.truncated("This WAV file ends too early.", f"{self.n_bytes} bytes", f"{n_read} bytes")
        return piece


def is_tag(content: bytes) -> bool:
    """Whether four bytes may be the tag of a chunk: tags are printable ASCII."""
    return len(content) == 4 and all(0x20 <= one <= 0x7E for one in content)
