"""A source that is a folder of WAV files: walked, listed and read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toyadmos_datasets.archives.corpus_layout import is_wav, says_case_or_sound
from toyadmos_datasets.archives.file_kinds import (
    PathTally,
    chosen_among,
    digest_of,
    is_expected,
    is_hidden,
    special_kind,
)
from toyadmos_datasets.archives.source_reading import PIECE_BYTES, OnDisk, reading
from toyadmos_datasets.errors import CorruptMemberError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Block, BlockPart, Member, Oddity, Restart, VolumeFile

MAX_DEPTH = 6
"""How many folders deep a toy's folder is looked for; inside of it there is no limit."""
MAX_FOLDERS = 10_000
"""How many folders are looked into for it: a few seconds on a slow disk."""

_LOOP_ERRORS = {errno.ELOOP}


@dataclass(slots=True, kw_only=True)
class FoundFolder:
    """What stands in one folder; paths are below the place where the walk began.

    Attributes:
        path: The folder as the system knows it.
        wavs: Names of WAV files.
        ignored_wavs: Names of WAV files that the user wants left out.
        links: Paths of links that were followed.
        broken: Paths of links that lead nowhere, with what is wrong with each.
        special: Paths of devices, pipes and sockets, with the kind of each.
        archives: Names of files that may be archives or volumes.
        unread: What the system answered where the folder cannot be read.
        hidden: Files and folders of systems and programs.
        others: Other files.
        ignored: What the user's patterns took.
    """

    path: str
    wavs: list[str] = field(default_factory=list)
    ignored_wavs: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    special: list[tuple[str, str]] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    unread: OSError | None = None
    hidden: PathTally = field(default_factory=PathTally)
    others: PathTally = field(default_factory=PathTally)
    ignored: PathTally = field(default_factory=PathTally)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A folder that is to be looked into, and the way to it."""

    key: str
    path: str
    depth: int
    is_inside: bool
    is_linked: bool
    before: _Step | None

    def identities(self) -> set[tuple[int, int]]:
        """Return what this folder and all on the way to it are, whatever they are called."""
        found: set[tuple[int, int]] = set()
        step: _Step | None = self
        while step is not None:
            found.add(_identity(os.stat(step.path)))  # noqa: PTH116  # a string is all that is needed
            step = step.before
        return found


class TreeWalk:
    """Looks into folders, nearest first, and remembers what stands in each."""

    def __init__(
        self,
        place: Path,
        *,
        inside: str = "",
        ignored: re.Pattern[str] | None = None,
        max_depth: int = MAX_DEPTH,
        max_folders: int = MAX_FOLDERS,
    ) -> None:
        """Begin at a place.

        Args:
            place: Where to begin.
            inside: The folders of a case or a sound that the place itself is, such as ``case1``.
            ignored: What matches the paths that the user wants left out.
            max_depth: How deep folders are looked into in which no case and no sound was seen.
            max_folders: How many of them.
        """
        self.folders: dict[str, FoundFolder] = {}
        self.linked: dict[str, str] = {}
        """Folders that were reached through a link, and where they are."""
        self._ignored = ignored
        self._max_depth = max_depth
        self._max_folders = max_folders
        self._above = {_identity(one.stat()) for one in place.resolve().parents if one.exists()}
        self._waiting = deque([_Step(inside, str(place), 0, bool(inside), False, None)])
        self._left: list[_Step] = []

    @property
    def is_cut(self) -> bool:
        """Whether there are folders that were not looked into."""
        return bool(self._left)

    def look_around(self) -> None:
        """Look into folders up to the bounds, and into all that are in those of a case or a sound."""
        self._look(
            lambda step: step.is_inside or (step.depth <= self._max_depth and len(self.folders) < self._max_folders)
        )

    def look_below(self, root: str) -> None:
        """Look into every folder of a toy's that was left out."""
        start = f"{root}/" if root else ""
        self._waiting.extend(step for step in self._left if step.key.startswith(start))
        self._left = [step for step in self._left if not step.key.startswith(start)]
        self._look(lambda _: True)

    def below(self, root: str) -> list[FoundFolder]:
        """Return the folder of a toy and all in it."""
        start = f"{root}/" if root else ""
        return [found for key, found in sorted(self.folders.items()) if key == root or key.startswith(start)]

    def _look(self, is_wanted: Callable[[_Step], bool]) -> None:
        while self._waiting:
            step = self._waiting.popleft()
            if is_wanted(step):
                self.folders[step.key] = self._listed(step)
            else:
                self._left.append(step)

    def _listed(self, step: _Step) -> FoundFolder:
        found = FoundFolder(path=step.path)
        start = f"{step.key}/" if step.key else ""
        others: list[str] = []
        hidden: list[str] = []
        taken: list[str] = []
        try:
            with os.scandir(step.path) as entries:
                for entry in entries:
                    name = entry.name
                    if is_hidden(name):
                        hidden.append(start + name)
                    elif self._ignored is not None and self._ignored.fullmatch(start + name):
                        self._note_ignored(entry, step, found, taken)
                    elif entry.is_symlink():
                        self._follow(entry, step, found, others)
                    elif entry.is_dir(follow_symlinks=False):
                        self._enter(step, name, found)
                    elif not entry.is_file(follow_symlinks=False):
                        self._note_special(entry, start, found)
                    elif is_wav(name):
                        found.wavs.append(name)
                    elif not is_expected(name):
                        others.append(start + name)
        except OSError as error:
            is_ignored = self._ignored is not None and self._ignored.fullmatch(step.key) is not None
            found.unread = None if is_ignored else error
        found.hidden.add(hidden)
        found.others.add(others)
        found.ignored.add(taken)
        found.archives.extend(name for name in (path[len(start) :] for path in others) if _may_be_archive(name))
        return found

    def _note_ignored(self, entry: os.DirEntry[str], step: _Step, found: FoundFolder, taken: list[str]) -> None:
        """Count what is ignored, and remember which recordings are: that is part of what a source is."""
        if entry.is_dir(follow_symlinks=False):
            self._enter(step, entry.name, found)
            return
        taken.append(f"{step.key}/{entry.name}" if step.key else entry.name)
        if is_wav(entry.name):
            found.ignored_wavs.append(entry.name)

    def _note_special(self, entry: os.DirEntry[str], start: str, found: FoundFolder) -> None:
        kind = special_kind(entry.stat(follow_symlinks=False).st_mode)
        if kind is not None:
            found.special.append((start + entry.name, kind))

    def _follow(self, entry: os.DirEntry[str], step: _Step, found: FoundFolder, others: list[str]) -> None:
        path = f"{step.key}/{entry.name}" if step.key else entry.name
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            is_loop = error.errno in _LOOP_ERRORS
            found.broken.append((path, "a link that leads to itself" if is_loop else _dangling(entry.path)))
            return
        kind = special_kind(mode)
        if kind is not None:
            found.special.append((path, kind))
        elif stat.S_ISDIR(mode):
            self._enter(step, entry.name, found, is_link=True)
        elif is_wav(entry.name):
            found.links.append(path)
            found.wavs.append(entry.name)
        elif not is_expected(entry.name):
            others.append(path)

    def _enter(self, step: _Step, name: str, found: FoundFolder, *, is_link: bool = False) -> None:
        key = f"{step.key}/{name}" if step.key else name
        path = os.path.join(step.path, name)  # noqa: PTH118  # strings are all that is needed, for every folder
        is_linked = is_link or step.is_linked
        if is_linked:
            try:
                identity = _identity(os.stat(path))  # noqa: PTH116
                is_loop = identity in step.identities() or identity in self._above
            except OSError:
                is_loop = False  # it vanished, or may not be looked at; listing it says so
            if is_loop:
                found.broken.append((key, "a link that leads back to a folder that it is in"))
                return
        if is_link:
            found.links.append(key)
            self.linked[key] = os.path.realpath(path)
        inside = step.is_inside or says_case_or_sound(name)
        self._waiting.append(_Step(key, path, step.depth + 1, inside, is_linked, step))


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _dangling(path: str) -> str:
    try:
        return f"a link to {os.readlink(path)}, which is not there"  # noqa: PTH115
    except OSError:
        return "a link that leads nowhere"


