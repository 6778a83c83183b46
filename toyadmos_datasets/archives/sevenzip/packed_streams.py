"""Converts py7zr's packed streams to blocks that can be decoded, and refuses contradictory ones."""

from __future__ import annotations

from typing import Any

from py7zr.archiveinfo import Folder, StreamsInfo

from toyadmos_datasets.archives.sevenzip.archive_contents import PackedBlock
from toyadmos_datasets.archives.sevenzip.coders import Coder, require_decodable
from toyadmos_datasets.archives.sevenzip.signature import SIGNATURE_BYTES
from toyadmos_datasets.errors import ArchiveError, UnsupportedMethodError
from toyadmos_datasets.units import Bytes

_MAX_EXPANSION = 8192
"""More bytes out of one byte in than any LZMA stream can give: the longest match, 273 bytes, costs at least
14 decisions of 0.022 bits, which is about 7000 to 1."""


def packed_blocks(streams: StreamsInfo | None, *, end: Bytes, where: object) -> list[PackedBlock]:
    """Translate the folders of one list of streams.

    Args:
        streams: As py7zr read them.
        end: Where the packed bytes end in the joined archive.
        where: The archive, for errors.

    Raises:
        ArchiveError: Sizes, places or bindings that cannot be.
        UnsupportedMethodError: A coder that is not decoded here, named.
    """
    if streams is None or streams.unpackinfo is None:
        return []
    folders, packed = streams.unpackinfo.folders, streams.packinfo
    if packed is None or len(packed.packsizes) < len(folders):
        raise broken_header(where, f"{len(folders)} blocks with fewer packed streams")
    coders: dict[tuple[str, bytes], Coder] = {}
    blocks = []
    for number, folder in enumerate(folders):
        order = _order(folder, where)
        block = PackedBlock(
            number=number,
            offset=SIGNATURE_BYTES + packed.packpos + packed.packpositions[number],
            n_packed_bytes=packed.packsizes[number],
            coders=tuple(_coder(folder.coders[step], coders, where) for step in order),
            sizes=tuple(folder.unpacksizes[step] for step in order),
        )
        _require_possible(block, end, where)
        blocks.append(block)
    return blocks


def broken_header(where: object, actual: object) -> ArchiveError:
    """The error for a header that contradicts itself."""
    return ArchiveError(
        "The archive's header makes no sense.",
        where=where,
        expected="a header as 7-Zip writes it",
        actual=actual,
        remedy="Compare the volumes' md5 with what was published and fetch those that differ again; "
        "if none does, unpack it with 7-Zip (7z x) and give the folder as the source.",
    )


def _coder(raw: dict[str, Any], known: dict[tuple[str, bytes], Coder], where: object) -> Coder:
    key = (raw["method"].hex(), bytes(raw["properties"] or b""))
    if key not in known:
        coder = Coder(method=key[0], properties=key[1])
        require_decodable(coder, where)
        known[key] = coder
    return known[key]


def _order(folder: Folder, where: object) -> list[int]:
    """Numbers of a folder's coders in the order of decoding.

    A binding says whose output a coder reads: walking them from the coder that reads packed bytes visits
    each coder once, if they form one line.
    """
    for raw in folder.coders:
        if (raw["numinstreams"], raw["numoutstreams"]) != (1, 1):
            name = Coder(method=raw["method"].hex()).name
            raise UnsupportedMethodError(
                f"The archive is packed with {name}, which takes several streams and cannot be read here.",
                where=where,
                expected="coders with one input and one output",
                actual=name,
                remedy="Unpack it with 7-Zip (7z x) and give the folder as the source.",
            )
    reader_of = {bond.outcoder: bond.incoder for bond in folder.bindpairs}
    step: int | None = next(iter(set(range(len(folder.coders))) - set(reader_of.values())), None)
    order: list[int] = []
    while step is not None and step not in order:
        order.append(step)
        step = reader_of.get(step)
    if sorted(order) != list(range(len(folder.coders))):
        raise broken_header(where, "coders that are not bound into one chain")
    return order


def _require_possible(block: PackedBlock, end: Bytes, where: object) -> None:
    if block.stop > end:
        raise broken_header(where, f"block {block.number} ends at byte {block.stop} of {end}")
    before = block.n_packed_bytes
    for coder, n_bytes in zip(block.coders, block.sizes, strict=True):
        if not coder.is_compressor and n_bytes != before:
            raise broken_header(where, f"block {block.number}: {coder.name} makes {n_bytes} bytes of {before}")
        if n_bytes > before * _MAX_EXPANSION:
            raise broken_header(where, f"block {block.number}: {n_bytes} bytes decoded from {before}")
        before = n_bytes
