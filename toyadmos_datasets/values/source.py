"""The interface of every source of recordings.

All stages know sources only through this protocol; `archives` has the implementations: a tree of WAV files, the volumes
of a 7z archive, and volumes on the web.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from toyadmos_datasets.engine.progress import Progress

Result = TypeVar("Result")
FetchWay: TypeAlias = Literal["blocks", "volumes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in a source.

    Attributes:
        path: Forward slashes, starting with the toy: ``ToyTrain/case1/NormalSound_IND/....wav``.
        n_bytes: Size of the file, bytes.
        crc32: CRC32 of the whole file, or None where only reading it would tell (a tree).
        block: Number of the block that holds it.
    """

    path: str
    n_bytes: int
    crc32: int | None
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a source that can be decoded by itself.

    Attributes:
        number: Position in the source, from 0.
        n_bytes: Decoded size, bytes.
        n_packed_bytes: Size in the archive, bytes (the same for a tree).
        method: Coders as 7-Zip writes them (``LZMA2:24``, ``Delta:2 LZMA``, ``Copy``).
        may_be_shared: Whether it may have `parts` that several workers decode at once; only looking for them tells.
    """

    number: int
    n_bytes: int
    n_packed_bytes: int
    method: str
    may_be_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFile:
    """A file of an archive on the disk.

    Attributes:
        path: Where it is, or will be once it is fetched.
        n_bytes: Its full size.
    """

    path: Path
    n_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A place inside a block at which decoding may begin.

    Attributes:
        position: Where its packed bytes are, as the source counts them.
        offset: Where in the decoded block it is.
    """

    position: Bytes
    offset: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPart:
    """Wanted members of a block that follow each other, and where decoding may begin for them.

    Attributes:
        block: Number of the block.
        members: Their paths, in stored order.
        restart: The last place at or before the first of them; None for the block's own beginning.
        begin: Where in the decoded block the first of them begins.
        stop: Where in the decoded block the last of them ends.
    """

    block: int
    members: tuple[str, ...]
    restart: Restart | None
    begin: Bytes
    stop: Bytes


MAX_EXAMPLES = 10
"""How many names an oddity lists; it counts all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """Something in a source or its recordings that is not as published, and is read all the same.

    Attributes:
        code: Stable name of the kind, such as ``digits``, ``noise_name``, ``length``, ``passed_over``.
        what: One sentence that states it.
        n: How many files it is true of.
        examples: Paths of the first of them, at most `MAX_EXAMPLES`, sorted.
    """

    code: str
    what: str
    n: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchEstimate:
    """What is fetched before recordings are read, known from the archive's header.

    Attributes:
        way: ``blocks`` (ranges of the wanted blocks) or ``volumes`` (whole files).
        why: The reason for it, for people.
        volumes: For the way ``volumes``: numbers of those that are fetched.
        n_members: Wanted recordings.
        n_blocks: Blocks that hold them.
        n_blocks_in_archive: Blocks that there are.
        n_missing: Bytes to fetch.
        n_present: Bytes of those needed that are there.
        n_in_archive: Bytes in all volumes.
        n_on_disk: Room needed while fetching.
        n_on_disk_at_end: Of which so much stays.
    """

    way: FetchWay
    why: str
    volumes: tuple[int, ...]
    n_members: int
    n_blocks: int
    n_blocks_in_archive: int
    n_missing: Bytes
    n_present: Bytes
    n_in_archive: Bytes
    n_on_disk: Bytes
    n_on_disk_at_end: Bytes


class Source(Protocol):
    """A picklable, read-only collection of members in independent blocks."""

    @property
    def toy(self) -> str:
        """The toy whose recordings these are: ``ToyCar``, ``ToyConveyor`` or ``ToyTrain``."""

    @property
    def kind(self) -> str:
        """``tree`` or ``volumes``."""

    @property
    def location(self) -> str:
        """Where it is, for people."""

    @property
    def identity(self) -> str:
        """Hex SHA-256 that changes when any byte of any member may have changed."""

    @property
    def is_simulated(self) -> bool:
        """Whether the recordings were synthesised by this package."""

    @property
    def ignored(self) -> str:
        """Hash over the recordings that the user wants left out; empty where none are."""

    @property
    def oddities(self) -> tuple[Oddity, ...]:
        """What was found when the source was listed that is not as published and does no harm."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that belong to the recordings alone, so that nothing else is written there; none for an archive."""

    @property
    def volume_files(self) -> tuple[VolumeFile, ...]:
        """The files that the archive consists of, in order; none for a tree."""

    @property
    def sample_file(self) -> Path | None:
        """A file of the source, by which a worker elsewhere proves that it sees it; None where all is in the cache."""

    def members(self) -> Sequence[Member]:
        """All files, ordered by block and by position in it; only WAV files."""

    def blocks(self) -> Sequence[Block]:
        """All blocks, ordered by number."""

    def parts(self, block: int, wanted: Collection[str]) -> Iterator[BlockPart]:
        """Yield the wanted members of one block in parts that can be decoded independently of each other.

        Parts are found as the iterator is asked for more: nothing is decoded, and the source is read little further
        than each part's end. A source that knows no place inside the block yields one part.

        Args:
            block: Number of the block.
            wanted: Member paths; those that are not in this block are ignored.
        """

    def read(
        self,
        block: int,
        wanted: Collection[str],
        on_bytes: Callable[[int], None] | None = None,
        restart: Restart | None = None,
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream the wanted members of one block, each as chunks, in stored order.

        The chunks of a member are consumed before the next member is asked for (what is left of them is
        read and dropped). Decoding stops after the last wanted member.

        Args:
            block: Number of the block.
            wanted: Member paths; those that are not in this block are ignored.
            on_bytes: Told how many more bytes were decoded, dropped ones included.
            restart: Where to begin, from one of `parts`; no wanted member begins before it. By default at the block's
                beginning, which alone tells for certain that a member is wrong.

        Raises:
            CorruptMemberError: At the end of a member whose size or CRC32 is not the header's.
        """

    def fetch_estimate(self, wanted: Collection[str]) -> FetchEstimate | None:
        """Tell what `using` and `fetch` would fetch for these members; None where all is on the disk."""

    def fetch(self, wanted: Collection[str], *, progress: Progress, workers: int = 1) -> None:
        """Fetch members and check them; nothing is done where all is on the disk.

        Args:
            wanted: Paths of the members.
            progress: Told about bytes that are fetched.
            workers: Processes that check what has come.

        Raises:
            FetchError: The server does not give what is missing.
            VolumeError: A volume is another one than was published.
            CorruptMemberError: A member came damaged, twice.
            BusyError: Another process is fetching the same archive, and that is not waited for.
        """

    def using(
        self,
        wanted: Collection[str],
        use: Callable[[Source], Result],
        *,
        progress: Progress,
        stored: Callable[[], Collection[str]] | None = None,
    ) -> Result:
        """Call `use` with a source from which the wanted members can be read, fetching them meanwhile if need be.

        A function, not a block: it is called once more where members came damaged and were fetched again.

        Args:
            wanted: Paths of the members that are read.
            use: What reads them.
            progress: Told about bytes that are fetched.
            stored: Where copies are not kept: gives the paths that need their bytes no more.

        Raises:
            FetchError: The server does not give what is missing.
            VolumeError: A volume is another one than was published.
            BusyError: Another process is fetching the same archive, and that is not waited for.
        """
