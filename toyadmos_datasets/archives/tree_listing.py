"""Finding a toy's folder among others, and listing the recordings in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toyadmos_datasets.archives.corpus_layout import (
    ToyRoot,
    canonical_paths,
    find_roots,
    only_root,
    roots_of,
    standing_in,
)
from toyadmos_datasets.archives.file_kinds import (
    MARKER_NAME,
    Ignore,
    PathTally,
    Strays,
    not_a_file,
    require_distinct,
    require_safe_name,
)
from toyadmos_datasets.archives.source_reading import reading
from toyadmos_datasets.archives.tree_source import MAX_DEPTH, FoundFolder, TreeSource, TreeWalk, tree_of
from toyadmos_datasets.corpus.name_errors import showable
from toyadmos_datasets.errors import SourceError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import Oddity

_MARKER_BYTES: Bytes = 1 << 16
"""Many times what the marker has."""
_SHOWN_LINKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSearch:
    """What was found while looking for a toy's folder.

    Attributes:
        toy: The toy.
        anchor: What paths are relative to: the place, or what is above it where the place is a case's folder.
        walk: All that was seen.
        roots: The folders with recordings of any toy.
    """

    toy: str
    anchor: Path
    walk: TreeWalk
    roots: tuple[ToyRoot, ...]

    def shown(self, root: str) -> str:
        """Return a folder as people know it."""
        return showable(str(self.anchor / root))

    def root(self) -> ToyRoot | None:
        """Return the toy's folder, or None if there is none.

        Raises:
            SourceError: There are several.
        """
        found = self._distinct(roots_of(self.roots, self.toy))
        return only_root(found, self.toy, where=self.anchor, shown=self.shown) if found else None

    def other_toys(self) -> list[str]:
        """Return the other toys that were found, sorted."""
        return sorted({one.toy for one in self.roots if one.toy is not None and one.toy != self.toy})

    def _distinct(self, roots: Sequence[ToyRoot]) -> list[ToyRoot]:
        """Keep one of the ways to each folder; the shortest, and not through a link if there is another."""
        if len(roots) == 1:
            return list(roots)
        whole = [one for one in roots if not self._is_part_of_others(one, roots)]
        ways: dict[tuple[int, int], ToyRoot] = {}
        ordered = sorted(whole or roots, key=lambda one: (self._is_linked(one.path), one.path.count("/"), one.path))
        for one in ordered:
            facts = (self.anchor / one.path).stat()
            ways.setdefault((facts.st_dev, facts.st_ino), one)
        return sorted(ways.values(), key=lambda one: one.path)

    def _is_part_of_others(self, root: ToyRoot, roots: Sequence[ToyRoot]) -> bool:
        """Whether a link in another root leads to this one: a case on another disk is a part of the corpus there."""
        place = Path(os.path.realpath(self.anchor / root.path))
        others = [one.path for one in roots if one.path and one != root and not _is_below(root.path, one.path)]
        targets = [
            Path(target)
            for link, target in self.walk.linked.items()
            if any(link != other and _is_below(link, other) for other in others)
        ]
        return any(target == place or target in place.parents for target in targets)

    def _is_linked(self, root: str) -> bool:
        return any(root == link or root.startswith(f"{link}/") for link in self.walk.linked)


def search_tree(place: Path, toy: str, ignore: Ignore, *, max_depth: int = MAX_DEPTH) -> TreeSearch:
    """Look for folders with recordings of toys, from a place on, downwards.

    Raises:
        SourceError: The place itself cannot be read.
    """
    place = place.resolve() if ".." in place.parts else place
    inside = place.parts[len(place.parts) - standing_in(place.parts) :]
    anchor = place.parents[len(inside) - 1] if inside else place
    key = "/".join(inside)
    walk = TreeWalk(place, inside=key, ignored=ignore.compiled(), max_depth=max_depth)
    walk.look_around()
    unread = walk.folders[key].unread
    if unread is not None:
        with reading(place):
            raise unread
    wavs = {folder: found.wavs for folder, found in walk.folders.items() if found.wavs}
    roots = find_roots(wavs, toy, place_name=anchor.name)
    return TreeSearch(toy=toy, anchor=anchor, walk=walk, roots=tuple(roots))


def open_tree(search: TreeSearch, root: ToyRoot) -> TreeSource:
    """List the recordings of a toy whose folder was found.

    Raises:
        SourceError: A folder cannot be read, or links lead nowhere or in a circle.
        UnsafeMemberError: There is a device, a pipe or a name that cannot be used.
        IndexConflictError: Two names differ only in case, or two files are one recording.
    """
    walk, folder = search.walk, search.anchor / root.path
    if walk.is_cut:
        walk.look_below(root.path)
    all_found = walk.below(root.path)
    _require_readable(all_found, folder)
    listing = _Listing(search, root.path)
    recordings, left_out = listing.recordings(), listing.left_out()
    found = [place for _, _, _, place in recordings]
    paths = [path for path, _, _, _ in recordings]
    require_distinct(paths, found, where=folder)
    source = tree_of(
        folder,
        search.toy,
        [(path, n_bytes, time_ns) for path, n_bytes, time_ns, _ in recordings],
        marker=_marker_in(folder),
        left_out=left_out,
    )
    start = len(search.toy) + 1
    is_plain = all(path[start:] == place for path, place in zip(paths, found, strict=True))
    return replace(
        source,
        found=() if is_plain else tuple(found),
        linked=tuple(sorted({Path(place) for key, place in walk.linked.items() if _is_below(key, root.path)})),
        oddities=_oddities(all_found, [] if is_plain else _moved(paths, found, start)),
    )


class _Listing:
    """Asks the system for the facts of recordings in a toy's folder."""

    def __init__(self, search: TreeSearch, root: str) -> None:
        self._toy = search.toy
        self._folder = search.anchor / root
        self._root = root
        self._found = {key: one for key, one in search.walk.folders.items() if _is_below(key, root)}

    def recordings(self) -> list[tuple[str, Bytes, int, str]]:
        """Return path, size, time of change and real place of all recordings, sorted by path."""
        listed = []
        for key, found in self._found.items():
            start = self._below(key)
            for name in found.wavs:
                if not name.isprintable() or "\\" in name or not start.isprintable() or "\\" in start:
                    require_safe_name(f"{self._toy}/{start}{name}", where=found.path)
            for (path, _), name in zip(self._paths(key, found.wavs), found.wavs, strict=True):
                facts = _facts_of(f"{found.path}{os.sep}{name}")
                listed.append((path, facts.st_size, facts.st_mtime_ns, start + name))
        return sorted(listed)

    def left_out(self) -> list[tuple[str, Bytes, int]]:
        """Return path, size and time of change of what would be a recording if it was not ignored."""
        listed = []
        for key, found in self._found.items():
            for (path, is_known), name in zip(self._paths(key, found.ignored_wavs), found.ignored_wavs, strict=True):
                if is_known and path.isprintable():
                    try:
                        facts = os.stat(f"{found.path}{os.sep}{name}")  # noqa: PTH116
                    except OSError:  # whatever is wrong with it is the reason to leave it out
                        continue
                    listed.append((path, facts.st_size, facts.st_mtime_ns))
        return listed

    def _paths(self, key: str, names: Sequence[str]) -> list[tuple[str, bool]]:
        return canonical_paths(self._toy, self._root, key, names)

    def _below(self, key: str) -> str:
        below = key[len(self._root) + 1 :] if self._root else key
        return f"{below}/" if below else ""


