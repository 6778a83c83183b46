"""Using a source while its bytes arrive."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toyadmos_datasets.archives.remote.fetch_schedule import estimate
from toyadmos_datasets.archives.remote.remote_source import RemoteSource
from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import CorruptMemberError, FetchError, VolumeError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import FetchEstimate, Result, Source

if TYPE_CHECKING:
    from toyadmos_datasets.archives.remote.fetch_session import FetchSession

_TASK_BYTES: Bytes = 64_000_000
"""Blocks are checked in tasks of about so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckBlocks:
    """One task: blocks whose wanted recordings are read once, for their CRC32."""

    source: Source
    blocks: tuple[int, ...]
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchingSource(RemoteSource):
    """Recordings in an archive on the web that are fetched when they are used."""

    def fetch_estimate(self, wanted: Collection[str]) -> FetchEstimate | None:
        """Tell what is not on the disk yet, and in which way it would be fetched."""
        return estimate(self, wanted)

    def using(
        self,
        wanted: Collection[str],
        use: Callable[[Source], Result],
        *,
        progress: Progress,
        stored: Callable[[], Collection[str]] | None = None,
    ) -> Result:
        """Use the recordings while they are fetched."""
        return use_fetched(self, wanted, use, progress=progress, stored=stored)

    def fetch(self, wanted: Collection[str], *, progress: Progress, workers: int = 1) -> None:
        """Fetch recordings and check them: volumes by MD5, blocks by the CRC32 of their recordings."""

        def use(session: FetchSession) -> None:
            """Wait for whole volumes, which are checked as they come; read blocks, which checks them."""
            if session.estimate.way == "volumes":
                session.wait()
                return
            tasks = check_tasks(session.source, wanted)
            for _ in run_tasks(check_blocks, tasks, workers=workers):
                pass

        if wanted and not is_all_there(self, wanted):
            _trying_twice(self, wanted, use, progress=progress)


def use_fetched(
    source: RemoteSource,
    wanted: Collection[str],
    use: Callable[[Source], Result],
    *,
    progress: Progress,
    stored: Callable[[], Collection[str]] | None = None,
) -> Result:
    """Use a source's wanted recordings while they are fetched.

    Blocks whose recordings come damaged are fetched and used once more.

    Args:
        source: What is fetched.
        wanted: Paths of the recordings that are used.
        use: Called with the source to read from.
        progress: Told about bytes.
        stored: Where copies are not kept: gives the paths that need their bytes no more.

    Raises:
        FetchError: The server does not give what is missing.
        VolumeError: A volume is another one than was published.
        BusyError: Another process is fetching the same archive, and that is not waited for.
    """
    if not wanted:
        return use(source)
    if source.options.keep_archives and is_all_there(source, wanted):
        with contextlib.suppress(CorruptMemberError):  # it has changed on the disk, and is fetched again
            result = use(source)
            if not _has_suspects(source, wanted):
                return result

    def use_session(session: FetchSession) -> Result:
        """Use what comes, and wait for what is still to come."""
        result = use(session.source)
        if session.estimate.way == "volumes":
            session.wait()  # what was used may end before the volumes do
        return result

    return _trying_twice(source, wanted, use_session, progress=progress, stored=stored)


def is_all_there(source: RemoteSource, wanted: Collection[str]) -> bool:
    """Tell whether recordings were fetched and found right before, so that nothing is asked for and nothing written."""
    copies, found = source.copies, estimate(source, wanted)
    if found.n_missing:
        return False
    if found.way == "volumes":
        return all(copies.volumes[number].is_verified for number in found.volumes)
    return all(one.known_stop is not None for one in copies.wanted_blocks(source.table, wanted).values())


def check_blocks(task: CheckBlocks, watch: Watch) -> None:
    """Decode blocks up to their last wanted recording; reading checks each."""
    for block in task.blocks:
        for member, chunks in task.source.read(block, task.wanted, watch.advance):
            watch.advance(at=member.path)
            for _ in chunks:
                pass


def check_tasks(source: Source, wanted: Collection[str]) -> list[CheckBlocks]:
    """Cut the blocks of wanted recordings into tasks."""
    names = frozenset(wanted)
    by_block: dict[int, set[str]] = defaultdict(set)
    for member in source.members():
        if member.path in names:
            by_block[member.block].add(member.path)
    sizes = {block.number: block.n_bytes for block in source.blocks()}
    groups: list[list[int]] = []
    room = 0
    for block in sorted(by_block):
        if room <= 0:
            groups.append([])
            room = _TASK_BYTES
        groups[-1].append(block)
        room -= sizes.get(block, 0)
    return [
        CheckBlocks(source=source, blocks=tuple(group), wanted=frozenset().union(*(by_block[one] for one in group)))
        for group in groups
    ]


def _trying_twice(
    source: RemoteSource,
    wanted: Collection[str],
    use: Callable[[FetchSession], Result],
    *,
    progress: Progress,
    stored: Callable[[], Collection[str]] | None = None,
) -> Result:
    from toyadmos_datasets.archives.remote.fetch_session import open_session  # noqa: PLC0415  # loads httpx2, which most never need

    change: FetchError | None = None
    for is_last in (False, True):
        try:
            with open_session(source, wanted, progress, stored) as session:
                try:
                    result = use(session)
                finally:
                    change = session.change_error() or change
        except CorruptMemberError as error:
            if is_last or not _has_suspects(source, wanted):
                if change is not None:
                    raise change from error
                raise
        except VolumeError as error:
            if change is not None:  # noticed at the first attempt; replies to the second one were all of the new file
                raise change from error
            raise
        else:
            if is_last or not _has_suspects(source, wanted):
                return result
        progress.say("Recordings came damaged: their blocks are fetched once more.")
    raise AssertionError("the last attempt returns or raises")


def _has_suspects(source: RemoteSource, wanted: Collection[str]) -> bool:
    source.copies.refresh()
    names = frozenset(wanted)
    numbers = {member.block for member in source.members() if member.path in names}
    blocks = [block for block in source.table.blocks if block.number in numbers]
    return any(source.copies.has_suspects(block.offset, block.stop) for block in blocks)
