"""The contents of an archive's header, in this package's own types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toyadmos_datasets.archives.sevenzip.coders import Coder, delta_distance, describe
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Block, Member, Oddity


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBlock:
    """One independently packed piece of an archive (7-Zip calls it a folder).

    Attributes:
        number: Position in the archive, from 0.
        offset: Where its packed bytes begin in the joined archive.
        n_packed_bytes: How many there are.
        coders: How to decode them, in that order.
        sizes: What each coder gives, bytes.
    """

    number: int
    offset: Bytes
    n_packed_bytes: Bytes
    coders: tuple[Coder, ...]
    sizes: tuple[Bytes, ...]

    @property
    def n_bytes(self) -> Bytes:
        """Decoded size."""
        return self.sizes[-1]

    @property
    def stop(self) -> Bytes:
        """Where its packed bytes end in the joined archive."""
        return self.offset + self.n_packed_bytes

    def described(self) -> Block:
        """The block as other stages know it."""
        return Block(
            number=self.number,
            n_bytes=self.n_bytes,
            n_packed_bytes=self.n_packed_bytes,
            method=describe(self.coders),
            may_be_shared=delta_distance(self.coders) is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTable:
    """The recordings in an archive and where they stand.

    Columns, not rows: every task that is sent to a worker carries the table, and a tuple of text is pickled
    twenty times faster than as many records.

    Attributes:
        blocks: All blocks, by number.
        first: For every block the number of its first recording, and at the end that of all recordings.
        paths: The recordings as the published corpus calls them, by block and position in it.
        sizes: Their sizes, bytes.
        crcs: Their CRC32.
        offsets: Where each begins in its decoded block, bytes.
        is_simulated: Whether the archive says that this package made it up.
        found: What the archive calls them, in the same order; empty where that is as published.
        ignored: Hash over the recordings that patterns of the user's leave out; empty where they leave out none.
        oddities: What in it is not as published.
    """

    blocks: tuple[PackedBlock, ...]
    first: tuple[int, ...]
    paths: tuple[str, ...]
    sizes: tuple[Bytes, ...]
    crcs: tuple[int, ...]
    offsets: tuple[Bytes, ...]
    is_simulated: bool
    found: tuple[str, ...] = ()
    ignored: str = ""
    oddities: tuple[Oddity, ...] = ()

    def members(self, block: int) -> Iterator[tuple[Member, Bytes]]:
        """The recordings of a block, each with its offset in the decoded block."""
        for row in range(self.first[block], self.first[block + 1]):
            member = Member(path=self.paths[row], n_bytes=self.sizes[row], crc32=self.crcs[row], block=block)
            yield member, self.offsets[row]
