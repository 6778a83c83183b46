"""The byte ranges of an archive that hold the wanted recordings."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archives.remote.byte_ranges import Span, merged
from toyadmos_datasets.archives.remote.copy_journal import MAX_READ_BYTES, NUMBER, append_line, open_line
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable, PackedBlock
from toyadmos_datasets.units import Bytes

FILE_NAME = "blocks.read"

_SAID = re.compile(rf"{NUMBER} {NUMBER} {NUMBER}", re.ASCII)


class BlockEnds:
    """What readers of an archive's copies have found out; each line by one of them, safe as those of a journal.

    Args:
        folder: Where the copies are.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._stops: dict[tuple[int, Bytes], Bytes] = {}
        for line in _lines_of(self._path):
            said = _SAID.fullmatch(open_line(line) or "")
            if said is not None:
                block, n_decoded, stop = map(int, said.groups())
                self._stops[block, n_decoded] = stop

    def stop_of(self, block: int, n_decoded: Bytes) -> Bytes | None:
        """Return where in the archive the bytes end that give so many decoded ones; None if nobody knows."""
        return self._stops.get((block, n_decoded))

    def note(self, block: int, n_decoded: Bytes, stop: Bytes) -> None:
        """Write down, durably, that recordings up to there were right."""
        known = self.stop_of(block, n_decoded)
        if known is None or stop < known:
            append_line(self._path, f"{block} {n_decoded} {stop}")
            self._stops[block, n_decoded] = stop


def _lines_of(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return file.read(MAX_READ_BYTES).split(b"\n")
    except FileNotFoundError:
        return []


SURE_SHARE = 0.95
"""How much of what a packed block is reckoned to need is fetched before its decoder asks for the rest."""
SURE_SHARE_OF_LARGE = 0.5
"""The same for a large block: sounds of different kinds pack differently, and an error of some percent is much."""
LARGE_BYTES: Bytes = 32 << 20
NEXT_SHARE = 0.8
"""How much of what then seems to be left is fetched at once, while that is much."""
MUCH_BYTES: Bytes = 8 << 20
STEP_BYTES: Bytes = 1 << 16
"""The least that is fetched when a decoder asks for more."""
MERGE_GAP_BYTES: Bytes = 1 << 20
"""About what comes during the round trip of one more request."""
MERGE_GAP_SHARE = 0.02
"""Keeps what is fetched in vain below this share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockNeed:
    """What is needed of one block.

    Attributes:
        block: The block.
        n_bytes: Decoded bytes up to the end of the last wanted recording.
        n_members: How many recordings are wanted.
        known_stop: Where in the archive their bytes end, if that was found out before.
    """

    block: PackedBlock
    n_bytes: Bytes
    n_members: int
    known_stop: Bytes | None = None

    @property
    def is_exact(self) -> bool:
        """Whether it is known beforehand where the last wanted recording ends in the packed block."""
        if self.known_stop is not None or self.n_bytes == self.block.n_bytes:
            return True
        return not any(coder.is_compressor for coder in self.block.coders)

    @property
    def reckoned(self) -> Bytes:
        """Packed bytes that are needed, if the block is packed evenly."""
        if self.known_stop is not None:
            return self.known_stop - self.block.offset
        if self.is_exact:
            return self.block.n_packed_bytes if self.n_bytes == self.block.n_bytes else self.n_bytes
        return -(-self.block.n_packed_bytes * self.n_bytes // self.block.n_bytes)

    @property
    def first(self) -> Span:
        """The bytes of the archive that are fetched without being asked for."""
        share = SURE_SHARE_OF_LARGE if self.reckoned > LARGE_BYTES else SURE_SHARE
        n_bytes = self.reckoned if self.is_exact else max(int(self.reckoned * share), STEP_BYTES)
        return self.block.offset, min(self.block.offset + n_bytes, self.block.stop)

    @property
    def expected(self) -> Span:
        """The bytes of the archive that are fetched in the end, as far as can be reckoned."""
        return self.block.offset, min(self.block.offset + self.reckoned, self.block.stop)

    def more(self, position: Bytes, n_decoded: Bytes) -> Bytes:
        """Return up to where to fetch on for a decoder that has used up all bytes before `position`."""
        if not n_decoded:
            return min(position + (1 << 20), self.block.stop)
        used = position - self.block.offset
        left = max(self.n_bytes - n_decoded, 0) * used // n_decoded
        if left > MUCH_BYTES:
            left = int(left * NEXT_SHARE)
        return min(position + max(left, STEP_BYTES), self.block.stop)


def needs_of(table: ArchiveTable, wanted: Collection[str], ends: BlockEnds) -> dict[int, BlockNeed]:
    """Return what is needed of each block that holds wanted recordings, by number.

    Args:
        table: What the archive holds.
        wanted: Paths of recordings.
        ends: What earlier readers have found out.
    """
    names = frozenset(wanted)
    needs = {}
    for block in table.blocks:
        stops = [offset + one.n_bytes for one, offset in table.members(block.number) if one.path in names]
        if stops and block.n_packed_bytes:
            stop = ends.stop_of(block.number, max(stops))
            is_inside = stop is not None and block.offset < stop <= block.stop  # else it is of another archive
            needs[block.number] = BlockNeed(
                block=block,
                n_bytes=max(stops),
                n_members=len(stops),
                known_stop=stop if is_inside else None,
            )
    return needs


def joined(spans: list[Span]) -> list[Span]:
    """Merge ranges of the archive that are near each other."""
    return merged(spans, gap_share=MERGE_GAP_SHARE, max_gap=MERGE_GAP_BYTES)
