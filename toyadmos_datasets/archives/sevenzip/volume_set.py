"""The volumes of a split archive: which files belong together, and one stream over them."""

from __future__ import annotations

import bisect
import io
import itertools
import os
from typing import IO, TYPE_CHECKING, Any

from toyadmos_datasets.archives.source_reading import reading
from toyadmos_datasets.errors import VolumeError
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.units import format_bytes


class VolumeStream(io.RawIOBase):
    """The joined bytes of a set of volumes.

    Holds at most one of the files open, from the first read of it on; a pickled stream starts anew, at its
    position, without any.

    Args:
        volumes: The files, in order, with the sizes that they must still have.
    """

    def __init__(self, volumes: VolumeSet) -> None:
        super().__init__()
        self._volumes = volumes
        self._position = 0
        self._file: IO[bytes] | None = None
        self._number = -1
        self._start = 0
        self._stop = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._volumes, self._position)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> Bytes:
        """Position in the joined bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> Bytes:
        """Move to a place in the joined bytes; past the end is allowed, as in files."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._volumes.n_bytes}
        position = bases[whence] + offset
        if position < 0:
            message = f"a stream has no position {position}"
            raise ValueError(message)
        self._position = position
        return position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer up to its end or that of the volume at the position; 0 at the end of the last.

        Raises:
            VolumeError: A volume has another size than when the source was opened.
            SourceError: The disk fails.
        """
        if self._position >= self._volumes.n_bytes:
            return 0
        if not self._start <= self._position < self._stop:
            self._open_volume()
        room = memoryview(buffer).cast("B")[: self._stop - self._position]
        path = self._volumes.paths[self._number]
        file = self._file
        if file is None or not room:
            return 0
        with reading(path):
            file.seek(self._position - self._start)
            n_read: int = file.readinto(room)  # type: ignore[attr-defined]  # an unbuffered file has it
        if n_read == 0:
            raise _changed(self._volumes, self._number, self._position - self._start)
        self._position += n_read
        return n_read

    def close(self) -> None:
        """Close the volume that is open, if one is."""
        self._close_volume()
        super().close()

    def _open_volume(self) -> None:
        starts = list(itertools.accumulate(self._volumes.sizes, initial=0))
        number = bisect.bisect_right(starts, self._position) - 1
        path, size = self._volumes.paths[number], self._volumes.sizes[number]
        self._close_volume()
        with reading(path):
            self._file = path.open("rb", buffering=0)
            actual = os.fstat(self._file.fileno()).st_size
        if actual != size:
            raise _changed(self._volumes, number, actual)
        self._number, self._start, self._stop = number, starts[number], starts[number + 1]

    def _close_volume(self) -> None:
        self._start = self._stop = 0
        if self._file is not None:
            self._file.close()
            self._file = None


def read_exactly(stream: io.RawIOBase, n_bytes: Bytes) -> bytes:
    """Read on across volumes; fewer bytes come back only at the end of the stream."""
    parts = []
    while n_bytes > 0:
        part = stream.read(n_bytes)
        if not part:
            break
        parts.append(part)
        n_bytes -= len(part)
    return b"".join(parts)


def _reopen(volumes: VolumeSet, position: Bytes) -> VolumeStream:
    stream = VolumeStream(volumes)
    stream.seek(position)
    return stream


def _changed(volumes: VolumeSet, number: int, actual: Bytes) -> VolumeError:
    return VolumeError(
        "A volume changed while it was being read.",
        where=volumes.paths[number],
        expected=f"{volumes.sizes[number]} bytes",
        actual=f"{actual} bytes",
        remedy="Let whatever writes there finish, then run the same command again.",
    )


_TAIL = r"(?: ?\(\d+\))?(?:(?:[?@]|%3F)download=1)?"
"""What browsers and wget append: ``ToyTrain.7z.001?download=1``, ``ToyTrain.7z.001 (1)``."""


def volume_name(toy: str, number: int) -> str:
    """The name that 7-Zip gives to a volume: ``ToyTrain.7z.001``.

    Source:
        File names of record 3351307 on Zenodo.
    """
    return f"{toy}.7z.{number:03d}"


def renames(names: Iterable[str], toy: str) -> dict[str, str]:
    """Return what files of a folder should be called that are nearly called as a toy's archive or its volumes.

    Args:
        names: The files.
        toy: ``ToyTrain``.

    Returns:
        The right name for each, sorted by it; nothing for names that are right, or whose right name is taken.
    """
    known = sorted(names)
    right: dict[str, str] = {}
    for name in known:
        wanted = _wanted(name, toy)
        if wanted is not None and wanted not in known and wanted not in right:
            right[wanted] = name
    return {name: wanted for wanted, name in sorted(right.items())}


def rename_command(folder: Path, wanted: Mapping[str, str]) -> str:
    """Return the command that gives files of a folder their right names."""
    moves = [shell_line("mv", "--", name, right) for name, right in wanted.items()]
    return " && ".join([shell_line("cd", folder), *moves])


def _wanted(name: str, toy: str) -> str | None:
    parts = re.fullmatch(rf".*{toy}[^/]*?[._-]?part[._-]?(\d+)\.7z{_TAIL}", name, re.IGNORECASE)
    whole = re.fullmatch(rf".*{toy}[^/]*?\.7z(?: ?\(\d+\))?(?:\.(\d+))?{_TAIL}", name, re.IGNORECASE)
    match = parts or whole
    if match is None:
        return None
    if match[1] is None:
        return f"{toy}.7z"
    return volume_name(toy, int(match[1])) if 0 < int(match[1]) < 1000 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSet:
    """The files that make up one archive when joined.

    Attributes:
        paths: The volumes in order, absolute; a whole archive is a set of one.
        sizes: Their sizes, bytes.
    """

    paths: tuple[Path, ...]
    sizes: tuple[Bytes, ...]

    @property
    def n_bytes(self) -> Bytes:
        """Size of the joined archive."""
        return sum(self.sizes)

    @property
    def is_split(self) -> bool:
        """Whether these are numbered volumes, not one whole archive."""
        return self.paths[0].suffix != ".7z"

    @property
    def location(self) -> str:
        """The set as people name it: its first file, and where its numbers end."""
        first, last = self.paths[0], self.paths[-1]
        return str(first) if first == last else f"{first} to {last.suffix}"

    def spanning(self, start: Bytes, stop: Bytes) -> tuple[Path, ...]:
        """The volumes that hold the bytes from `start` up to `stop` of the joined archive."""
        found = []
        base = 0
        for path, size in zip(self.paths, self.sizes, strict=True):
            if base < max(stop, start + 1) and start < base + size:
                found.append(path)
            base += size
        return tuple(found)


def find_volumes(folder: Path, toy: str) -> VolumeSet | None:
    """The volumes, or the whole archive, of a toy in a folder; None where there are neither.

    Names are exact: a stray ``.part`` or ``.md5`` beside the volumes is not one of them.

    Raises:
        VolumeError: A volume is missing, there twice, or of another size than its neighbours.
    """
    with reading(folder):
        names = sorted(os.listdir(folder))  # noqa: PTH208  (names are all that is needed)
    numbered = _numbered(names, toy, folder)
    whole = folder / f"{toy}.7z"
    if not numbered:
        return _measured([whole]) if whole.is_file() else None
    if whole.is_file():
        raise VolumeError(
            f"{toy} is there twice: as one whole archive and as volumes.",
            where=folder,
            expected=f"either {whole.name} or {volume_name(toy, 1)} and the following",
            actual=f"{whole.name} and {len(numbered)} volumes",
            remedy=f"Name the one to read ({whole} or {folder / volume_name(toy, 1)}), or move the other away.",
        )
    _require_right_names(numbered, names, toy, folder)
    _require_contiguous(numbered, toy, folder)
    volumes = _measured(folder / numbered[number] for number in sorted(numbered))
    _require_even(volumes)
    return volumes


def whole_archive(path: Path) -> VolumeSet:
    """One unsplit archive as a set of volumes."""
    return _measured([path])


def _numbered(names: Iterable[str], toy: str, folder: Path) -> dict[int, str]:
    pattern = re.compile(rf"{re.escape(toy)}\.7z\.([0-9]+)")
    numbered: dict[int, str] = {}
    for name in names:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        number = int(match[1])
        if number in numbered:
            raise VolumeError(
                f"Volume {number} of {toy} is there twice.",
                where=folder,
                expected=volume_name(toy, number),
                actual=f"{numbered[number]} and {name}",
                remedy=f"Move the one that does not belong there away, for example: mv {folder / name} /tmp/",
            )
        numbered[number] = name
    return numbered


def _require_right_names(numbered: dict[int, str], names: Sequence[str], toy: str, folder: Path) -> None:
    """Raise where a volume has nearly its name, as browsers and other programs give it."""
    wrong = {
        name: volume_name(toy, number)
        for number, name in numbered.items()
        if number and name != volume_name(toy, number)
    }
    nearly = renames([name for name in names if name not in numbered.values()], toy)
    wrong |= {name: right for name, right in nearly.items() if right not in {f"{toy}.7z", *map(str, numbered.values())}}
    if wrong or 0 in numbered:
        name = min(wrong) if wrong else numbered[0]
        raise VolumeError(
            "A volume is not named as 7-Zip names it.",
            where=folder / name,
            expected=wrong.get(name, f"numbers from {volume_name(toy, 1)} on"),
            actual=name,
            remedy=f"If it is a volume, rename it: {rename_command(folder, dict(sorted(wrong.items())))}"
            if wrong
            else "Move it away if it is not a volume; else give it the expected name.",
        )


def _require_contiguous(numbered: dict[int, str], toy: str, folder: Path) -> None:
    last = max(numbered)
    missing = [volume_name(toy, n) for n in range(1, min(last, len(numbered) + 1) + 1) if n not in numbered]
    if missing:
        raise VolumeError(
            f"A volume of {toy} is missing.",
            where=folder,
            expected=f"{volume_name(toy, 1)} to {volume_name(toy, last)} without a gap",
            actual=f"no {missing[0]} among {len(numbered)} volumes",
            remedy=f"Fetch {missing[0]} into {folder}, then run the same command again.",
        )


def _measured(paths: Iterable[Path]) -> VolumeSet:
    absolute = tuple(path.absolute() for path in paths)
    sizes = []
    for path in absolute:
        with reading(path):
            facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise VolumeError(
                "A volume is not a file.",
                where=path,
                expected="a file",
                actual="a folder or a device",
                remedy="Move it away and put the volume in its place.",
            )
        sizes.append(facts.st_size)
    return VolumeSet(paths=absolute, sizes=tuple(sizes))


def _require_even(volumes: VolumeSet) -> None:
    first = volumes.sizes[0]
    for number, (path, size) in enumerate(zip(volumes.paths, volumes.sizes, strict=True), 1):
        is_last = number == len(volumes.paths)
        if size == first or (is_last and 0 < size < first):
            continue
        suspect = volumes.paths[0] if size > first else path
        raise VolumeError(
            "A volume is truncated." if size < first else "A volume is larger than the first one.",
            where=path,
            expected=f"{first} bytes ({format_bytes(first)}), as {volumes.paths[0].name}",
            actual=f"{size} bytes ({format_bytes(size)}), {abs(first - size)} too {'few' if size < first else 'many'}",
            remedy=f"Fetch {suspect.name} again, then run the same command again.",
        )
