"""Which kind of source stands at a place."""

from __future__ import annotations

import os
from pathlib import Path

from toyadmos_datasets.archive.reading import reading
from toyadmos_datasets.archive.tree_source import open_tree
from toyadmos_datasets.archive.volume_set import VolumeSet, find_volumes, volume_name, whole_archive
from toyadmos_datasets.archive.volumes_source import open_volumes
from toyadmos_datasets.corpus.toys import TOYS, Toy
from toyadmos_datasets.errors import SourceError, SourceNotFoundError
from toyadmos_datasets.values.source import Source


def open_source(location: str | Path, toy: str) -> Source:
    """Open the recordings of a toy where they are.

    Args:
        location: A folder with the toy's folder or its volumes, the toy's folder itself, a whole archive,
            or the first of its volumes.
        toy: ``ToyCar``, ``ToyConveyor`` or ``ToyTrain``.

    Raises:
        SourceNotFoundError: Nothing of the toy is there.
        SourceError: Both a tree and an archive are there, or what is there cannot be read.
        VolumeError: A volume is missing, repeated or truncated.
        ArchiveError: The archive is damaged, or holds what cannot be read or used.
        IndexConflictError: Two names in it are one.
    """
    place = Path(os.path.expanduser(location)).absolute()  # noqa: PTH111  # Path's own raises for a ~name of nobody
    with reading(place):
        is_folder, is_file = place.is_dir(), place.is_file()
    if is_folder:
        return _open_folder(place, toy)
    volumes = _named_volumes(place, toy) if is_file else None
    if volumes is None:
        raise _not_found(place, toy)
    return open_volumes(volumes, toy)


def _open_folder(place: Path, toy: str) -> Source:
    volumes = find_volumes(place, toy)
    tree = _find_tree(place, toy)
    if volumes is not None and tree is not None:
        raise SourceError(
            f"Both a tree and an archive of {toy} are there.",
            where=place,
            expected="one of them",
            actual=f"the folder {tree} and {volumes.location}",
            remedy=f"Move one of them away, or name the one to read: {volumes.paths[0]} or {tree}"
            if tree != place
            else f"Move one of them away, or name the archive to read: {volumes.paths[0]}",
        )
    if volumes is not None:
        return open_volumes(volumes, toy)
    if tree is not None:
        return open_tree(tree, toy)
    raise _not_found(place, toy)


def _find_tree(place: Path, toy: str) -> Path | None:
    inner = place / toy
    if inner.is_dir():
        return inner
    if toy not in {place.name, place.resolve().name}:
        return None
    with reading(place), os.scandir(place) as entries:
        return place if any(entry.is_dir() for entry in entries) else None


def _named_volumes(path: Path, toy: str) -> VolumeSet | None:
    if path.name == f"{toy}.7z":
        return whole_archive(path)
    return find_volumes(path.parent, toy) if path.name == volume_name(toy, 1) else None


def _not_found(place: Path, toy: str) -> SourceNotFoundError:
    others, inside = _held_otherwise(place, toy)
    if place.is_file():
        actual = "a file of another name"
    elif not place.is_dir():
        actual = "nothing there"
    else:
        actual = f"{', '.join(one.name for one in others)} alone" if others else "neither of them"
    hints = [f"Give {' or '.join(map(str, inside))}. "] if inside else []
    hints += [f"Type {' or '.join(f'--toy {one.short}' for one in others)} if that was meant. "] if others else []
    short = toy.removeprefix("Toy").lower()
    return SourceNotFoundError(
        f"There are no recordings of {toy} at this place.",
        where=place,
        expected=f"the folder {toy}, or the volumes {volume_name(toy, 1)} and the following, or {toy}.7z",
        actual=actual,
        remedy=f"{''.join(hints)}{'Else give' if hints else 'Give'} the folder that holds {toy}, or make up a corpus: "
        f"toyadmos simulate --toy {short} --out corpus, which is then in corpus/tree",
    )


def _held_otherwise(place: Path, toy: str) -> tuple[list[Toy], list[Path]]:
    """What is at a place without the toy: other toys, and folders directly in it that hold the toy."""
    if not place.is_dir():
        return [], []
    with reading(place), os.scandir(place) as entries:
        folders = sorted(Path(entry.path) for entry in entries if entry.is_dir())
    return [one for one in TOYS if _holds(place, one.name)], [one for one in folders if _holds(one, toy)]


def _holds(folder: Path, toy: str) -> bool:
    """Whether a folder looks as if it held a toy, by names alone; not where we may not look, as others' folders."""
    try:
        return (folder / toy).is_dir() or any((folder / name).is_file() for name in (f"{toy}.7z", volume_name(toy, 1)))
    except OSError:
        return False