def _facts_of(path: str) -> os.stat_result:
    try:
        facts = os.stat(path)  # noqa: PTH116  # a string is all that is needed, for every recording
    except OSError as error:
        with reading(Path(path)):
            raise error from None
    return facts


def _is_below(key: str, root: str) -> bool:
    return not root or key == root or key.startswith(f"{root}/")


def _require_readable(all_found: Sequence[FoundFolder], folder: Path) -> None:
    """Raise for what stands in a toy's folder and cannot be followed or read."""
    for found in all_found:
        if found.unread is not None:
            with reading(Path(found.path)):
                raise found.unread
    special = [one for found in all_found for one in found.special]
    if special:
        path, kind = min(special)
        raise not_a_file(path, kind=kind, where=folder)
    require_whole_links([one for found in all_found for one in found.broken], where=folder)


def require_whole_links(broken: Sequence[tuple[str, str]], *, where: object) -> None:
    """Raise if links lead nowhere or in a circle.

    Raises:
        SourceError: Some do; all are counted, and the first are named.
    """
    if not broken:
        return
    named = [f"{showable(path)} ({showable(what)})" for path, what in sorted(broken)]
    more = f"; and {len(named) - _SHOWN_LINKS} more" if len(named) > _SHOWN_LINKS else ""
    raise SourceError(
        "A link in the source cannot be followed."
        if len(named) == 1
        else f"{len(named)} links in the source cannot be followed.",
        where=where,
        expected="links to files and folders that are there",
        actual="; ".join(named[:_SHOWN_LINKS]) + more,
        remedy="Bring what they lead to (git annex get, dvc pull, mount the disk), remove the links, or leave them out "
        "with --ignore PATTERN.",
    )


def _marker_in(folder: Path) -> bytes | None:
    path = folder / MARKER_NAME
    with reading(path):
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return None
            with path.open("rb") as file:
                return file.read(_MARKER_BYTES)
        except FileNotFoundError:
            return None


def _moved(paths: Sequence[str], found: Sequence[str], start: int) -> list[str]:
    return [place for path, place in zip(paths, found, strict=True) if path[start:] != place]


def _oddities(all_found: Sequence[FoundFolder], moved: Sequence[str]) -> tuple[Oddity, ...]:
    strays, links, layout = Strays(), PathTally(), PathTally()
    for found in all_found:
        for into, one in (
            (strays.hidden, found.hidden),
            (strays.others, found.others),
            (strays.ignored, found.ignored),
        ):
            into.merge(one)
        links.add(found.links)
    layout.add(moved)
    return (
        *strays.oddities(),
        *links.oddities("links", "Links in the tree were followed."),
        *layout.oddities("layout", "Recordings lie in other folders, or end otherwise, than those published."),
    )
