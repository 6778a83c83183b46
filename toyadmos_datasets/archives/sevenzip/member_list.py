"""From py7zr's list of files to the table of recordings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from py7zr.archiveinfo import StreamsInfo

from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable, PackedBlock
from toyadmos_datasets.archives.sevenzip.coders import Coder
from toyadmos_datasets.archives.sevenzip.member_names import ArchiveNames
from toyadmos_datasets.archives.sevenzip.packed_streams import broken_header
from toyadmos_datasets.units import Bytes

_MAX_MEMBER_BYTES = 1 << 32
"""No WAV file is larger: its sizes have 32 bits."""
_COPY = Coder(method="00")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One recording: a row of the table before it becomes columns."""

    path: str
    n_bytes: Bytes
    crc32: int
    offset: Bytes
    block: int


def list_recordings(
    streams: StreamsInfo | None,
    files: Sequence[dict[str, Any]],
    blocks: Sequence[PackedBlock],
    *,
    names: ArchiveNames,
    where: object,
) -> ArchiveTable:
    """Join files with their places in blocks.

    Members that are no recordings of the toy are left out. An empty file has no block in an archive; those share one
    of their own, so that they are found when they are read.

    Raises:
        ArchiveError: Files and places do not match, or a file has no checksum.
    """
    places = _places(streams, blocks, where)
    rows, empty = [], []
    found: list[str] = []
    found_empty: list[str] = []
    for path, raw in zip(names.paths, files, strict=True):
        if not raw["emptystream"]:
            place = next(places, None)
            if place is None:
                raise broken_header(where, f"more files than places, from {raw['filename']} on")
            if path is not None:
                row = _Row(path=path, n_bytes=place[1], crc32=place[2], offset=place[3], block=place[0])
                rows.append(row)
                found.append(raw["filename"])
        elif path is not None:
            empty.append(_Row(path=path, n_bytes=0, crc32=0, offset=0, block=len(blocks)))
            found_empty.append(raw["filename"])
    if next(places, None) is not None:
        raise broken_header(where, "more places than files")
    all_blocks = (*blocks, _empty_block(blocks)) if empty else tuple(blocks)
    return _table((*rows, *empty), all_blocks, names, [*found, *found_empty])


def _places(
    streams: StreamsInfo | None, blocks: Sequence[PackedBlock], where: object
) -> Iterator[tuple[int, Bytes, int, Bytes]]:
    """Block, size, CRC32 and offset of every file that is not empty, as they follow each other."""
    if streams is None or streams.unpackinfo is None:
        return
    parts = streams.substreamsinfo
    counts = parts.num_unpackstreams_folders if parts else [1] * len(blocks)
    sizes = iter(parts.unpacksizes) if parts and parts.unpacksizes is not None else None
    number = 0
    for block, folder, count in zip(blocks, streams.unpackinfo.folders, counts, strict=True):
        # py7zr lists one size even for a block without files.
        own = [block.n_bytes] * count if sizes is None else list(itertools.islice(sizes, max(count, 1)))[:count]
        if count and (sum(own) != block.n_bytes or not 0 <= min(own) <= max(own) < _MAX_MEMBER_BYTES):
            raise broken_header(where, f"block {block.number}: {count} files do not add up to {block.n_bytes} bytes")
        offset = 0
        for n_bytes in own:
            if parts and parts.digestsdefined[number]:
                crc32 = parts.digests[number]
            elif count == 1 and folder.digestdefined:
                crc32 = folder.crc
            else:
                raise broken_header(where, f"file {number} has no CRC32")
            yield block.number, n_bytes, crc32, offset
            offset += n_bytes
            number += 1


def _empty_block(blocks: Sequence[PackedBlock]) -> PackedBlock:
    end = blocks[-1].stop if blocks else 0
    return PackedBlock(number=len(blocks), offset=end, n_packed_bytes=0, coders=(_COPY,), sizes=(0,))


def _table(
    rows: Sequence[_Row], blocks: tuple[PackedBlock, ...], names: ArchiveNames, found: Sequence[str]
) -> ArchiveTable:
    paths = tuple(row.path for row in rows)
    counts = [0] * len(blocks)
    for row in rows:
        counts[row.block] += 1
    return ArchiveTable(
        blocks=blocks,
        first=tuple(itertools.accumulate(counts, initial=0)),
        paths=paths,
        sizes=tuple(row.n_bytes for row in rows),
        crcs=tuple(row.crc32 for row in rows),
        offsets=tuple(row.offset for row in rows),
        is_simulated=names.is_simulated,
        found=() if paths == tuple(found) else tuple(found),
        ignored=names.ignored,
        oddities=names.oddities,
    )
