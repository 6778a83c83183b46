"""Which coders 7-Zip knows, by number and name, and which of them the standard library decodes."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from typing import Any

from toyadmos_datasets.errors import ArchiveError, UnsupportedMethodError
from toyadmos_datasets.units import Bytes, format_bytes

MAX_DICTIONARY_BYTES = 1 << 30
"""The largest history that a block may ask for: 7-Zip's own levels stop at a quarter of it."""

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
