"""Packing goes along with writing: a block enters the archive as soon as all its recordings are there."""

from __future__ import annotations

from pathlib import Path

from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.simulate.events import Event, EventBlock, list_blocks
from toyadmos_datasets.simulate.sizes import CorpusSize
from toyadmos_datasets.simulate.volumes import PACKED, PACKED_DELTA, STORED, Filters, append_block, cut
from toyadmos_datasets.units import Bytes


class Packing:
    """An archive that grows block by block, always in the same order.

    Args:
        root: Folder that the members' paths start in.
        folder: Where the volumes go.
        toy: Whose they are.
        size: How large blocks and volumes are.
        events: All that is going to be packed.
    """

    def __init__(self, root: Path, folder: Path, *, toy: str, size: CorpusSize, events: tuple[Event, ...]) -> None:
        self._root = root
        self._folder = folder
        self._toy = toy
        self._size = size
        self._waiting = list(list_blocks(events, block_bytes=size.block_bytes))
        self._n_packed_blocks = 0
        self._written: set[Event] = set()
        self.n_packed: Bytes = 0

    @property
    def _archive(self) -> Path:
        return self._folder / f".{self._toy}.7z.whole"

    def begin(self, marker: str) -> None:
        """Put the text that says what this is in front of everything."""
        with writing(self._folder):
            self._folder.mkdir(parents=True)
        append_block(self._archive, self._root, (marker,), filters=PACKED)

    def add(self, event: Event, *, keep: bool) -> None:
        """Take note that an event's recordings are written, and pack what has become complete.

        Args:
            event: Which.
            keep: Whether the files stay when they are packed.
        """
        self._written.add(event)
        while self._waiting and self._written.issuperset(self._waiting[0].events):
            block = self._waiting.pop(0)
            self._written.difference_update(block.events)
            append_block(self._archive, self._root, block.members, filters=self._filters(block))
            self._n_packed_blocks += 1
            self.n_packed += sum(one.n_bytes for one in block.events)
            if not keep:
                self._remove(block)

    def finish(self) -> None:
        """Cut the archive into volumes.

        Raises:
            RuntimeError: Not every event was added.
        """
        if self._waiting:
            raise RuntimeError("an archive is cut before all its blocks are in it")
        cut(self._archive, self._folder, f"{self._toy}.7z", volume_bytes=self._size.volume_bytes)

    def _filters(self, block: EventBlock) -> Filters:
        if block.is_continuous:
            return STORED
        return PACKED if self._n_packed_blocks % 2 else PACKED_DELTA

    def _remove(self, block: EventBlock) -> None:
        with writing(self._root):
            for member in block.members:
                (self._root / member).unlink()
