"""How what is to be ingested is cut into tasks: small blocks together, a large one in runs of its parts."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from toyadmos_datasets.engine import LazyTasks
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import BlockPart, Source

TASKS_A_WORKER = 4
"""Work is cut so that every worker gets about this many tasks, and none waits long for the last."""

LEAD_SHARE = 16
"""What a run decodes before its first recording, and drops, is at most this part of a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRun:
    """Parts of one block that one task decodes in one go.

    Attributes:
        part: The parts, joined.
        counted_from: Where in the decoded block the run before it ends: from there on its bytes count as progress.
    """

    part: BlockPart
    counted_from: Bytes

    def counting(self, advance: Callable[[int], None]) -> Callable[[int], None]:
        """Return what is told of decoded bytes, and tells of those that no other run decodes, too.

        Args:
            advance: Told of them, with those that need not be decoded.
        """
        position = 0 if self.part.restart is None else self.part.restart.offset
        counted = self.counted_from

        def count(n_bytes: int) -> None:
            """Count what is new."""
            nonlocal position, counted
            position += n_bytes
            advance(max(position - counted, 0))
            counted = max(counted, position)

        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCut:
    """What one task reads.

    Attributes:
        first: Place of its first block among those that have wanted members.
        stop: Place after its last block; `first` for a task that has nothing to do.
        run: The only part of its only block that it reads; None where it reads whole blocks.
    """

    first: int
    stop: int
    run: BlockRun | None = None


def bytes_by_block(source: Source, wanted: set[str]) -> dict[int, Bytes]:
    """Return the decoded bytes of each block that has wanted members, up to the last of them."""
    so_far: dict[int, Bytes] = defaultdict(int)
    needed: dict[int, Bytes] = {}
    for member in source.members():
        so_far[member.block] += member.n_bytes
        if member.path in wanted:
            needed[member.block] = so_far[member.block]
    return needed


def large_blocks(cost: Mapping[int, Bytes], workers: int) -> dict[int, Bytes]:
    """Return the blocks that are more than one of several workers' share, with what of them is decoded.

    Args:
        cost: Decoded bytes of each block that has wanted members.
        workers: Number of processes.
    """
    share = sum(cost.values()) // (workers * TASKS_A_WORKER)
    return {block: n_bytes for block, n_bytes in cost.items() if workers > 1 and n_bytes > share}


def cut_tasks(
    source: Source,
    cost: Mapping[int, Bytes],
    parts_of: Callable[[int], Iterator[BlockPart]],
    *,
    limit: Bytes,
    workers: int,
) -> LazyTasks[TaskCut]:
    """Cut blocks into tasks of at most about `limit` bytes each, and enough for all workers.

    For a block that is larger and may be shared, as many tasks as could share it are counted. Its parts are looked for
    when their turns come, just ahead of decoding; if there turn out to be fewer, the last tasks have nothing to do.

    Args:
        source: Where the blocks are.
        cost: Decoded bytes of each block that has wanted members, in the order of blocks.
        parts_of: Gives the parts of a block, by number; `Source.parts`.
        limit: The most that a task should decode, bytes.
        workers: Number of processes. One decodes every block in one go.
    """
    large = large_blocks(cost, workers)
    shared = {block.number for block in source.blocks() if block.may_be_shared} & large.keys() if large else set()
    limit = max(1, min(limit, sum(cost.values()) // (workers * TASKS_A_WORKER)) if workers > 1 else limit)
    cuts: list[Callable[[], TaskCut]] = []
    begin, room = 0, limit
    for place, (block, n_bytes) in enumerate(cost.items()):
        if place > begin and (block in shared or room < n_bytes):
            cuts.append(_whole(begin, place))
            begin, room = place, limit
        room -= n_bytes
        if block in shared:
            cuts += _SharedBlock(place, functools.partial(parts_of, block), limit, n_bytes // limit + 1).cuts()
            begin, room = place + 1, limit
    if begin < len(cost):
        cuts.append(_whole(begin, len(cost)))
    return LazyTasks(len(cuts), lambda number: cuts[number]())


def _whole(first: int, stop: int) -> Callable[[], TaskCut]:
    return functools.partial(TaskCut, first=first, stop=stop)


@dataclass(slots=True)
class _SharedBlock:
    """A block that several tasks share.

    Args:
        place: Its place among the blocks.
        find_parts: Begins to look for its parts.
        limit: What each task should decode, bytes.
        n_tasks: How many tasks there are for it.
    """

    place: int
    find_parts: Callable[[], Iterator[BlockPart]]
    limit: Bytes
    n_tasks: int
    _found: list[BlockRun] = field(default_factory=list, init=False)
    _runs: Iterator[BlockRun] | None = field(default=None, init=False)

    def cuts(self) -> list[Callable[[], TaskCut]]:
        """Return what makes each task when its turn comes."""
        return [functools.partial(self._cut, number) for number in range(self.n_tasks)]

    def _cut(self, number: int) -> TaskCut:
        if self._runs is None:
            self._runs = join_parts(self.find_parts(), limit=self.limit, most=self.n_tasks)
        while len(self._found) <= number and (run := next(self._runs, None)) is not None:
            self._found.append(run)
        if number >= len(self._found):
            return TaskCut(first=self.place, stop=self.place)
        return TaskCut(first=self.place, stop=self.place + 1, run=self._found[number])


def join_parts(parts: Iterator[BlockPart], *, limit: Bytes, most: int) -> Iterator[BlockRun]:
    """Join parts of a block that follow each other into runs.

    Args:
        parts: In stored order.
        limit: A run goes on until it has so many bytes, and until one begins near a place where decoding may begin.
        most: How many runs there may be.
    """
    run: BlockPart | None = None
    counted_from, n_runs = 0, 1
    for part in parts:
        lead = part.begin - (part.restart.offset if part.restart is not None else 0)
        is_enough = run is not None and run.stop - counted_from >= limit and n_runs < most
        if run is None:
            run = part
        elif is_enough and lead * LEAD_SHARE <= limit:
            yield BlockRun(part=run, counted_from=counted_from)
            run, counted_from, n_runs = part, run.stop, n_runs + 1
        else:
            run = replace(run, members=(*run.members, *part.members), stop=part.stop)
    if run is not None:
        yield BlockRun(part=run, counted_from=counted_from)
