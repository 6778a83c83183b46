"""Opening a source: detects its kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from toyadmos_datasets.archives.corpus_layout import is_wav, says_case_or_sound
from toyadmos_datasets.archives.file_kinds import Ignore
from toyadmos_datasets.archives.sevenzip.volume_set import (
    VolumeSet,
    find_volumes,
    rename_command,
    renames,
    volume_name,
    whole_archive,
)
from toyadmos_datasets.archives.sevenzip.volumes_source import open_volumes
from toyadmos_datasets.archives.source_reading import reading
from toyadmos_datasets.archives.tree_listing import TreeSearch, open_tree, require_whole_links, search_tree
from toyadmos_datasets.archives.tree_source import MAX_DEPTH
from toyadmos_datasets.corpus.toys import TOYS, toy_named
from toyadmos_datasets.errors import SourceError, SourceNotFoundError
from toyadmos_datasets.escaping import shell_line, shell_word
from toyadmos_datasets.files.reading import expanded_path, raise_shortage
from toyadmos_datasets.values.source import Source

_TAR = r"\.(?:tar(?:\.(?:gz|xz|bz2|zst))?|tgz|txz|tbz2?)"


def unpack_command(folder: Path, names: Iterable[str], toy: str) -> tuple[str, Path] | None:
    """Return the command that unpacks a zip or tar file of a toy, and the folder that it fills."""
    wanted = re.compile(rf".*(?:{toy}|toyadmos).*(?:{_TAR}|\.zip|\.rar)", re.IGNORECASE)
    name = next((one for one in sorted(names) if wanted.fullmatch(one)), None)
    if name is None:
        return None
    place, packed = str(folder / "unpacked"), str(folder / name)
    if name.lower().endswith(".zip"):
        return shell_line("unzip", packed, "-d", place), folder / "unpacked"
    if name.lower().endswith(".rar"):
        return shell_line("unrar", "x", packed, f"{place}/"), folder / "unpacked"
    making = shell_line("mkdir", "-p", place)
    return f"{making} && {shell_line('tar', '-xf', packed, '-C', place)}", folder / "unpacked"


def spelled_otherwise(place: Path) -> Path | None:
    """Return the place that was meant where only its capitals are wrong, or None."""
    parts, found = place.parts, Path(place.anchor)
    for part in parts[1:]:
        if (found / part).exists():
            found /= part
            continue
        try:
            alike = sorted(one.name for one in found.iterdir() if one.name.casefold() == part.casefold())
        except OSError as error:
            raise_shortage(error, found)
            return None
        if not alike:
            return None
        found /= alike[0]
    return None if found == place else found


def open_source(location: str | Path, toy: str, *, ignore: Sequence[str] = ()) -> Source:
    """Open the recordings of a toy where they are.

    Args:
        location: A folder with the toy's volumes, or with its recordings anywhere below; the toy's folder itself or
            that of a case, whatever it is called; a whole archive, or the first of its volumes.
        toy: ``ToyCar``, ``ToyConveyor`` or ``ToyTrain``.
        ignore: Glob patterns of files and folders that are left out.

    Raises:
        OptionError: A pattern is empty.
        SourceNotFoundError: Nothing of the toy is there.
        SourceError: Both a tree and an archive are there, several trees are, or what is there cannot be read.
        VolumeError: A volume is missing, repeated or truncated.
        ArchiveError: The archive is damaged, or holds what cannot be read or used.
        IndexConflictError: Two names in it are one.
    """
    patterns = Ignore(patterns=tuple(ignore))
    place = expanded_path(location).absolute()
    with reading(place):
        is_folder, is_file = place.is_dir(), place.is_file()
    if is_folder:
        return _open_folder(place, toy, patterns)
    volumes = _named_volumes(place, toy) if is_file else None
    if volumes is None:
        raise _no_folder(place, toy, is_file=is_file)
    return open_volumes(volumes, toy, patterns)


def _open_folder(place: Path, toy: str, ignore: Ignore) -> Source:
    volumes = find_volumes(place, toy)
    # Beside volumes only a tree that they were unpacked to counts, not whatever lies deep below.
    search = search_tree(place, toy, ignore, max_depth=1 if volumes is not None else MAX_DEPTH)
    root = search.root()
    if volumes is not None and root is not None:
        tree = search.anchor / root.path
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
        return open_volumes(volumes, toy, ignore)
    if root is not None:
        return open_tree(search, root)
    raise _nothing_in(place, search)


def _named_volumes(path: Path, toy: str) -> VolumeSet | None:
    if path.name == f"{toy}.7z":
        return whole_archive(path)
    return find_volumes(path.parent, toy) if path.name == volume_name(toy, 1) else None


def _no_folder(place: Path, toy: str, *, is_file: bool) -> SourceNotFoundError:
    """The error for a file that is no archive of the toy, or for a place where nothing is."""
    if not is_file:
        meant = spelled_otherwise(place)
        return _not_found(place, toy, "nothing there", [] if meant is None else [_give(meant)])
    with reading(place.parent):
        names = os.listdir(place.parent)  # noqa: PTH208  # names are all that is needed
    first = next((one for one in (volume_name(toy, 1), f"{toy}.7z") if one in names), None)
    hints = [] if first is None else [_give(place.parent / first)]
    return _not_found(place, toy, "a file of another name", hints or _near_misses(place.parent, names, toy))


def _nothing_in(place: Path, search: TreeSearch) -> SourceError:
    """The error for a folder in which nothing of the toy was found; names what nearly is."""
    walk, toy = search.walk, search.toy
    broken = [one for found in walk.folders.values() for one in found.broken if _is_of_corpus(one[0], toy)]
    require_whole_links(broken, where=place)
    hints, others = [], set(search.other_toys())
    for found in walk.folders.values():
        folder = Path(found.path)
        if folder != place and any(name in {f"{toy}.7z", volume_name(toy, 1)} for name in found.archives):
            hints.append(_give(folder))
        else:
            hints += _near_misses(folder, found.archives, toy)
        if folder == place:
            names = {name: one.name for one in TOYS for name in (f"{one.name}.7z", volume_name(one.name, 1))}
            others |= {names[name] for name in found.archives if name in names}
    others.discard(toy)
    actual = f"{', '.join(sorted(others))} alone" if others else "neither of them"
    if walk.is_cut:
        actual += f" in {len(walk.folders)} folders, {MAX_DEPTH} deep; those deeper or beyond were not looked into"
    unread = sum(found.unread is not None for found in walk.folders.values())
    if unread:
        actual += f"; {unread} folders cannot be read"
    short = [toy_named(one).short for one in sorted(others)]
    hints += [f"Type {' or '.join(f'--toy {one}' for one in short)} if that was meant."] if short else []
    return _not_found(place, toy, actual, hints)


def _is_of_corpus(path: str, toy: str) -> bool:
    name = path.rpartition("/")[2]
    return is_wav(name) or says_case_or_sound(name) or toy.lower() in name.lower()


def _near_misses(folder: Path, names: Sequence[str], toy: str) -> list[str]:
    wanted = renames(names, toy)
    if wanted:
        return [f"Rename: {rename_command(folder, wanted)}, then type --source {shell_word(folder)}."]
    unpacking = unpack_command(folder, names, toy)
    if unpacking is None:
        return []
    command, place = unpacking
    return [f"Unpack it: {command}, then type --source {shell_word(place)}."]


def _give(place: Path) -> str:
    return f"Type --source {shell_word(place)}."


def _not_found(place: Path, toy: str, actual: str, hints: Sequence[str]) -> SourceNotFoundError:
    short = toy_named(toy).short
    otherwise = "Else give" if hints else "Give"
    return SourceNotFoundError(
        f"There are no recordings of {toy} at this place.",
        where=place,
        expected=f"the folder {toy}, or the volumes {volume_name(toy, 1)} and the following, or {toy}.7z",
        actual=actual,
        remedy=f"{' '.join([*hints, otherwise])} the folder that holds {toy}, or make up a corpus: "
        f"toyadmos simulate --toy {short} --out corpus, which is then in corpus/tree",
    )
