"""A source that is a folder of WAV files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archives.file_kinds import chosen_among, digest_of
from toyadmos_datasets.archives.source_reading import PIECE_BYTES, OnDisk, reading
from toyadmos_datasets.errors import CorruptMemberError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Block, Member, Oddity


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSource(OnDisk):
    """Recordings in a folder, each a block of its own; satisfies `values.source.Source`.

    Attributes:
        toy: The toy whose recordings these are.
        root: The toy's folder, absolute.
        paths: The recordings as the published corpus calls them, sorted, whatever their folders are called.
        sizes: Their sizes, bytes.
        found: Where they really are below `root`, in the same order; empty where that is as published.
        linked: Folders elsewhere that links in the tree lead to, absolute.
        identity: Hash over paths, sizes and times of change, and over the marker, which has the seed.
        ignored: Hash over the recordings that patterns of the user's leave out; empty where they leave out none.
        is_simulated: Whether the marker of this package's simulation stands in the folder.
        oddities: What was found when the folder was listed that is not as published and does no harm.
    """

    toy: str
    root: Path
    paths: tuple[str, ...]
    sizes: tuple[Bytes, ...]
    identity: str
    is_simulated: bool
    found: tuple[str, ...] = ()
    linked: tuple[Path, ...] = ()
    ignored: str = ""
    oddities: tuple[Oddity, ...] = ()

    @property
    def kind(self) -> str:
        """``tree``."""
        return "tree"

    @property
    def location(self) -> str:
        """The toy's folder."""
        return str(self.root)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The toy's folder, and those that links lead to."""
        return self.root, *self.linked

    def members(self) -> Sequence[Member]:
        """All recordings, by path."""
        return [self._member(number) for number in range(len(self.paths))]

    def blocks(self) -> Sequence[Block]:
        """One block a recording."""
        return [
            Block(number=number, n_bytes=n_bytes, n_packed_bytes=n_bytes, method="Copy")
            for number, n_bytes in enumerate(self.sizes)
        ]

    def read(
        self, block: int, wanted: Collection[str], on_bytes: Callable[[int], None] | None = None
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream a recording, if it is wanted, checked by size."""
        member = self._member(block)
        if member.path in wanted:
            chunks = self._chunks(member, self._place(block), on_bytes)
            yield member, chunks
            for _ in chunks:
                pass

    def _member(self, number: int) -> Member:
        return Member(path=self.paths[number], n_bytes=self.sizes[number], crc32=None, block=number)

    def _place(self, number: int) -> Path:
        """Where a recording really is."""
        below = self.found[number] if self.found else self.paths[number].partition("/")[2]
        return self.root.joinpath(*below.split("/"))

    def _chunks(self, member: Member, path: Path, on_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
        with reading(path), path.open("rb", buffering=0) as file:
            left = member.n_bytes
            while left and (piece := file.read(min(PIECE_BYTES, left))):
                left -= len(piece)
                if on_bytes is not None:
                    on_bytes(len(piece))
                yield piece
            n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes != member.n_bytes:
            raise CorruptMemberError(
                "A recording changed its size since the source was listed.",
                where=path,
                expected=f"{member.n_bytes} bytes",
                actual=f"{n_bytes} bytes",
                remedy="Let whatever writes there finish, then run the same command again.",
            )


def tree_of(
    root: Path,
    toy: str,
    recordings: Sequence[tuple[str, Bytes, int]],
    *,
    marker: bytes | None,
    left_out: Sequence[tuple[str, Bytes, int]] = (),
) -> TreeSource:
    """Return the source that a toy's folder is, or will be once these files are there.

    The files of a simulated corpus have one time of change, whatever the seed: only the marker tells its corpora apart.
    Recordings that the user leaves out count for the identity, so that what was kept of the source stays of use.

    Args:
        root: The toy's folder, absolute.
        toy: ``ToyTrain``.
        recordings: Path below the toy, size and time of change in nanoseconds, sorted by path.
        marker: What the marker of this package's simulation says; None where there is none.
        left_out: The same for recordings of the corpus that the user leaves out.
    """
    listed = sorted([*recordings, *left_out]) if left_out else recordings
    lines = "".join(f"{path}\0{n_bytes}\0{time_ns}\n" for path, n_bytes, time_ns in listed)
    paths, ignored = tuple(path for path, _, _ in recordings), [path for path, _, _ in left_out]
    return TreeSource(
        toy=toy,
        root=root,
        paths=paths,
        sizes=tuple(n_bytes for _, n_bytes, _ in recordings),
        identity=hashlib.sha256(lines.encode() + chosen_among(paths, ignored) + (marker or b"")).hexdigest(),
        is_simulated=marker is not None,
        ignored=digest_of(ignored),
    )
