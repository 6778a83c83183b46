"""A block's coders as one chain of incremental decoders, made of the standard library's lzma alone."""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from toyadmos_datasets.archive.methods import Coder, lzma_filter
from toyadmos_datasets.archive.reading import PIECE_BYTES
from toyadmos_datasets.units import Bytes

ReadBytes: TypeAlias = Callable[[int], bytes]
"""Gives between 1 and the asked-for number of bytes, none only at the end."""

_MAX_FILTERS = 4
"""liblzma's limit for one chain."""
_CHUNK_BYTES = 1 << 16
"""The most that one uncompressed LZMA2 chunk holds."""


class _Decoder(Protocol):
    """What lzma.LZMADecompressor offers."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def open_chain(coders: Sequence[Coder], sizes: Sequence[Bytes], read_packed: ReadBytes) -> ReadBytes:
    """Build the decoder of one block.

    Neighbouring coders become one chain of liblzma where that is sound, so that a usual block costs one
    call into it a piece.

    Args:
        coders: In the order of decoding.
        sizes: What each of them gives, bytes.
        read_packed: Where the first of them reads from.

    Returns:
        A function that decodes on, to be asked for any number of bytes at a time.
    """
    read = read_packed
    for group, n_bytes in _group(coders, sizes):
        filters = [lzma_filter(coder, n_bytes=n_bytes) for coder in reversed(group)]
        decoder = _raw(filters) if group[0].is_compressor else _FilterDecoder(filters, n_bytes)
        read = _Stage(decoder, read, n_bytes).read
    return read


def _group(coders: Sequence[Coder], sizes: Sequence[Bytes]) -> list[tuple[list[Coder], Bytes]]:
    groups: list[tuple[list[Coder], Bytes]] = []
    for coder, n_bytes in zip(coders, sizes, strict=True):
        if coder.is_copy:
            continue
        if groups and not coder.is_compressor and _can_join(groups[-1][0], coder):
            groups[-1][0].append(coder)
        else:
            groups.append(([coder], n_bytes))
    return groups


def _can_join(group: list[Coder], coder: Coder) -> bool:
    """Whether a filter can decode in the same chain as the coders before it.

    liblzma's branch filters read ahead of what they give and hold the last bytes back until their input
    says that it has ended. LZMA as 7-Zip writes it never says so: only Delta, which does neither, may
    follow it directly. LZMA2 ends with a marker.
    """
    if not group[0].is_compressor:
        return len(group) + 1 < _MAX_FILTERS
    return len(group) < _MAX_FILTERS and (group[0].name == "LZMA2" or coder.name == "Delta")


def _raw(filters: list[dict[str, Any]]) -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


class _Stage:
    """One decoder, fed from the one before it as it asks for more."""

    __slots__ = ("_decoder", "_left", "_read_packed")

    def __init__(self, decoder: _Decoder, read_packed: ReadBytes, n_bytes: Bytes) -> None:
        self._decoder = decoder
        self._read_packed = read_packed
        self._left = n_bytes

    def read(self, n_bytes: Bytes) -> bytes:
        """Decode between 1 and `n_bytes` bytes, none only at the end.

        Never past the size that the archive gives: LZMA without an end marker would go on into noise.
        """
        decoder = self._decoder
        limit = min(n_bytes, self._left)
        while limit and not decoder.eof:
            starved = decoder.needs_input
            packed = self._read_packed(PIECE_BYTES) if starved else b""
            decoded = decoder.decompress(packed, limit)
            if decoded:
                self._left -= len(decoded)
                return decoded
            if starved and not packed:
                break
        return b""


class _FilterDecoder:
    """Filters without a compressor of their own, which liblzma only knows as a part of a chain.

    Their input is dressed as LZMA2 chunks that hold it uncompressed, so a decoder of LZMA2 hands it on as
    it is and, by the end marker, tells the filters to give out what they hold back.

    Source:
        A chunk begins with 1 (the first, which resets the dictionary) or 2, and its size less one in 16
        bits, big-endian; 0 ends the stream: LZMA SDK, C/Lzma2Dec.c.
    """

    __slots__ = ("_control", "_decoder", "_left")

    def __init__(self, filters: list[dict[str, Any]], n_bytes: Bytes) -> None:
        self._decoder = _raw([*filters, {"id": lzma.FILTER_LZMA2, "dict_size": _CHUNK_BYTES}])
        self._left = n_bytes
        self._control = b"\1"

    @property
    def eof(self) -> bool:
        """Whether the last byte was given out."""
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing left to filter."""
        return self._decoder.needs_input

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Filter `data` after what came before it."""
        return self._decoder.decompress(self._dress(data) if data else b"", max_length)

    def _dress(self, data: bytes) -> bytes:
        parts = []
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            parts += [self._control, (len(chunk) - 1).to_bytes(2, "big"), chunk]
            self._control = b"\2"
        self._left -= len(data)
        if self._left <= 0:
            parts.append(b"\0")
        return b"".join(parts)
