"""The packed bytes of one block, and where in the volumes a failure to decode them lies."""

from __future__ import annotations

from toyadmos_datasets.archive.reading import PIECE_BYTES
from toyadmos_datasets.archive.table import PackedBlock
from toyadmos_datasets.archive.volume_set import VolumeSet
from toyadmos_datasets.archive.volume_stream import VolumeStream
from toyadmos_datasets.units import Bytes


class PackedBytes:
    """Reads a block's packed bytes in order and never past them."""

    __slots__ = ("_block", "_position", "_stream", "_volumes")

    def __init__(self, volumes: VolumeSet, stream: VolumeStream, block: PackedBlock) -> None:
        self._volumes = volumes
        self._stream = stream
        self._block = block
        self._position = block.offset
        stream.seek(block.offset)

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
