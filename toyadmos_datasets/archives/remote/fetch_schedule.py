"""The order of a fetch: ranges in the order of need, cut into pieces, none fetched twice at a time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from toyadmos_datasets.archives.remote.block_ranges import ByteRanges, Span, joined
from toyadmos_datasets.archives.remote.remote_source import RemoteSource
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import FetchEstimate, FetchWay

REQUEST_BYTES: Bytes = 4 << 20
"""What a request costs besides its bytes, as bytes: the record allows 60 a minute and often gives 4 MB/s."""
WINDOW_BYTES: Bytes = 1 << 31
"""Where copies are not kept, so much may wait on the disk to be ingested; and the block that is being read."""
SURE_BYTES_SHARE = 0.02
"""Whole volumes may cost so much more and are still chosen: their md5 proves them, and they serve later runs."""


def estimate(source: RemoteSource, wanted: Collection[str]) -> FetchEstimate:
    """Choose the cheaper way to fetch recordings, and reckon what it costs."""
    options, copies = source.options, source.copies
    copies.refresh()
    blocks = copies.wanted_blocks(source.table, wanted)
    spans = [one.expected_span for one in blocks.values()]
    parts = joined([span for span in spans if copies.n_missing(*span)])
    touched = sorted({number for span in spans for number, _, _ in copies.split(*span)})
    numbers = tuple(range(len(copies.volumes))) if options.whole else tuple(touched)
    wholes = [copies.span_of(number) for number in numbers]
    by_blocks = sum(copies.n_missing(*part) for part in parts)
    by_volumes = sum(copies.n_missing(*whole) for whole in wholes)
    way, why = _choose(
        _Cost(_total(joined(spans)), by_blocks, _n_requests(parts)),
        _Cost(_total(wholes), by_volumes, _n_requests(wholes)),
    )
    if options.whole:
        way, why = "volumes", "--whole"
    elif not options.keep_archives:
        way, why = "blocks", "nothing is kept, so whole volumes serve nobody"
    n_missing = by_volumes if way == "volumes" else by_blocks
    n_present = sum(copies.n_present(*span) for span in (wholes if way == "volumes" else spans))
    largest = max((stop - start for start, stop in spans), default=0)
    is_windowed = way == "blocks" and not options.keep_archives
    return FetchEstimate(
        way=way,
        why=why,
        volumes=numbers,
        n_members=sum(one.n_members for one in blocks.values()),
        n_blocks=len(blocks),
        n_blocks_in_archive=len(source.table.blocks),
        n_missing=n_missing,
        n_present=n_present,
        n_in_archive=source.volumes.n_bytes,
        n_on_disk=min(n_missing, WINDOW_BYTES + largest) if is_windowed else n_missing,
        n_on_disk_at_end=n_present + n_missing if options.keep_archives else 0,
    )


class _Cost(NamedTuple):
    """What one way takes: bytes in all, those that are missing, and requests."""

    n_bytes: Bytes
    n_missing: Bytes
    n_requests: int


def _choose(blocks: _Cost, volumes: _Cost) -> tuple[FetchWay, str]:
    """Compare bytes and requests of the two ways."""
    if volumes.n_bytes <= blocks.n_bytes * (1 + SURE_BYTES_SHARE):
        return "volumes", "nearly all of them is needed"
    blocks_cost = blocks.n_missing + blocks.n_requests * REQUEST_BYTES
    volumes_cost = volumes.n_missing + volumes.n_requests * REQUEST_BYTES
    if volumes_cost <= blocks_cost:
        return "volumes", "few requests for little more than is needed"
    return "blocks", "less than the volumes is needed"


def _total(spans: list[Span]) -> Bytes:
    return sum(stop - start for start, stop in spans)


def _n_requests(spans: list[Span]) -> int:
    return sum(-(-(stop - start) // PIECE_BYTES) for start, stop in spans)


PIECE_BYTES: Bytes = 32 << 20
"""One request, where requests are not scarce: so large that its round trip is little beside it, so small that bytes
come about in order."""
LAST_PIECE_BYTES: Bytes = 8 << 20
"""The least that what is left at the end is divided into, so that all connections end together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A range of one volume, for one connection.

    Attributes:
        number: Of the volume.
        start: From this byte of the volume on.
        stop: Up to this one.
        is_ranged: Whether it is asked for as a range; else it is a whole volume, and asked for as that.
    """

    number: int
    start: Bytes
    stop: Bytes
    is_ranged: bool = True


class FetchSchedule:
    """Hands out pieces to several threads.

    Args:
        copies: What is present.
        spans: Ranges of the archive that are wanted, in order.
        n_connections: How many take pieces at once.
        room: Gives how many bytes more may come to lie on the disk; what a reader waits for comes all the same.

    Attributes:
        is_ranged: Whether pieces are asked for as ranges; else whole volumes are.
        piece_bytes: How large pieces are.
    """

    def __init__(
        self,
        copies: VolumeCopies,
        spans: Sequence[Span],
        *,
        n_connections: int = 1,
        room: Callable[[], Bytes] | None = None,
    ) -> None:
        self._copies = copies
        self._n_connections = n_connections
        self._room = room
        self._spans = list(spans)
        self._urgent: list[Span] = []
        self._first = 0
        self._taken = [ByteRanges() for _ in copies.volumes]
        self._dropped = [ByteRanges() for _ in copies.volumes]
        self._lock = threading.Lock()
        self.is_ranged = True
        self.piece_bytes = PIECE_BYTES

    def fetch_first(self, start: Bytes, stop: Bytes) -> None:
        """Put a range before all others, unless it is there already."""
        with self._lock:
            if not any(first <= start and stop <= last for first, last in self._urgent):
                self._urgent.append((start, stop))

    def drop(self, start: Bytes, stop: Bytes) -> None:
        """Want a range no more, although it is not there."""
        with self._lock:
            for number, a, b in self._copies.split(start, stop):
                self._dropped[number].add(a, b)

    def take(self) -> Piece | None:
        """Return what to fetch now; None if all that is wanted is there or being fetched, or if there is no room."""
        with self._lock:
            piece = self._take_urgent() or (self._take_next() if self._has_room() else None)
            if piece is not None:
                self._taken[piece.number].add(piece.start, piece.stop)
            return piece

    def give_back(self, piece: Piece) -> None:
        """Tell that a piece is no longer being fetched, whether it is there or not."""
        with self._lock:
            self._taken[piece.number].remove(piece.start, piece.stop)
            if not self._copies.volumes[piece.number].present.covers(piece.start, piece.stop):
                self._first = 0

    def restart(self) -> None:
        """Look at all ranges anew, since bytes that were there are not any more."""
        with self._lock:
            self._first = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is wanted any more and nothing is on its way."""
        with self._lock:
            self._first = 0
            return not any(taken.n_bytes for taken in self._taken) and self._take_next() is None

    def _has_room(self) -> bool:
        """Tell whether there is room for a piece, with what is on its way to the disk."""
        if self._room is None:
            return True
        pairs = zip(self._taken, self._copies.volumes, strict=True)
        n_on_way = sum(b - a for taken, copy in pairs for span in taken for a, b in copy.present.gaps(*span))
        return self._room() >= n_on_way + self.piece_bytes

    def _take_urgent(self) -> Piece | None:
        while self._urgent:
            piece = self._piece_of(self._urgent[0])
            if piece is not None:
                return piece
            self._urgent.pop(0)
        return None

    def _take_next(self) -> Piece | None:
        while self._first < len(self._spans):
            piece = self._piece_of(self._spans[self._first])
            if piece is not None:
                return piece
            self._first += 1
        return None

    def _piece_of(self, span: Span) -> Piece | None:
        for number, start, stop in self._copies.split(*span):
            free = next(self._free(number, start, stop), None)
            if free is not None and not self.is_ranged:
                return self._whole(number)
            if free is not None:
                return Piece(number=number, start=free[0], stop=min(free[1], free[0] + self._next_bytes()))
        return None

    def _next_bytes(self) -> Bytes:
        """How large the next piece is: what is left at the end is divided among all connections."""
        shared, left = self.piece_bytes * self._n_connections, 0
        urgent = ByteRanges(self._urgent)
        rest = (part for span in self._spans[self._first :] for part in urgent.gaps(*span))
        for span in itertools.chain(urgent, rest):
            left += sum(b - a for part in self._copies.split(*span) for a, b in self._free(*part))
            if left >= shared:
                return self.piece_bytes
        return min(self.piece_bytes, max(left // self._n_connections, LAST_PIECE_BYTES))

    def _free(self, number: int, start: Bytes, stop: Bytes) -> Iterator[Span]:
        """Give the parts that are neither there nor on their way nor no longer wanted."""
        for gap in self._copies.volumes[number].present.gaps(start, stop):
            for wanted in self._dropped[number].gaps(*gap):
                yield from self._taken[number].gaps(*wanted)

    def _whole(self, number: int) -> Piece | None:
        size = self._copies.volumes[number].volume.n_bytes
        if self._taken[number].n_bytes:
            return None
        return Piece(number=number, start=0, stop=size, is_ranged=False)
