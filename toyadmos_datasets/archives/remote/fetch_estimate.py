"""What a fetch would bring, and in which of the two ways: known from the header, before it begins."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from toyadmos_datasets.archives.remote.block_ranges import joined
from toyadmos_datasets.archives.remote.byte_ranges import Span
from toyadmos_datasets.archives.remote.fetch_schedule import PIECE_BYTES
from toyadmos_datasets.archives.remote.remote_source import RemoteSource
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