def _may_be_archive(name: str) -> bool:
    lower = name.lower()
    return "toy" in lower or ".7z" in lower or lower.endswith((".zip", ".tar", ".tgz", ".gz", ".xz", ".rar"))


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

    @property
    def volume_files(self) -> tuple[VolumeFile, ...]:
        """None: a tree is no archive."""
        return ()

    @property
    def sample_file(self) -> Path | None:
        """The first recording."""
        return self._place(0) if self.paths else None

    def members(self) -> Sequence[Member]:
        """All recordings, by path."""
        return [self._member(number) for number in range(len(self.paths))]

    def blocks(self) -> Sequence[Block]:
        """One block a recording."""
        return [
            Block(number=number, n_bytes=n_bytes, n_packed_bytes=n_bytes, method="Copy")
            for number, n_bytes in enumerate(self.sizes)
        ]

    def parts(self, block: int, wanted: Collection[str]) -> Iterator[BlockPart]:
        """Give a recording as one part, if it is wanted."""
        member = self._member(block)
        if member.path in wanted:
            yield BlockPart(block=block, members=(member.path,), restart=None, begin=0, stop=member.n_bytes)

    def read(
        self,
        block: int,
        wanted: Collection[str],
        on_bytes: Callable[[int], None] | None = None,
        restart: Restart | None = None,
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream a recording, if it is wanted, checked by size."""
        del restart  # a tree gives none
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
