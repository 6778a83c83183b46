"""Decoders that cost nothing: they read a block's packed bytes as a real one did, and say as much came out.

So the time that a fetch takes tells of the fetch, on a machine of any speed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from unittest import mock

from toyadmos_datasets.archives.remote import remote_source
from toyadmos_datasets.archives.sevenzip import coders
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable
from toyadmos_datasets.archives.sevenzip.block_reader import PackedBytes
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream
from toyadmos_datasets.values.source import Source

Steps = list[tuple[int, int]]
"""How far a decoder had read after each piece that it gave out, from the block's beginning, and the piece's bytes."""


def steps_of(source: Source, wanted: Collection[str], *, piece_bytes: int = 1 << 16) -> dict[int, Steps]:
    """Decode the wanted recordings of volumes on the disk, and return the steps of each block.

    Args:
        source: The volumes.
        wanted: Paths of recordings.
        piece_bytes: How many packed bytes a decoder reads at a time.
    """
    found: dict[int, Steps] = {}
    read, used = PackedBytes.read, [0]

    def counting(self: PackedBytes, n_bytes: int) -> bytes:
        data = read(self, n_bytes)
        used[0] += len(data)
        return data

    with mock.patch.object(PackedBytes, "read", counting), mock.patch.object(coders, "PIECE_BYTES", piece_bytes):
        for block in source.blocks():
            steps: Steps = []
            used[0] = 0
            for _, chunks in source.read(block.number, wanted, lambda n_bytes, to=steps: to.append((used[0], n_bytes))):
                for _ in chunks:
                    pass
            if steps:
                found[block.number] = steps
    return found


def least_bytes(steps: dict[int, Steps]) -> int:
    """Count the packed bytes that the decoders read."""
    return sum(some[-1][0] for some in steps.values())


@contextlib.contextmanager
def replaying(steps: dict[int, Steps]) -> Iterator[None]:
    """Have blocks of sources on the web read by steps while the block runs, and no recording decoded or checked."""

    def read_block(
        volumes: VolumeSet,
        table: ArchiveTable,
        *,
        block: int,
        wanted: Collection[str],
        on_bytes: Callable[[int], None],
        open_stream: Callable[[VolumeSet], VolumeStream],
    ) -> Iterator[tuple[object, Iterator[bytes]]]:
        del wanted
        with open_stream(volumes) as stream:
            packed, used = PackedBytes(volumes, stream, table.blocks[block]), 0
            for stop, n_decoded in steps[block]:
                while used < stop:
                    used += len(packed.read(stop - used))
                on_bytes(n_decoded)
        yield from ()

    with mock.patch.object(remote_source, "read_block", read_block):
        yield
