"""7z archives made byte by byte, so that tests can make them wrong in any place."""

from __future__ import annotations

import lzma
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE_MODE = (0o100644 << 16) | 0x8000
COPY = (b"\x00", b"")
LZMA2 = (b"\x21", b"\x0c")
DELTA = (b"\x03", b"\x01")
AES = (b"\x06\xf1\x07\x01", b"\x00")


@dataclass
class CraftedFile:
    """One file; crc, size and attributes may lie."""

    name: str
    data: bytes = b""
    crc32: int | None = None
    n_bytes: int | None = None
    attributes: int = FILE_MODE

    @property
    def size(self) -> int:
        return len(self.data) if self.n_bytes is None else self.n_bytes


@dataclass
class CraftedFolder:
    """One solid block; what is not given is true."""

    files: list[CraftedFile]
    coders: list[tuple[bytes, bytes]] = field(default_factory=lambda: [COPY])
    packed: bytes | None = None
    sizes: list[int] | None = None
    bindings: list[tuple[int, int]] | None = None
    pack_size: int | None = None
    coder_bytes: bytes | None = None

    @property
    def data(self) -> bytes:
        return b"".join(file.data for file in self.files)

    def coders_as_bytes(self) -> bytes:
        if self.coder_bytes is not None:
            return self.coder_bytes
        bindings = [(n + 1, n) for n in range(len(self.coders) - 1)] if self.bindings is None else self.bindings
        out = number(len(self.coders))
        for method, properties in self.coders:
            out += bytes([len(method) | (0x20 if properties else 0)]) + method
            out += number(len(properties)) + properties if properties else b""
        return out + b"".join(number(reader) + number(writer) for reader, writer in bindings)


def number(value: int) -> bytes:
    """7-Zip's variable-length number, always in its longest form but for small ones."""
    return bytes([value]) if value < 0x80 else b"\xff" + struct.pack("<Q", value)


def bits(values: list[bool]) -> bytes:
    padded = values + [False] * (-len(values) % 8)
    return bytes(sum(bit << (7 - n) for n, bit in enumerate(padded[i : i + 8])) for i in range(0, len(padded), 8))


def prop(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + number(len(content)) + content


def header(folders: list[CraftedFolder], empty: list[CraftedFile], *, with_crcs: bool = True) -> bytes:
    """The plain header of an archive whose packed streams begin right after the first 32 bytes."""
    out = b"\x01"
    if folders:
        packs = [len(packed(one)) if one.pack_size is None else one.pack_size for one in folders]
        out += b"\x04\x06" + number(0) + number(len(folders)) + b"\x09" + b"".join(map(number, packs)) + b"\x00"
        out += b"\x07\x0b" + number(len(folders)) + b"\x00" + b"".join(one.coders_as_bytes() for one in folders)
        sizes = [size for one in folders for size in (one.sizes or [len(one.data)] * len(one.coders))]
        out += b"\x0c" + b"".join(map(number, sizes)) + b"\x00"
        out += b"\x08\x0d" + b"".join(number(len(one.files)) for one in folders)
        out += b"\x09" + b"".join(number(file.size) for one in folders for file in one.files[:-1])
        if with_crcs:
            files = [file for one in folders for file in one.files]
            crcs = [zlib.crc32(file.data) if file.crc32 is None else file.crc32 for file in files]
            out += b"\x0a\x01" + struct.pack(f"<{len(crcs)}I", *crcs)
        out += b"\x00\x00"
    files = [file for one in folders for file in one.files] + empty
    out += b"\x05" + number(len(files))
    if empty:
        out += prop(0x0E, bits([False] * (len(files) - len(empty)) + [True] * len(empty)))
    names = "".join(file.name + "\0" for file in files).encode("utf-16-le", "surrogatepass")
    out += prop(0x11, b"\x00" + names)
    out += prop(0x15, b"\x01\x00" + b"".join(struct.pack("<I", file.attributes) for file in files))
    return out + b"\x00\x00"


def packed(folder: CraftedFolder) -> bytes:
    return folder.data if folder.packed is None else folder.packed


def archive(folders: list[CraftedFolder], empty: list[CraftedFile] | None = None, *, with_crcs: bool = True) -> bytes:
    """A whole archive."""
    return joined(b"".join(map(packed, folders)), header(folders, empty or [], with_crcs=with_crcs))


def joined(streams: bytes, raw_header: bytes) -> bytes:
    """Packed streams and a raw header under a true signature."""
    start = struct.pack("<QQI", len(streams), len(raw_header), zlib.crc32(raw_header))
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + streams + raw_header


def packed_header(streams: bytes, plain: bytes, coder: tuple[bytes, bytes], stored: bytes) -> bytes:
    """An archive whose header is itself packed: `stored` decodes to `plain` with `coder`."""
    method, properties = coder
    raw = b"\x17\x06" + number(len(streams)) + number(1) + b"\x09" + number(len(stored)) + b"\x00"
    raw += b"\x07\x0b\x01\x00" + CraftedFolder([], coders=[(method, properties)]).coders_as_bytes()
    raw += b"\x0c" + number(len(plain)) + b"\x0a\x01" + struct.pack("<I", zlib.crc32(plain)) + b"\x00\x00"
    return joined(streams + stored, raw)


def squeeze(data: bytes, filters: list[dict[str, Any]]) -> bytes:
    """Pack raw, as it stands in an archive."""
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=filters)


