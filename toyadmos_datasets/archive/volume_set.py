"""The volumes of one archive: which files they are, in order, and which of them holds a byte."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archive.reading import reading
from toyadmos_datasets.archive.volume_names import rename_command, renames, volume_name
from toyadmos_datasets.errors import VolumeError
from toyadmos_datasets.units import Bytes, format_bytes


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
