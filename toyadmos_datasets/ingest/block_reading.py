"""Recordings of a block, read from wherever they can be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

from toyadmos_datasets.engine import Watch
from toyadmos_datasets.errors import CorruptMemberError
from toyadmos_datasets.ingest.task_cuts import BlockRun
from toyadmos_datasets.values.source import Member, Restart, Source

TakeRecording: TypeAlias = Callable[[Member, Iterator[bytes]], None]
"""Takes the bytes of a recording; raises the CorruptMemberError that reading them raises."""


class BlockReader:
    """Hands out the wanted recordings of a block.

    A recording is wrong when it is wrong from wherever it is decoded. From its block's beginning, a damaged byte may
    spoil all that follows. From a restart, what a filter did before is guessed. So what is wrong from one is read from
    the other, and the number of workers does not change which recordings are wrong.

    Args:
        source: Has the block.
        block: Its number.
        wanted: Paths of recordings; those that are not in this block are ignored.
        take: Takes each recording.
        watch: Told which recording is read.
        goes_on: Whether reading goes on after a recording that is wrong.
    """

    def __init__(
        self,
        source: Source,
        block: int,
        wanted: Collection[str],
        take: TakeRecording,
        *,
        watch: Watch,
        goes_on: bool,
    ) -> None:
        self._source = source
        self._block = block
        self._wanted = frozenset(wanted)
        self._take = take
        self._watch = watch
        self._goes_on = goes_on
        self._done: set[str] = set()

    def read(self, run: BlockRun | None = None) -> dict[str, CorruptMemberError]:
        """Read the recordings, and return the errors of those that are wrong, by path.

        Args:
            run: The parts of the block that they are in, where other tasks read others; None for the whole block.

        Raises:
            CorruptMemberError: A recording is wrong, and reading is not to go on.
        """
        restart = None if run is None else run.part.restart
        on_bytes = self._watch.advance if run is None else run.counting(self._watch.advance)
        wrong: dict[str, CorruptMemberError] = {}
        is_right = True
        for path, error in self._failures(self._wanted, restart, on_bytes):
            is_right = False
            if restart is None:
                wrong[path] = error
            if not self._goes_on:
                break
        return {} if is_right else self._read_again(wrong)

    def _read_again(self, wrong: dict[str, CorruptMemberError]) -> dict[str, CorruptMemberError]:
        """Read what is left from the restart before each recording, and then what is still left from the beginning.

        Args:
            wrong: Errors of the recordings that were wrong from the block's beginning.
        """
        for part in self._source.parts(self._block, self._wanted - self._done):
            if part.restart is not None:
                for _ in self._failures(part.members, part.restart, self._uncounted):
                    pass
            for path in part.members:
                if path in wrong.keys() - self._done and not self._goes_on:
                    raise wrong[path]
        for path, error in self._failures(self._wanted - self._done - wrong.keys(), None, self._uncounted):
            wrong[path] = error
            if not self._goes_on:
                raise error
        return {path: error for path, error in wrong.items() if path not in self._done}

    def _failures(
        self, wanted: Collection[str], restart: Restart | None, on_bytes: Callable[[int], None]
    ) -> Iterator[tuple[str, CorruptMemberError]]:
        """Hand out recordings; yield those that cannot be read from here, with the reason."""
        for member, chunks in self._source.read(self._block, wanted, on_bytes, restart):
            self._watch.advance(at=member.path)
            try:
                self._take(member, chunks)
            except CorruptMemberError as error:
                yield member.path, error
                continue
            self._done.add(member.path)

    def _uncounted(self, _n_bytes: int) -> None:
        self._watch.advance()
