"""Parts of a solid block that can be decoded without what comes before them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable
from toyadmos_datasets.archives.sevenzip.coders import delta_distance
from toyadmos_datasets.archives.sevenzip.lzma2_chunks import walk_restarts
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream
from toyadmos_datasets.archives.source_reading import PIECE_BYTES
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import BlockPart, Member, Restart

FIRST_BYTES = b"RIFF"
"""What every WAV file begins with: as many bytes as `MAX_DISTANCE`."""


def find_parts(
    volumes: VolumeSet,
    table: ArchiveTable,
    *,
    block: int,
    wanted: Collection[str],
    stop: Bytes | None = None,
    open_stream: Callable[[VolumeSet], VolumeStream] = VolumeStream,
) -> Iterator[BlockPart]:
    """Yield the wanted recordings of a block in parts; `Source.parts` says how.

    Args:
        volumes: The archive.
        table: What its header says.
        block: Number of the block.
        wanted: Paths of recordings.
        stop: Where the bytes end that may be read; by default the block's end.
        open_stream: Opens what the headers are read from.
    """
    names = frozenset(wanted)
    chosen = [(member, offset) for member, offset in table.members(block) if member.path in names]
    packed = table.blocks[block]
    distance = delta_distance(packed.coders)
    if not chosen:
        return
    if distance is None:
        yield _part(chosen, None)
        return
    with open_stream(volumes) as stream:
        restarts = _LastRestart(walk_restarts(stream, packed, stop=stop))
        so_far: list[tuple[Member, Bytes]] = []
        begin: Restart | None = None
        for member, offset in chosen:
            restart = restarts.before(offset) if member.n_bytes >= distance else begin
            if so_far and restart != begin:
                yield _part(so_far, begin)
                so_far = []
            begin = restart
            so_far.append((member, offset))
        yield _part(so_far, begin)


def _part(chosen: Sequence[tuple[Member, Bytes]], restart: Restart | None) -> BlockPart:
    last, offset = chosen[-1]
    return BlockPart(
        block=last.block,
        members=tuple(member.path for member, _ in chosen),
        restart=restart,
        begin=chosen[0][1],
        stop=offset + last.n_bytes,
    )


class _LastRestart:
    """Goes along the restarts of a block, no further than is asked for."""

    def __init__(self, restarts: Iterator[Restart]) -> None:
        self._restarts = restarts
        self._last: Restart | None = None
        self._next: Restart | None = next(restarts, None)

    def before(self, offset: Bytes) -> Restart | None:
        """Return the last restart at or before a decoded byte; None for the block's own beginning."""
        while self._next is not None and self._next.offset <= offset:
            self._last = self._next
            self._next = next(self._restarts, None)
        return self._last if self._last is not None and self._last.offset else None


class DeltaCarry:
    """Makes right what a Delta filter gives that began in the middle of its stream.

    A Delta filter of distance d adds to each byte the one that it gave d bytes before, modulo 256. One that begins at
    byte s takes zeros for what came before s. By induction its output then differs from the true one by a constant for
    each of the d places that a byte can have modulo d: the true byte at s - d, s - d + 1, and so on. The known first
    bytes of a file give all of them.

    Args:
        distance: Of the filter, at most `MAX_DISTANCE`.
    """

    __slots__ = ("_distance", "_repeated")

    def __init__(self, distance: int) -> None:
        self._distance = distance
        self._repeated: npt.NDArray[np.uint8] = np.zeros(PIECE_BYTES + distance, np.uint8)

    def derive(self, head: bytes, offset: Bytes) -> None:
        """Find the constants.

        Args:
            head: The first `distance` bytes of a WAV file, as the filter gave them.
            offset: Where in the block they stand.
        """
        found = np.frombuffer(FIRST_BYTES[: self._distance], np.uint8) - np.frombuffer(head, np.uint8)
        one = np.roll(found, offset % self._distance)
        self._repeated = np.resize(one, len(self._repeated))

    def add_to(self, piece: bytes, offset: Bytes) -> bytes:
        """Return at most `PIECE_BYTES` from a place of the block on as they truly are."""
        start = offset % self._distance
        true: npt.NDArray[np.uint8] = np.frombuffer(piece, np.uint8) + self._repeated[start : start + len(piece)]
        return true.tobytes()
