"""A source that is a folder of WAV files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archive.names import (
    MARKER_NAME,
    is_harmless,
    is_recording,
    not_a_file,
    require_distinct,
    require_safe_name,
    special_kind,
)
from toyadmos_datasets.archive.reading import PIECE_BYTES, reading
from toyadmos_datasets.errors import CorruptMemberError, SourceError, SourceNotFoundError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Block, Member, Oddity

_MARKER_BYTES: Bytes = 1 << 16
"""Many times what the marker has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSource:
    """Recordings in a folder, each a block of its own; satisfies `values.source.Source`.

    Attributes:
        toy: The toy whose recordings these are.
        root: The toy's folder, absolute.
        paths: The recordings, sorted; each begins with the toy, whatever the folder is called.
        sizes: Their sizes, bytes.
        identity: Hash over paths, sizes and times of change, and over the marker, which has the seed.
        is_simulated: Whether the marker of this package's simulation stands in the folder.
        oddities: What was found when the folder was listed that is not as published and does no harm.
    """

    toy: str
    root: Path
    paths: tuple[str, ...]
    sizes: tuple[Bytes, ...]
    identity: str
    is_simulated: bool
    oddities: tuple[Oddity, ...] = ()

    @property
    def kind(self) -> str:
        """``tree``."""
        return "tree"

    @property
    def location(self) -> str:
        """The toy's folder."""
        return str(self.root)

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
            chunks = self._chunks(member, on_bytes)
            yield member, chunks
            for _ in chunks:
                pass

    def _member(self, number: int) -> Member:
        return Member(path=self.paths[number], n_bytes=self.sizes[number], crc32=None, block=number)

    def _chunks(self, member: Member, on_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
        path = self.root.joinpath(*member.path.split("/")[1:])
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


def open_tree(root: Path, toy: str) -> TreeSource:
    """List a toy's folder.

    Raises:
        SourceNotFoundError: There is no WAV file in it.
        SourceError: There is a file of a kind that does not belong there.
        UnsafeMemberError: There is a link, a device or a name that cannot be used.
        IndexConflictError: Two names differ only in case.
    """
    root = root.absolute()
    found = sorted(_walk(root, toy))
    paths = [path for path, _, _ in found]
    require_distinct(paths, where=root)
    recordings = [entry for entry in found if is_recording(entry[0])]
    if not recordings:
        raise SourceNotFoundError(
            f"The folder holds no recordings of {toy}.",
            where=root,
            expected=f"{toy}/case1/NormalSound_IND/<name>.wav and the like",
            actual=f"no .wav file among {len(found)} files",
            remedy="Give the folder into which the archives were unpacked.",
        )
    _require_known_kinds(paths, root)
    return tree_of(root, toy, recordings, marker=_marker_in(root) if f"{toy}/{MARKER_NAME}" in paths else None)


def tree_of(root: Path, toy: str, recordings: Sequence[tuple[str, Bytes, int]], *, marker: bytes | None) -> TreeSource:
    """Return the source that a toy's folder is, or will be once these files are there.

    The files of a simulated corpus have one time of change, whatever the seed: only the marker tells its corpora apart.

    Args:
        root: The toy's folder, absolute.
        toy: ``ToyTrain``.
        recordings: Path below the toy, size and time of change in nanoseconds, sorted by path.
        marker: What the marker of this package's simulation says; None where there is none.
    """
    lines = "".join(f"{path}\0{n_bytes}\0{time_ns}\n" for path, n_bytes, time_ns in recordings)
    return TreeSource(
        toy=toy,
        root=root,
        paths=tuple(path for path, _, _ in recordings),
        sizes=tuple(n_bytes for _, n_bytes, _ in recordings),
        identity=hashlib.sha256(lines.encode() + (marker or b"")).hexdigest(),
        is_simulated=marker is not None,
    )


def _marker_in(root: Path) -> bytes:
    with reading(root / MARKER_NAME), (root / MARKER_NAME).open("rb") as file:
        return file.read(_MARKER_BYTES)


def _walk(root: Path, toy: str) -> Iterator[tuple[str, Bytes, int]]:
    """Path below the toy, size and time of change of every file, in no order."""
    folders = [(root, toy)]
    while folders:
        folder, name = folders.pop()
        with reading(folder), os.scandir(folder) as entries:
            for entry in entries:
                path = f"{name}/{entry.name}"
                require_safe_name(path, toy=toy, where=folder)
                facts = entry.stat(follow_symlinks=False)
                kind = special_kind(facts.st_mode)
                if kind is not None:
                    raise not_a_file(path, kind=kind, where=folder)
                if entry.is_dir(follow_symlinks=False):
                    folders.append((Path(entry.path), path))
                else:
                    yield path, facts.st_size, facts.st_mtime_ns


def _require_known_kinds(paths: Sequence[str], root: Path) -> None:
    for path in paths:
        if not is_recording(path) and not is_harmless(path):
            raise SourceError(
                "There is a file in the source that does not belong to the corpus.",
                where=root.joinpath(*path.split("/")[1:]),
                expected="WAV files, and beside them at most a LICENSE, README or SIMULATED.txt",
                actual=path,
                remedy="Move it out of the folder, then run the same command again.",
            )
