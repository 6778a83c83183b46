"""Which kind of source stands at a place."""

from __future__ import annotations

import os
from pathlib import Path

from toyadmos_datasets.archive.reading import reading
from toyadmos_datasets.archive.tree_source import open_tree
from toyadmos_datasets.archive.volume_set import VolumeSet, find_volumes, volume_name, whole_archive
from toyadmos_datasets.archive.volumes_source import open_volumes
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
    further_in = _further_in(place, toy) if place.is_dir() else []
    if place.is_file():
        actual = "a file of another name"
    elif further_in:
        actual = "they are one folder further in"
    elif place.is_dir():
        actual = "neither of them"
    else:
        actual = "nothing there"
    remedy = (
        f"Name that folder: {' or '.join(map(str, further_in))}"
        if further_in
        else "Give the folder that holds them, or --toy for another toy, or try without them: "
        f"toyadmos prepare --toy {toy.removeprefix('Toy').lower()} --source simulate"
    )
    return SourceNotFoundError(
        f"There are no recordings of {toy} at this place.",
        where=place,
        expected=f"the folder {toy}, or the volumes {volume_name(toy, 1)} and the following, or {toy}.7z",
        actual=actual,
        remedy=remedy,
    )


def _further_in(place: Path, toy: str) -> list[Path]:
    """Return the folders in a folder that hold recordings of a toy, as those that `toyadmos simulate` makes do."""
    with reading(place), os.scandir(place) as entries:
        folders = sorted(Path(entry.path) for entry in entries if entry.is_dir())
    return [one for one in folders if _is_filled(one / toy) or (one / volume_name(toy, 1)).is_file()]


def _is_filled(folder: Path) -> bool:
    with reading(folder):
        return folder.is_dir() and any(folder.iterdir())
