"""Converts py7zr's list of files to the table of recordings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from py7zr.archiveinfo import StreamsInfo

from toyadmos_datasets.archives.corpus_layout import (
    ToyRoot,
    canonical_paths,
    find_roots,
    is_wav,
    only_root,
    roots_of,
)
from toyadmos_datasets.archives.file_kinds import (
    MARKER_NAME,
    Ignore,
    PathTally,
    Strays,
    chosen_among,
    digest_of,
    has_hidden_folder,
    is_expected,
    is_hidden,
    require_distinct,
    require_plain_kind,
    require_safe_name,
)
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable, PackedBlock
from toyadmos_datasets.archives.sevenzip.coders import Coder
from toyadmos_datasets.archives.sevenzip.packed_streams import broken_header
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Oddity

_IS_FOLDER = 0x10
_FOLDER_OR_LINK = 0x410
"""Bits of a member's attributes, as Windows has them; a folder that is a link has both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveNames:
    """What the names in an archive say.

    Attributes:
        paths: For each member its path in the corpus as published; None for what is no recording of the toy.
        is_simulated: Whether the marker of this package's simulation stands in the toy's folder.
        ignored: Hash over the recordings that the user leaves out; empty where there are none.
        chosen: Tells which of several members of one name are read; empty where the user chose between none.
        oddities: What is not as published.
    """

    paths: tuple[str | None, ...]
    is_simulated: bool
    ignored: str
    chosen: bytes
    oddities: tuple[Oddity, ...]


@dataclass(slots=True, kw_only=True)
class _Folder:
    """The members of one folder, by their numbers in the archive."""

    path: str
    is_hidden: bool
    wavs: list[int] = field(default_factory=list)
    ignored_wavs: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)


def archive_names(files: Sequence[dict[str, Any]], toy: str, ignore: Ignore, *, where: object) -> ArchiveNames:
    """Find the toy's folder in an archive, and the recordings in it.

    Raises:
        SourceError: There are several folders with recordings of the toy.
        UnsafeMemberError: A recording has a name, or a member is of a kind, that must not reach a disk.
        IndexConflictError: Two names are one.
    """
    names = [raw.get("filename", "") for raw in files]
    folders = _by_folder(files, names, ignore.compiled(), where)
    wavs = {one.path: [names[n].rpartition("/")[2] for n in one.wavs] for one in folders if one.wavs}
    roots = roots_of(find_roots(wavs, toy), toy)
    root = only_root(roots, toy, where=where, shown=lambda path: path or "the archive's top") if roots else None
    paths: list[str | None] = [None] * len(files)
    if root is None:
        return ArchiveNames(paths=tuple(paths), is_simulated=False, ignored="", chosen=b"", oddities=())
    own = [one for one in folders if _is_below(one.path, root)]
    for one in own:
        for number, (path, _) in zip(one.wavs, _canonical(one.path, one.wavs, names, toy, root), strict=True):
            paths[number] = path
    kept = [(path, name) for path, name in zip(paths, names, strict=True) if path is not None]
    listed = [path for path, _ in kept]
    found = [name for _, name in kept]
    require_distinct(listed, found, where=where)
    ignored = [path for one in own for path, known in _canonical(one.path, one.ignored_wavs, names, toy, root) if known]
    marker = f"{root.path}/{MARKER_NAME}" if root.path else MARKER_NAME
    return ArchiveNames(
        paths=tuple(paths),
        is_simulated=marker in names,
        ignored=digest_of(ignored),
        chosen=chosen_among(listed, ignored),
        oddities=_oddities(own, names, [] if listed == found else _moved(kept, root, toy)),
    )


def _by_folder(
    files: Sequence[dict[str, Any]], names: Sequence[str], ignored: re.Pattern[str] | None, where: object
) -> list[_Folder]:
    """Sort members by their folders and by what they are; refuse what no member may be."""
    folders: dict[str, _Folder] = {}
    for number, (raw, path) in enumerate(zip(files, names, strict=True)):
        name = path[path.rfind("/") + 1 :]
        start = path[: len(path) - len(name)]
        folder = folders.get(start)
        if folder is None:
            folder = folders[start] = _Folder(path=start[:-1], is_hidden=has_hidden_folder(start))
        if not _is_folder(raw, name):
            kind = _kind_of(raw, path, folder, ignored, where)
            if kind is not None:
                kind.append(number)
    return list(folders.values())


def _is_folder(raw: dict[str, Any], name: str) -> bool:
    """Whether a member is a folder: it has no bytes, and its attributes say so, or else it is no WAV file."""
    attributes = raw.get("attributes")
    return bool(raw["emptystream"]) and (
        not is_wav(name) if attributes is None else attributes & _FOLDER_OR_LINK == _IS_FOLDER
    )


def _kind_of(
    raw: dict[str, Any], path: str, folder: _Folder, ignored: re.Pattern[str] | None, where: object
) -> list[int] | None:
    """Tell among which members of its folder a file counts; None for one that belongs there and is no recording.

    Raises:
        UnsafeMemberError: It is a recording with a name, or a thing of a kind, that must not reach a disk.
    """
    name = path[path.rfind("/") + 1 :]
    if folder.is_hidden or is_hidden(name):
        return folder.hidden
    if ignored is not None and ignored.fullmatch(path):
        return folder.ignored_wavs if is_wav(name) else folder.ignored
    require_plain_kind(path, attributes=raw.get("attributes"), where=where)
    if not is_wav(name):
        return None if is_expected(name) else folder.others
    if not folder.wavs or not folder.path or not name.isprintable() or "\\" in name:
        require_safe_name(path, where=where)
    return folder.wavs


def _is_below(path: str, root: ToyRoot) -> bool:
    return not root.path or path == root.path or path.startswith(f"{root.path}/")


def _canonical(
    folder: str, numbers: Sequence[int], names: Sequence[str], toy: str, root: ToyRoot
) -> list[tuple[str, bool]]:
    start = len(folder) + 1 if folder else 0
    return canonical_paths(toy, root.path, folder, [names[number][start:] for number in numbers])


def _moved(kept: Sequence[tuple[str, str]], root: ToyRoot, toy: str) -> list[str]:
    """Which recordings lie otherwise in the toy's folder than published, whatever it is called."""
    start = len(root.path) + 1 if root.path else 0
    return [name for path, name in kept if path[len(toy) + 1 :] != name[start:]]


def _oddities(folders: Sequence[_Folder], names: Sequence[str], moved: Sequence[str]) -> tuple[Oddity, ...]:
    strays, layout = Strays(), PathTally()
    for one in folders:
        strays.hidden.add(names[number] for number in one.hidden)
        strays.others.add(names[number] for number in one.others)
        strays.ignored.add(names[number] for number in (*one.ignored, *one.ignored_wavs))
    layout.add(moved)
    return (
        *strays.oddities(),
        *layout.oddities("layout", "Recordings lie in other folders, or end otherwise, than those published."),
    )


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
