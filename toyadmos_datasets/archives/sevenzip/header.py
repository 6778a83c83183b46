"""An archive's header, decoded and translated, before any recording is decoded."""

from __future__ import annotations

import contextlib
import hashlib
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from py7zr.archiveinfo import FilesInfo, HeaderStreamsInfo, StreamsInfo, read_uint64
from py7zr.exceptions import ArchiveError as Py7zrError
from py7zr.exceptions import Bad7zFile
from py7zr.properties import PROPERTY

from toyadmos_datasets.archives.file_kinds import Ignore
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable, PackedBlock
from toyadmos_datasets.archives.sevenzip.block_reader import PackedBytes
from toyadmos_datasets.archives.sevenzip.coders import open_chain
from toyadmos_datasets.archives.sevenzip.member_list import archive_names, list_recordings
from toyadmos_datasets.archives.sevenzip.packed_streams import broken_header, packed_blocks
from toyadmos_datasets.archives.sevenzip.signature import read_next_header
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream
from toyadmos_datasets.archives.source_reading import PIECE_BYTES

_MAX_HEADER_BYTES = 1 << 26
"""Ten times what the header of the largest ToyADMOS archive can need, about 220 bytes a recording."""
_MAX_FILES = 1_000_000
"""Ten times the recordings of the whole corpus."""
_MAX_NESTING = 4


def read_header(
    volumes: VolumeSet,
    toy: str,
    open_stream: Callable[[VolumeSet], VolumeStream] = VolumeStream,
    *,
    ignore: Ignore | None = None,
) -> tuple[ArchiveTable, str]:
    """Read what an archive holds.

    Args:
        volumes: Its files.
        toy: ``ToyTrain``.
        open_stream: Opens them as one file.
        ignore: What the user wants left out.

    Returns:
        The table of its blocks and recordings, and its identity: a hash over its toy, its size and its
        header, and so over the CRC32 of everything in it.

    Raises:
        VolumeError: The volumes are not all of the archive.
        ArchiveError: The header is damaged, contradicts itself, or names what cannot be read or used.
        IndexConflictError: A name is there twice.
    """
    where = volumes.location
    with open_stream(volumes) as stream:
        raw = read_next_header(volumes, stream)
        with _translating(where):
            decoded = _decode(raw, volumes, stream)
            streams, files = _parse(decoded)
            blocks = packed_blocks(streams, end=volumes.n_bytes - len(raw), where=where)
            names = archive_names(files, toy, ignore or Ignore(), where=where)
            table = list_recordings(streams, files, blocks, names=names, where=where)
    identity = hashlib.sha256(f"{toy}\n{volumes.n_bytes}\n{len(raw)}\n".encode())
    identity.update(raw)
    identity.update(decoded)
    identity.update(names.chosen)
    return table, identity.hexdigest()


@contextlib.contextmanager
def _translating(where: str) -> Iterator[None]:
    """Turn what py7zr and liblzma raise on a header that makes no sense into an ArchiveError."""
    try:
        yield
    except (
        Py7zrError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
        lzma.LZMAError,
        struct.error,
    ) as error:
        raise broken_header(where, f"{type(error).__name__}: {error}") from error


def _decode(raw: bytes, volumes: VolumeSet, stream: VolumeStream) -> bytes:
    end = volumes.n_bytes - len(raw)
    for _ in range(_MAX_NESTING):
        if raw[:1] != PROPERTY.ENCODED_HEADER:
            return raw
        streams = HeaderStreamsInfo.retrieve(io.BytesIO(raw[1:]))
        blocks = packed_blocks(streams, end=end, where=volumes.location)
        if len(blocks) != 1 or blocks[0].n_bytes > _MAX_HEADER_BYTES:
            raise broken_header(volumes.location, f"{sum(block.n_bytes for block in blocks)} bytes of header")
        raw = _decode_whole(blocks[0], volumes, stream)
        folder = streams.unpackinfo.folders[0]
        # The format lets a writer leave this checksum out, as py7zr does when it adds to an archive.
        if folder.digestdefined and zlib.crc32(raw) != folder.crc:
            raise broken_header(volumes.location, "a packed header whose CRC32 is wrong")
    raise broken_header(volumes.location, f"a header packed more than {_MAX_NESTING} times")


def _decode_whole(block: PackedBlock, volumes: VolumeSet, stream: VolumeStream) -> bytes:
    read = open_chain(block.coders, block.sizes, PackedBytes(volumes, stream, block).read)
    parts = []
    left = block.n_bytes
    while left and (part := read(min(PIECE_BYTES, left))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _parse(decoded: bytes) -> tuple[StreamsInfo | None, list[dict[str, Any]]]:
    buffer = io.BytesIO(decoded)
    streams, files = None, []
    kind = buffer.read(1)
    if kind == PROPERTY.HEADER:
        kind = buffer.read(1)
        if kind == PROPERTY.MAIN_STREAMS_INFO:
            streams = StreamsInfo.retrieve(buffer)
            kind = buffer.read(1)
        if kind == PROPERTY.FILES_INFO:
            files = _NamedFiles.retrieve(buffer).files
            kind = buffer.read(1)
    if decoded and kind != PROPERTY.END:
        message = f"part {kind.hex() or 'nothing'} where the header should end"
        raise Bad7zFile(message)
    return streams, files


class _NamedFiles(FilesInfo):
    """Files with their names as they stand: py7zr takes a backslash for a slash, and hides what 25 forbids."""

    def _read(self, fp: BinaryIO) -> None:
        start = fp.tell()
        n_files = read_uint64(fp)
        if n_files > _MAX_FILES:
            message = f"{n_files} files"
            raise Bad7zFile(message)
        fp.seek(start)
        super()._read(fp)

    def _read_name(self, buffer: BinaryIO) -> None:
        *names, rest = buffer.read().decode("utf-16-le").split("\0")
        if rest or len(names) != len(self.files):
            message = f"{len(names)} names for {len(self.files)} files"
            raise Bad7zFile(message)
        for file, name in zip(self.files, names, strict=True):
            file["filename"] = name
