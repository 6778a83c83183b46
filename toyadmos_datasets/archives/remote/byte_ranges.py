"""Sets of byte ranges."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import TypeAlias

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
