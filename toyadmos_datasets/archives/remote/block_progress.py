"""Progress of single blocks: each has a stage of its own while its bytes come."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from toyadmos_datasets.archives.remote.block_ranges import BlockNeed
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.units import Bytes


@dataclass(slots=True)
class _Open:
    """A block that bytes have come of."""

    need: BlockNeed
    close: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    show: Callable[[int], None] | None = None
    done: Bytes = 0
    is_over: bool = False

    def end(self) -> None:
        """Close its stage; nothing is shown there any more."""
        self.is_over = True
        self.close.close()


class BlockBars:
    """Opens a stage with a block's first bytes and closes it with the last that were reckoned.

    Args:
        needs: What is fetched of each block.
        progress: Shows the stages.
    """

    def __init__(self, needs: Mapping[int, BlockNeed], progress: Progress) -> None:
        self._blocks = [_Open(need) for need in sorted(needs.values(), key=lambda one: one.block.offset)]
        self._starts = [one.need.block.offset for one in self._blocks]
        self._progress = progress
        self._lock = threading.Lock()

    def note(self, position: Bytes, n_bytes: int) -> None:
        """Take note of bytes of the archive that have come."""
        place = bisect.bisect_right(self._starts, position) - 1
        if place < 0 or position >= self._blocks[place].need.block.stop:
            return
        with self._lock:
            block = self._blocks[place]
            if block.is_over:  # more came than was reckoned, as where whole volumes are fetched
                return
            size = block.need.expected[1] - block.need.expected[0]
            if block.show is None:
                name = f"  block {place + 1} of {len(self._blocks)}"
                block.show = block.close.enter_context(self._progress.stage(name, size, "bytes"))
            block.done += n_bytes
            block.show(min(block.done, size))
            if block.done >= size:
                block.end()

    def end(self) -> None:
        """Close what is still open."""
        with self._lock:
            for block in self._blocks:
                block.end()
