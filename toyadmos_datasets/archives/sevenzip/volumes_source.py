"""A source that is a 7z archive, in volumes or whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archives.file_kinds import Ignore
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable
from toyadmos_datasets.archives.sevenzip.block_parts import find_parts
from toyadmos_datasets.archives.sevenzip.block_reader import read_block
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet
from toyadmos_datasets.archives.source_reading import OnDisk
from toyadmos_datasets.errors import SourceNotFoundError
from toyadmos_datasets.values.source import Block, BlockPart, Member, Oddity, Restart, VolumeFile


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumesSource(OnDisk):
    """Recordings in an archive; satisfies `values.source.Source`.

    Attributes:
        toy: The toy whose recordings these are.
        volumes: The files of the archive.
        table: What its header says.
        identity: Hash over its toy, size and header.
        oddities: What was found when the header was read that is not as published and does no harm.
    """

    toy: str
    volumes: VolumeSet
    table: ArchiveTable
    identity: str
    oddities: tuple[Oddity, ...] = ()

    @property
    def ignored(self) -> str:
        """Hash over the recordings that the user leaves out; empty where there are none."""
        return self.table.ignored

    @property
    def kind(self) -> str:
        """``volumes``."""
        return "volumes"

    @property
    def location(self) -> str:
        """The first volume, and where the numbers end."""
        return self.volumes.location

    @property
    def is_simulated(self) -> bool:
        """Whether the archive holds the marker of this package's simulation."""
        return self.table.is_simulated

    @property
    def folders(self) -> tuple[Path, ...]:
        """None: beside the volumes anything may be written."""
        return ()

    @property
    def volume_files(self) -> tuple[VolumeFile, ...]:
        """The volumes, by number."""
        sized = zip(self.volumes.paths, self.volumes.sizes, strict=True)
        return tuple(VolumeFile(path=path, n_bytes=n_bytes) for path, n_bytes in sized)

    @property
    def sample_file(self) -> Path | None:
        """The first volume."""
        return self.volumes.paths[0]

    def members(self) -> Sequence[Member]:
        """All recordings, by block and position in it."""
        return [member for block in self.table.blocks for member, _ in self.table.members(block.number)]

    def blocks(self) -> Sequence[Block]:
        """All blocks, by number."""
        return [block.described() for block in self.table.blocks]

    def parts(self, block: int, wanted: Collection[str]) -> Iterator[BlockPart]:
        """Find parts that can be decoded independently by the resets of the dictionary in an LZMA2 stream."""
        return find_parts(self.volumes, self.table, block=block, wanted=wanted)

    def read(
        self,
        block: int,
        wanted: Collection[str],
        on_bytes: Callable[[int], None] | None = None,
        restart: Restart | None = None,
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream the wanted recordings of one block, checked by size and CRC32."""
        return read_block(self.volumes, self.table, block=block, wanted=wanted, on_bytes=on_bytes, restart=restart)


def open_volumes(volumes: VolumeSet, toy: str, ignore: Ignore | None = None) -> VolumesSource:
    """Read an archive's header, and nothing else.

    Args:
        volumes: Its files.
        toy: ``ToyTrain``.
        ignore: What the user wants left out.

    Raises:
        SourceNotFoundError: There is no recording in it.
        VolumeError: The volumes are not all of the archive.
        ArchiveError: It is damaged, or holds what cannot be read or used.
    """
    from toyadmos_datasets.archives.sevenzip.header import read_header  # noqa: PLC0415  # py7zr is slow to import

    table, identity = read_header(volumes, toy, ignore=ignore)
    if not table.paths:
        raise SourceNotFoundError(
            f"The archive holds no recordings of {toy}.",
            where=volumes.location,
            expected=f"{toy}/.../<name>.wav",
            actual=f"no .wav file in {len(table.blocks)} blocks",
            remedy="Give the folder with the volumes as they were published.",
        )
    return VolumesSource(toy=toy, volumes=volumes, table=table, identity=identity, oddities=table.oddities)
