"""The chunks of an LZMA2 stream: where decoding may begin in the middle of it, found without decoding.

A stream is a chain of chunks whose headers carry their sizes. A chunk that resets the dictionary refers to nothing
before it, so a decoder may start there. 7-Zip resets it at regular distances when it packs with several threads.

Source:
    LZMA SDK, C/Lzma2Dec.c; liblzma, lzma2_decoder.c.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from toyadmos_datasets.archives.sevenzip.archive_contents import PackedBlock
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeStream, read_exactly
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Restart

CONFIRMING_CHUNKS = 16
"""A reset counts once so many chunks follow it. Random bytes pass for a header every second time, so a chain that
went astray by a wrong size ends before that."""

MANY_CHUNKS = 10_000
FEWEST_BYTES: Bytes = 4096
"""After `MANY_CHUNKS`, a walk goes on only where chunks decode to so many bytes on the average: packers make them of up
to 2 MiB, and reading the headers of crafted ones of a few bytes would take longer than decoding them."""

_HEADER_BYTES = 6
_END = 0x00
_STORED_WITH_RESET = 0x01
_STORED = 0x02
_PACKED = 0x80
_PACKED_WITH_PROPERTIES = 0xC0
_PACKED_WITH_RESET = 0xE0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """One chunk's header.

    Attributes:
        resets: Whether the dictionary is reset.
        n_header_bytes: Size of the header.
        n_packed_bytes: Bytes that follow it.
        n_bytes: Bytes that they decode to.
    """

    resets: bool
    n_header_bytes: Bytes
    n_packed_bytes: Bytes
    n_bytes: Bytes


def walk_restarts(stream: VolumeStream, block: PackedBlock, *, stop: Bytes | None = None) -> Iterator[Restart]:
    """Yield the places of a block whose first coder is LZMA2 at which decoding may begin, as far as headers are sound.

    Only headers are read, one after the other, as the iterator is asked for more. The chain is followed from the
    block's beginning, so packed bytes that look like a reset are never taken for one. Headers can still lie: the CRC32
    of the recordings is what proves a place.

    Args:
        stream: The joined volumes.
        block: The block.
        stop: Where the bytes end that may be read; by default the block's end.
    """
    waiting: deque[tuple[int, Restart]] = deque()
    position, offset, number = block.offset, 0, 0
    end = block.stop if stop is None else min(stop, block.stop)
    while position < end:
        stream.seek(position)
        header = read_exactly(stream, min(_HEADER_BYTES, end - position))
        if header[:1] == bytes([_END]):
            if position + 1 == block.stop and offset == block.sizes[0]:
                yield from (restart for _, restart in waiting)
            return
        chunk = _parsed(header)
        if chunk is None or (number == 0 and not chunk.resets):
            return
        if chunk.resets:
            waiting.append((number, Restart(position=position, offset=offset)))
        position += chunk.n_header_bytes + chunk.n_packed_bytes
        offset += chunk.n_bytes
        if position >= block.stop or offset > block.sizes[0]:
            return
        number += 1
        if number > MANY_CHUNKS and offset < number * FEWEST_BYTES:
            return
        while waiting and number - waiting[0][0] > CONFIRMING_CHUNKS:
            yield waiting.popleft()[1]


def _parsed(header: bytes) -> _Chunk | None:
    """Return what a chunk's header says; None where it is cut or no header."""
    control = header[0] if header else _END
    if control in {_STORED_WITH_RESET, _STORED} and len(header) >= 3:
        n_bytes = int.from_bytes(header[1:3], "big") + 1
        return _Chunk(resets=control == _STORED_WITH_RESET, n_header_bytes=3, n_packed_bytes=n_bytes, n_bytes=n_bytes)
    if control < _PACKED or len(header) < _HEADER_BYTES:
        return None
    return _Chunk(
        resets=control >= _PACKED_WITH_RESET,
        n_header_bytes=6 if control >= _PACKED_WITH_PROPERTIES else 5,
        n_packed_bytes=int.from_bytes(header[3:5], "big") + 1,
        n_bytes=((control & 0x1F) << 16) + int.from_bytes(header[1:3], "big") + 1,
    )
