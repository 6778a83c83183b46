"""The coders of blocks: which 7-Zip knows, and chains of incremental decoders made of the standard library's lzma."""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from toyadmos_datasets.archives.source_reading import PIECE_BYTES
from toyadmos_datasets.errors import ArchiveError, UnsupportedMethodError
from toyadmos_datasets.units import Bytes, format_bytes

MAX_DICTIONARY_BYTES = 1 << 30
"""The largest history that a block may ask for: 7-Zip's own levels stop at a quarter of it."""

MAX_DISTANCE = 4
"""The largest distance of a Delta filter whose history is found from the first bytes of a WAV file."""

_NAMES = {
    "00": "Copy",
    "03": "Delta",
    "04": "BCJ",
    "05": "PPC",
    "06": "IA64",
    "07": "ARM",
    "08": "ARMT",
    "09": "SPARC",
    "0a": "ARM64",
    "0b": "RISCV",
    "21": "LZMA2",
    "020302": "Swap2",
    "020304": "Swap4",
    "030101": "LZMA",
    "03030103": "BCJ",
    "0303011b": "BCJ2",
    "03030205": "PPC",
    "03030401": "IA64",
    "03030501": "ARM",
    "03030701": "ARMT",
    "03030805": "SPARC",
    "030401": "PPMd",
    "040108": "Deflate",
    "040109": "Deflate64",
    "040202": "BZip2",
    "04f71101": "Zstandard",
    "04f71102": "Brotli",
    "04f71104": "LZ4",
    "04f71105": "LZ5",
    "04f71106": "Lizard",
    "06f10701": "AES encryption",
}
"""Names of method numbers.

Source:
    7-Zip, DOC/Methods.txt; the 04f711.. ones from the fork 7-Zip-zstd.
"""

_BRANCH_FILTERS = {
    "BCJ": lzma.FILTER_X86,
    "PPC": lzma.FILTER_POWERPC,
    "IA64": lzma.FILTER_IA64,
    "ARM": lzma.FILTER_ARM,
    "ARMT": lzma.FILTER_ARMTHUMB,
    "SPARC": lzma.FILTER_SPARC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coder:
    """One step of a block's decoding.

    Attributes:
        method: Its number in 7-Zip, hexadecimal.
        properties: Its settings, as they stand in the archive.
    """

    method: str
    properties: bytes = b""

    @property
    def name(self) -> str:
        """Its name in 7-Zip, or its number where that is all there is."""
        return _NAMES.get(self.method, f"method {self.method}")

    @property
    def is_copy(self) -> bool:
        """Whether it leaves the bytes as they are."""
        return self.name == "Copy"

    @property
    def is_compressor(self) -> bool:
        """Whether its input and output differ in length."""
        return self.name in {"LZMA", "LZMA2"}


def require_decodable(coder: Coder, where: object) -> None:
    """Raise unless `lzma_filter` knows what to make of a coder.

    Raises:
        UnsupportedMethodError: Another method, or encryption; it is named.
        ArchiveError: Settings that the method cannot have.
    """
    if not coder.is_copy:
        lzma_filter(coder, where)


def lzma_filter(coder: Coder, where: object = None, *, n_bytes: Bytes | None = None) -> dict[str, Any]:
    """The standard library's description of a coder.

    Args:
        coder: LZMA, LZMA2 or a filter.
        where: The archive, for errors.
        n_bytes: Size of what is decoded; no dictionary needs to be larger.

    Raises:
        UnsupportedMethodError: Another method, or encryption; it is named.
        ArchiveError: Settings that the method cannot have.
    """
    name, properties = coder.name, coder.properties
    if name in _BRANCH_FILTERS and not properties:
        return {"id": _BRANCH_FILTERS[name]}
    if name == "Delta" and len(properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}
    if name == "LZMA2" and len(properties) == 1 and properties[0] <= 40:
        return {"id": lzma.FILTER_LZMA2, "dict_size": _dictionary(coder, where, n_bytes)}
    if name == "LZMA" and len(properties) == 5 and properties[0] < 9 * 5 * 5:
        rest, lc = divmod(properties[0], 9)
        pb, lp = divmod(rest, 5)
        if lc + lp > 4:
            raise _unsupported(f"LZMA with lc={lc} and lp={lp}", where)
        dictionary = _dictionary(coder, where, n_bytes)
        return {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}
    if name in {"Delta", "LZMA", "LZMA2"}:
        raise ArchiveError(
            f"A block has settings that {name} cannot have.",
            where=where,
            actual=properties.hex(" ") or "none",
            remedy="Fetch the archive again from where it was published.",
        )
    raise _unsupported(name if coder.method in name else f"{name} (method {coder.method})", where)


def delta_distance(coders: Sequence[Coder]) -> int | None:
    """Return the distance of the Delta filter of a block in which decoding may begin in the middle, 0 without a filter.

    That is a block of LZMA2, alone or with one Delta whose history the first bytes of a file make known. Any other
    gives None.
    """
    chain = [coder for coder in coders if not coder.is_copy]
    if [coder.name for coder in chain] == ["LZMA2"]:
        return 0
    if [coder.name for coder in chain] == ["LZMA2", "Delta"]:
        distance = chain[1].properties[0] + 1
        return distance if distance <= MAX_DISTANCE else None
    return None


def describe(coders: tuple[Coder, ...]) -> str:
    """Write coders as 7-Zip does: the last one to decode first, ``Delta:2 LZMA2:24``."""
    return " ".join(_describe(coder) for coder in reversed(coders))


def dictionary_bytes(coder: Coder) -> Bytes:
    """The history that LZMA or LZMA2 ask for.

    Source:
        LZMA SDK, C/Lzma2Dec.c: the mantissa is 2 or 3, the exponent half the property.
    """
    if coder.name == "LZMA":
        return int.from_bytes(coder.properties[1:5], "little")
    exponent, odd = divmod(coder.properties[0], 2)
    return min((2 | odd) << (exponent + 11), 0xFFFFFFFF)


def _dictionary(coder: Coder, where: object, n_bytes: Bytes | None) -> Bytes:
    asked = dictionary_bytes(coder)
    needed = asked if n_bytes is None else min(asked, n_bytes)
    if needed > MAX_DICTIONARY_BYTES:
        raise ArchiveError(
            "A block asks for a larger dictionary than is reasonable.",
            where=where,
            expected=f"at most {format_bytes(MAX_DICTIONARY_BYTES)}",
            actual=f"{format_bytes(asked)} ({coder.name})",
            remedy="Pack the recordings again with a smaller one: 7z a -md=64m.",
        )
    return max(needed, 1 << 12)


def _describe(coder: Coder) -> str:
    if coder.name == "Delta":
        return f"Delta:{coder.properties[0] + 1}"
    if not coder.is_compressor:
        return coder.name
    size = dictionary_bytes(coder)
    if size & (size - 1) == 0:
        return f"{coder.name}:{size.bit_length() - 1}"
    shift, unit = next((shift, unit) for shift, unit in ((20, "m"), (10, "k"), (0, "b")) if size % (1 << shift) == 0)
    return f"{coder.name}:{size >> shift}{unit}"


def _unsupported(method: str, where: object) -> UnsupportedMethodError:
    return UnsupportedMethodError(
        f"The archive is packed with {method}, which cannot be read here.",
        where=where,
        expected="LZMA, LZMA2 or Copy, with or without Delta or a branch filter (BCJ, ARM, ARMT, PPC, IA64, SPARC)",
        actual=method,
        remedy="Unpack it with 7-Zip (7z x) and give the folder as the source.",
    )


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
