"""One block streamed: decoded once, cut into recordings, and each checked as it ends."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Collection, Iterator

from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable, PackedBlock
from toyadmos_datasets.archives.sevenzip.block_parts import FIRST_BYTES, DeltaCarry
from toyadmos_datasets.archives.sevenzip.coders import delta_distance, open_chain
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream
from toyadmos_datasets.archives.source_reading import PIECE_BYTES
from toyadmos_datasets.errors import CorruptMemberError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Member, Restart


class PackedBytes:
    """Reads a block's packed bytes in order and never past them.

    Args:
        volumes: The archive.
        stream: Its joined bytes.
        block: The block.
        start: Where in the joined archive to begin; by default where the block does.
    """

    __slots__ = ("_block", "_position", "_stream", "_volumes")

    def __init__(
        self, volumes: VolumeSet, stream: VolumeStream, block: PackedBlock, start: Bytes | None = None
    ) -> None:
        self._volumes = volumes
        self._stream = stream
        self._block = block
        self._position = block.offset if start is None else start
        stream.seek(self._position)

    @property
    def position(self) -> Bytes:
        """Where in the joined archive the next byte is read."""
        return self._position

    def read(self, n_bytes: Bytes) -> bytes:
        """Read between 1 and `n_bytes` bytes, none only at the end of the block."""
        data = self._stream.read(min(n_bytes, self._block.stop - self._position)) or b""
        self._position += len(data)
        return data

    def locate(self, start: Bytes) -> tuple[str, str]:
        """Say for people where the bytes read since `start` are, and in which volumes.

        Begins a piece before `start`: that much may have been read and not yet decoded by then.
        """
        start = max(start - PIECE_BYTES, self._block.offset)
        stop = max(self._position, start + 1)
        names = [path.name for path in self._volumes.spanning(start, stop)]
        volumes = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        folder = self._volumes.paths[0].parent
        return f"{folder}, {volumes} (bytes {start} to {stop} of the whole, block {self._block.number})", volumes


def read_block(
    volumes: VolumeSet,
    table: ArchiveTable,
    *,
    block: int,
    wanted: Collection[str],
    on_bytes: Callable[[int], None] | None = None,
    restart: Restart | None = None,
    open_stream: Callable[[VolumeSet], VolumeStream] = VolumeStream,
) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Stream the wanted recordings of a block; `Source.read` says how.

    Raises:
        CorruptMemberError: At the end of a recording whose CRC32 is wrong, or where decoding breaks off.
    """
    names = frozenset(wanted)
    chosen = [(member, offset) for member, offset in table.members(block) if member.path in names]
    if not chosen:
        return
    with open_stream(volumes) as stream:
        packed = PackedBytes(volumes, stream, table.blocks[block], None if restart is None else restart.position)
        cutter = _Cutter(packed, table.blocks[block], on_bytes, 0 if restart is None else restart.offset)
        for member, offset in chosen:
            chunks = cutter.cut(member, offset)
            yield member, chunks
            for _ in chunks:  # what was not consumed is decoded all the same, and checked
                pass


class _Cutter:
    """Goes through a decoded block, from one recording to the next.

    Where decoding began in the middle of a block that has a Delta filter, what came before is not known; the first
    bytes of a recording tell it. After a recording that is wrong they tell it anew.

    Args:
        packed: The block's packed bytes, from where decoding begins.
        block: The block.
        on_bytes: Told how many bytes were decoded.
        start: Where in the decoded block decoding begins.
    """

    __slots__ = ("_carry", "_distance", "_is_broken", "_is_carry_known", "_on_bytes", "_packed", "_position", "_read")

    def __init__(
        self, packed: PackedBytes, block: PackedBlock, on_bytes: Callable[[int], None] | None, start: Bytes = 0
    ) -> None:
        self._packed = packed
        self._read = open_chain(block.coders, [n_bytes - start for n_bytes in block.sizes], packed.read)
        self._position = start
        self._on_bytes = on_bytes
        self._is_broken = False
        self._distance = (delta_distance(block.coders) or 0) if start else 0
        self._carry = DeltaCarry(self._distance) if self._distance else None
        self._is_carry_known = self._carry is None

    def cut(self, member: Member, offset: Bytes) -> Iterator[bytes]:
        """Decode up to a recording, then give it out piece by piece, then check it."""
        while self._position < offset:
            self._decode(offset - self._position, member)
        start = self._packed.position
        stop = offset + member.n_bytes
        crc32 = 0
        if not self._is_carry_known and member.n_bytes >= self._distance:
            head = self._derive_carry(member)
            crc32 = zlib.crc32(head)
            yield head
        while self._position < stop:
            piece = self._decode(stop - self._position, member)
            if self._carry is not None:
                piece = self._carry.add_to(piece, self._position - len(piece))
            crc32 = zlib.crc32(piece, crc32)
            yield piece
        if crc32 != member.crc32:
            self._is_carry_known = self._carry is None
            raise self._corrupt(
                member,
                what="A recording in the archive is corrupt.",
                expected=f"CRC32 {member.crc32:08x} over {member.n_bytes} bytes",
                actual=f"CRC32 {crc32:08x}",
                start=start,
            )

    def _derive_carry(self, member: Member) -> bytes:
        """Find what was before the place at which decoding began; return the first bytes of a recording."""
        start, head = self._position, b""
        while len(head) < self._distance:
            head += self._decode(self._distance - len(head), member)
        if self._carry is not None:
            self._carry.derive(head, start)
        self._is_carry_known = True
        return FIRST_BYTES[: self._distance]

    def _decode(self, n_bytes: Bytes, member: Member) -> bytes:
        start = self._packed.position
        reason = "the packed bytes end too early"
        piece = b""
        if not self._is_broken:
            try:
                piece = self._read(min(n_bytes, PIECE_BYTES))
            except lzma.LZMAError as error:
                reason = str(error).lower()
        if not piece:
            self._is_broken = True
            raise self._corrupt(
                member,
                what="A block of the archive cannot be decoded up to the end of a recording.",
                expected="packed bytes that decode",
                actual=f"{reason}, after {self._position} decoded bytes",
                start=start,
            )
        self._position += len(piece)
        if self._on_bytes is not None:
            self._on_bytes(len(piece))
        return piece

    def _corrupt(self, member: Member, *, what: str, expected: str, actual: str, start: Bytes) -> CorruptMemberError:
        place, volumes = self._packed.locate(start)
        return CorruptMemberError(
            what,
            where=f"{member.path} in {place}",
            expected=expected,
            actual=actual,
            remedy=f"Compare the md5 of {volumes} with what was published, fetch what differs again, then run the "
            "same command again: recordings that were verified are kept.",
        )