def stored_chunks(data: bytes, n_bytes: int) -> bytes:
    """LZMA2 chunks that hold data as it is, `n_bytes` each, the first with a reset; without the end of a stream."""
    parts = [data[at : at + n_bytes] for at in range(0, len(data), n_bytes)]
    return b"".join(
        bytes([1 if number == 0 else 2]) + struct.pack(">H", len(part) - 1) + part for number, part in enumerate(parts)
    )


def delta(data: bytes, distance: int) -> bytes:
    """What a Delta filter makes of data: each byte less the one `distance` before it."""
    return bytes((byte - before) & 0xFF for byte, before in zip(data, bytes(distance) + data, strict=False))


def restarting(data: bytes, n_bytes: int, *, distance: int = 0, n_stored: int = 0) -> bytes:
    """An LZMA2 stream that resets the dictionary every `n_bytes`, as 7-Zip does with several threads.

    Args:
        data: What it holds.
        n_bytes: Size of the pieces from reset to reset.
        distance: Of a Delta filter before it; 0 for none.
        n_stored: Size of the chunks of pieces that are stored as they are; 0 to pack them.
    """
    plain = delta(data, distance) if distance else data
    pieces = [plain[at : at + n_bytes] for at in range(0, len(plain), n_bytes)]
    lzma2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18, "preset": 0}]
    packed_pieces = (stored_chunks(piece, n_stored) if n_stored else squeeze(piece, lzma2)[:-1] for piece in pieces)
    return b"".join(packed_pieces) + b"\0"


def clip(n: int = 1, *, toy: str = "ToyTrain") -> str:
    return f"{toy}/case1/NormalSound_IND/{n:04d}.wav"


def noise(n_bytes: int, seed: int = 0) -> bytes:
    """Bytes that look like quiet 16-bit audio: they pack, and no two parts are the same."""
    state, out = seed + 1, bytearray()
    for _ in range(n_bytes // 2 + 1):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        out += struct.pack("<h", ((state >> 16) & 0x3FF) - 512)
    return bytes(out[:n_bytes])


def write(folder: Path, content: bytes, *, toy: str = "ToyTrain", n_volumes: int = 0) -> Path:
    """Write an archive whole, or cut into equal volumes (the last one the rest); return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if n_volumes == 0:
        (folder / f"{toy}.7z").write_bytes(content)
        return folder
    size = -(-len(content) // n_volumes)
    for n in range(n_volumes):
        (folder / f"{toy}.7z.{n + 1:03d}").write_bytes(content[n * size : (n + 1) * size])
    return folder
