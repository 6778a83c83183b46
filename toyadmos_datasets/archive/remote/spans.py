"""Sets of byte ranges."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from toyadmos_datasets.units import Bytes

Span: TypeAlias = tuple[Bytes, Bytes]
"""The bytes from the first number up to the second, which is not one of them."""


class Spans:
    """Byte ranges as a set of bytes: sorted, disjoint, and never two that touch.

    Args:
        spans: What is in it from the start, in any order.
    """

    __slots__ = ("_starts", "_stops")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[Bytes] = []
        self._stops: list[Bytes] = []
        for start, stop in spans:
            self.add(start, stop)

    def __iter__(self) -> Iterator[Span]:
        return iter(list(zip(self._starts, self._stops, strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Spans({list(self)})"

    @property
    def n_bytes(self) -> Bytes:
        """How many bytes are in it."""
        return sum(self._stops) - sum(self._starts)

    def add(self, start: Bytes, stop: Bytes) -> None:
        """Put a range in."""
        if start >= stop:
            return
        first = bisect.bisect_left(self._stops, start)
        last = bisect.bisect_right(self._starts, stop)
        if first < last:
            start, stop = min(start, self._starts[first]), max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def remove(self, start: Bytes, stop: Bytes) -> None:
        """Take a range out."""
        if start >= stop:
            return
        first = bisect.bisect_right(self._stops, start)
        last = bisect.bisect_left(self._starts, stop)
        left = [(a, b) for a, b in zip(self._starts[first:last], self._stops[first:last], strict=True)]
        kept = [(a, min(b, start)) for a, b in left if a < start] + [(max(a, stop), b) for a, b in left if b > stop]
        self._starts[first:last] = [a for a, _ in kept]
        self._stops[first:last] = [b for _, b in kept]

    def covers(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether all bytes of a range are in it."""
        return start >= stop or self.reach(start) >= stop

    def reach(self, start: Bytes) -> Bytes:
        """Return up to where all bytes from `start` on are in it: `start` itself if that one is not."""
        place = bisect.bisect_right(self._starts, start) - 1
        return max(start, self._stops[place]) if place >= 0 else start

    def gaps(self, start: Bytes, stop: Bytes) -> list[Span]:
        """Return the parts of a range that are not in it."""
        found = []
        place = bisect.bisect_right(self._stops, start)
        while start < stop:
            if place < len(self._starts) and self._starts[place] < stop:
                if start < self._starts[place]:
                    found.append((start, self._starts[place]))
                start = self._stops[place]
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
    for start, stop in Spans(spans):
        if joined and start - joined[-1][1] <= min(max_gap, gap_share * (joined[-1][1] - joined[-1][0])):
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
