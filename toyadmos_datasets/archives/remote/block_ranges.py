"""Byte ranges, and which of them each solid block needs of each volume."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from toyadmos_datasets.archives.sevenzip.archive_contents import PackedBlock
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.units import Bytes

Span: TypeAlias = tuple[Bytes, Bytes]
"""The bytes from the first number up to the second, which is not one of them."""


class ByteRanges:
    """Byte ranges as a set of bytes: sorted, disjoint, and never two that touch.

    Args:
        spans: What is in it from the start, in any order.
    """

    __slots__ = ("_bounds",)

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        # Always replaced as one: a thread that reads sees the set as it was or as it is, nothing between.
        self._bounds: tuple[list[Bytes], list[Bytes]] = ([], [])
        for start, stop in spans:
            self.add(start, stop)

    def __iter__(self) -> Iterator[Span]:
        return zip(*self._bounds, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteRanges) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"ByteRanges({list(self)})"

    @property
    def n_bytes(self) -> Bytes:
        """How many bytes are in it."""
        starts, stops = self._bounds
        return sum(stops) - sum(starts)

    def add(self, start: Bytes, stop: Bytes) -> None:
        """Put a range in."""
        if start >= stop:
            return
        starts, stops = self._bounds
        first = bisect.bisect_left(stops, start)
        last = bisect.bisect_right(starts, stop)
        if first < last:
            start, stop = min(start, starts[first]), max(stop, stops[last - 1])
        self._bounds = ([*starts[:first], start, *starts[last:]], [*stops[:first], stop, *stops[last:]])

    def remove(self, start: Bytes, stop: Bytes) -> None:
        """Take a range out."""
        if start >= stop:
            return
        starts, stops = self._bounds
        first = bisect.bisect_right(stops, start)
        last = bisect.bisect_left(starts, stop)
        met = list(zip(starts[first:last], stops[first:last], strict=True))
        kept = [(a, start) for a, _ in met if a < start] + [(stop, b) for _, b in met if b > stop]
        self._bounds = (
            [*starts[:first], *(a for a, _ in kept), *starts[last:]],
            [*stops[:first], *(b for _, b in kept), *stops[last:]],
        )

    def covers(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether all bytes of a range are in it."""
        return start >= stop or self.reach(start) >= stop

    def meets(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether any byte of a range is in it."""
        return self.gaps(start, stop) != [(start, stop)] if start < stop else False

    def reach(self, start: Bytes) -> Bytes:
        """Return up to where all bytes from `start` on are in it: `start` itself if that one is not."""
        starts, stops = self._bounds
        place = bisect.bisect_right(starts, start) - 1
        return max(start, stops[place]) if place >= 0 else start

    def gaps(self, start: Bytes, stop: Bytes) -> list[Span]:
        """Return the parts of a range that are not in it."""
        starts, stops = self._bounds
        found = []
        place = bisect.bisect_right(stops, start)
        while start < stop:
            if place < len(starts) and starts[place] < stop:
                if start < starts[place]:
                    found.append((start, starts[place]))
                start = stops[place]
                place += 1
            else:
                found.append((start, stop))
                break
        return found


def merged(spans: Iterable[Span], *, gap_share: float, max_gap: Bytes) -> list[Span]:
    """Join ranges that are so near that fetching what lies between costs less than another request.

    Args:
        spans: Ranges in any order.
        gap_share: A gap may be at most this share of the range before it.
        max_gap: And at most so large, bytes.
    """
    joined: list[Span] = []
    for start, stop in ByteRanges(spans):
        if joined and start - joined[-1][1] <= min(max_gap, gap_share * (joined[-1][1] - joined[-1][0])):
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


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
SPARE_SHARE = 0.05
"""So much more than seems to be left is fetched at the end, since one more request costs more than these bytes."""
LOOKAHEAD_SHARE = 0.2
"""How much of what a block is reckoned to need lies before its decoder when it asks for more."""
LOOKAHEAD_BYTES: Bytes = 32 << 20
"""But not more: as much as one connection brings, while a decoder waits for what another one brings before it."""
MERGE_GAP_BYTES: Bytes = 1 << 20
"""About what comes during the round trip of one more request."""
MERGE_GAP_SHARE = 0.02
"""Keeps what is fetched in vain below this share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBlock:
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
    def estimated_bytes(self) -> Bytes:
        """Packed bytes that are needed, if the block is packed evenly."""
        if self.known_stop is not None:
            return self.known_stop - self.block.offset
        if self.is_exact:
            return self.block.n_packed_bytes if self.n_bytes == self.block.n_bytes else self.n_bytes
        return -(-self.block.n_packed_bytes * self.n_bytes // self.block.n_bytes)

    @property
    def initial_span(self) -> Span:
        """The bytes of the archive that are fetched without being asked for."""
        share = SURE_SHARE_OF_LARGE if self.estimated_bytes > LARGE_BYTES else SURE_SHARE
        n_bytes = self.estimated_bytes if self.is_exact else max(int(self.estimated_bytes * share), STEP_BYTES)
        return self.block.offset, min(self.block.offset + n_bytes, self.block.stop)

    @property
    def expected_span(self) -> Span:
        """The bytes of the archive that are fetched in the end, as far as can be reckoned."""
        return self.block.offset, min(self.block.offset + self.estimated_bytes, self.block.stop)

    @property
    def lookahead_bytes(self) -> Bytes:
        """How much before what is fetched ends a decoder asks for more, so that it need not wait for it."""
        return 0 if self.is_exact else min(int(self.estimated_bytes * LOOKAHEAD_SHARE), LOOKAHEAD_BYTES)

    def stop_ahead(self, until: Bytes, position: Bytes, n_decoded: Bytes) -> Bytes | None:
        """Return up to where to fetch on before a decoder reaches `until`, where what is fetched ends.

        None if it is far from there, or if another request would bring less than half of what then seems to be missing.
        """
        if not n_decoded or position < until - self.lookahead_bytes:
            return None
        n_missing = min(position + self._bytes_left(position, n_decoded), self.block.stop) - until
        stop = self.next_stop(position, n_decoded)
        return stop if n_missing > 0 and 2 * (stop - until) >= n_missing else None

    def _bytes_left(self, position: Bytes, n_decoded: Bytes) -> Bytes:
        """Reckon how many packed bytes more are needed, if the rest is packed as what was decoded."""
        return max(self.n_bytes - n_decoded, 0) * (position - self.block.offset) // n_decoded

    def next_stop(self, position: Bytes, n_decoded: Bytes) -> Bytes:
        """Return up to where to fetch on for a decoder that has used up all bytes before `position`."""
        if not n_decoded:
            return min(position + (1 << 20), self.block.stop)
        left = self._bytes_left(position, n_decoded)
        if left > MUCH_BYTES:
            left = int(left * NEXT_SHARE)
        else:
            left += int(left * SPARE_SHARE) + STEP_BYTES
        return min(position + left, self.block.stop)


def joined(spans: list[Span]) -> list[Span]:
    """Merge ranges of the archive that are near each other."""
    return merged(spans, gap_share=MERGE_GAP_SHARE, max_gap=MERGE_GAP_BYTES)


@dataclass(slots=True)
class _ShownBlock:
    """A block that bytes have come of."""

    wanted: WantedBlock
    close: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    show: Callable[[int], None] | None = None
    done: Bytes = 0
    is_over: bool = False

    def end(self) -> None:
        """Close its stage; nothing is shown there any more."""
        self.is_over = True
        self.close.close()


class BlockProgress:
    """Opens a stage with a block's first bytes and closes it with the last that were reckoned.

    Args:
        wanted_blocks: What is fetched of each block.
        progress: Shows the stages.
    """

    def __init__(self, wanted_blocks: Mapping[int, WantedBlock], progress: Progress) -> None:
        self._blocks = [_ShownBlock(one) for one in sorted(wanted_blocks.values(), key=lambda one: one.block.offset)]
        self._starts = [one.wanted.block.offset for one in self._blocks]
        self._progress = progress
        self._lock = threading.Lock()

    def note(self, position: Bytes, n_bytes: int) -> None:
        """Take note of bytes of the archive that have come."""
        place = bisect.bisect_right(self._starts, position) - 1
        if place < 0 or position >= self._blocks[place].wanted.block.stop:
            return
        with self._lock:
            block = self._blocks[place]
            if block.is_over:  # more came than was reckoned, as where whole volumes are fetched
                return
            size = block.wanted.expected_span[1] - block.wanted.expected_span[0]
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
