"""How a toy's folder is found, under any folder names: one rule for trees and archives.

The toy's folder is known by what is in it: folders of cases (``case1``), folders of sounds (``NormalSound_IND``), or
names that only the corpus has. Capitals do not matter. Every recording gets the path that it has in the corpus as
published; its folders come from the real ones, and from the file's name only where a level of folders is missing. So
a folder that contradicts the names in it still does, and the index says so.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import SourceError

SUFFIX = ".wav"
_NOISE = "EnvironmentalNoise_CNT"
_SOUNDS = {
    name.lower(): name
    for name in ("NormalSound_IND", "AnomalousSound_IND", "NormalSound_CNT", "EnvironmentalNoise_CNT")
}
_CASE = re.compile(r"case0*([0-9]+)", re.IGNORECASE)
_CASE_IN_NAME = re.compile(r"(?<![a-z])case([0-9]+)(?![0-9a-z])", re.IGNORECASE)
_SOUND_IN_NAME = re.compile(r"_(normal|ab[0-9]{2})_(IND|CNT)_", re.IGNORECASE)
_SOUND_OF = {
    ("normal", "ind"): "NormalSound_IND",
    ("ab", "ind"): "AnomalousSound_IND",
    ("normal", "cnt"): "NormalSound_CNT",
}
_SHORT_WORDS = re.compile(r"(?<![a-z])(car|conveyor|train)(?![a-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyRoot:
    """A folder in which recordings of one toy lie.

    Attributes:
        path: The folder, with forward slashes; empty for the place itself.
        folders: The folders with WAV files that belong to it, sorted.
        toy: Whose recordings they are; None where neither a name nor a folder tells.
    """

    path: str
    folders: tuple[str, ...]
    toy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """What the folders of a path say.

    Attributes:
        root: The folders above, in which cases and sounds lie; None where no folder says anything.
        case: ``case1``; None where that level is missing.
        sound: ``NormalSound_IND``; None where that level is missing.
        is_plain: Whether nothing stands between the sound, or else the case, and the file.
    """

    root: str | None
    case: str | None = None
    sound: str | None = None
    is_plain: bool = True


def is_wav(name: str) -> bool:
    """Whether a file calls itself a WAV file; whether its name makes sense is for the index to say."""
    return name[-4:].lower() == SUFFIX


def says_case_or_sound(name: str) -> bool:
    """Whether a folder's name is that of a case or of a sound."""
    return name.lower() in _SOUNDS or _CASE.fullmatch(name) is not None


def standing_in(parts: Sequence[str]) -> int:
    """How many folders at the end of a path are those of a case or a sound, and so lie inside of a toy's folder."""
    if parts and parts[-1].lower() in _SOUNDS:
        return 2 if len(parts) > 1 and _CASE.fullmatch(parts[-2]) else 1
    return 1 if parts and _CASE.fullmatch(parts[-1]) else 0


def find_roots(folders: Mapping[str, Sequence[str]], toy: str, *, place_name: str = "") -> list[ToyRoot]:
    """Find the folders in which recordings of toys lie.

    Args:
        folders: Names of the WAV files in each folder; a folder is a path below the place.
        toy: The toy that is asked for.
        place_name: What the place itself is called; empty for an archive.

    Returns:
        All of them, sorted, those of other toys too.
    """
    by_root: dict[str, list[str]] = {}
    loose = []
    for folder in sorted(folder for folder, names in folders.items() if names):
        root = _position(folder).root
        if root is None:
            loose.append(folder)
        else:
            by_root.setdefault(root, []).append(folder)
    for folder in loose:
        loose_root = _root_of_loose(folder, folders[folder], by_root, toy, place_name)
        if loose_root is not None:
            by_root.setdefault(loose_root, []).append(folder)
    return [
        ToyRoot(
            path=root, folders=tuple(sorted(own)), toy=_toy_of(root, [folders[one] for one in own], toy, place_name)
        )
        for root, own in sorted(by_root.items())
    ]


def roots_of(roots: Iterable[ToyRoot], toy: str) -> list[ToyRoot]:
    """Keep the roots of a toy; where there are none, those of which nothing tells whose they are."""
    known = list(roots)
    return [one for one in known if one.toy == toy] or [one for one in known if one.toy is None]


def only_root(roots: Sequence[ToyRoot], toy: str, *, where: object, shown: Callable[[str], str]) -> ToyRoot:
    """Return the one root of a toy.

    Raises:
        SourceError: There are several.
    """
    if len(roots) == 1:
        return roots[0]
    places = [shown(one.path) for one in roots]
    raise SourceError(
        f"There are several folders with recordings of {toy}.",
        where=where,
        expected="one folder with its cases and its noise",
        actual=", ".join(places),
        remedy="Give the one to read as the source, or leave the others out with --ignore PATTERN.",
    )


def canonical_paths(toy: str, root: str, folder: str, names: Sequence[str]) -> list[tuple[str, bool]]:
    """Return for each file of a folder its path in the corpus as published.

    Args:
        toy: ``ToyTrain``.
        root: The toy's folder.
        folder: A folder below it or the toy's folder itself.
        names: WAV files in it.

    Returns:
        ``ToyTrain/case1/NormalSound_IND/<name>.wav``, and whether its folders are those of the corpus. Where the
        folders are unknown they stay as they are, and the index refuses the file by name.
    """
    position = _position(folder)
    ready = _ready_folder(toy, position)
    if ready is not None:
        return [(f"{ready}/{_plain_suffix(name)}", True) for name in names]
    below = folder[len(root) + 1 :] if root else folder
    kept = f"{toy}/{below}" if below else toy
    paths = []
    for name in names:
        made = (
            _folder_by_name(toy, position, name)
            if position.is_plain and (position.root is not None or not below)
            else None
        )
        paths.append((f"{made or kept}/{_plain_suffix(name)}", made is not None))
    return paths


def _plain_suffix(name: str) -> str:
    return name if name.endswith(SUFFIX) else name[:-4] + SUFFIX


def _ready_folder(toy: str, position: _Position) -> str | None:
    """Where all files of a folder belong, if no name is needed to tell."""
    if position.sound is None or not position.is_plain:
        return None
    if position.sound == _NOISE:
        return None if position.case else f"{toy}/{_NOISE}"
    return f"{toy}/{position.case}/{position.sound}" if position.case else None


def _folder_by_name(toy: str, position: _Position, name: str) -> str | None:
    """Where one file belongs, its name taken for the levels that no folder tells; None where it does not tell."""
    named = _CASE_IN_NAME.search(name)
    in_name = f"case{int(named[1])}" if named else None
    if position.sound == _NOISE:  # in a case's folder: only noise that says to be that case's own
        return f"{toy}/{_NOISE}" if in_name == position.case else None
    sound = position.sound
    if sound is None:
        words = _SOUND_IN_NAME.search(name)
        sound = (
            _SOUND_OF.get((words[1][:2].lower() if words[1].lower() != "normal" else "normal", words[2].lower()))
            if words
            else None
        )
    case = position.case or in_name
    return f"{toy}/{case}/{sound}" if case and sound else None


@functools.lru_cache(maxsize=1024)
def _position(folder: str) -> _Position:
    parts = folder.split("/") if folder else []
    at_sound = next((n for n, part in enumerate(parts) if part.lower() in _SOUNDS), None)
    if at_sound is not None:
        case = _CASE.fullmatch(parts[at_sound - 1]) if at_sound else None
        return _Position(
            root="/".join(parts[: at_sound - (case is not None)]),
            case=f"case{int(case[1])}" if case else None,
            sound=_SOUNDS[parts[at_sound].lower()],
            is_plain=at_sound == len(parts) - 1,
        )
    at_case = next((n for n in range(len(parts) - 1, -1, -1) if _CASE.fullmatch(parts[n])), None)
    if at_case is None:
        return _Position(root=None)
    number = _CASE.fullmatch(parts[at_case])
    return _Position(
        root="/".join(parts[:at_case]),
        case=f"case{int(number[1])}" if number else None,
        is_plain=at_case == len(parts) - 1,
    )


def _root_of_loose(
    folder: str, names: Sequence[str], roots: Mapping[str, object], toy: str, place_name: str
) -> str | None:
    """The root that files belong to of which no folder says anything; None where they are nobody's."""
    above = [folder[:end] for end in range(len(folder), -1, -1) if end in {0, len(folder)} or folder[end] == "/"]
    inside = next((one for one in above if one in roots), None)
    if inside is not None:
        return inside
    own = re.compile(rf"[0-9]+_{toy}_case", re.IGNORECASE)
    if any(own.match(name) for name in names):
        return folder
    return next((one for one in above if _named_toy(one.rpartition("/")[2] or place_name) == toy), None)


def _toy_of(root: str, names: Iterable[Sequence[str]], toy: str, place_name: str) -> str | None:
    """Whose recordings lie in a root: the folder's name says it, or the files' names, or a folder above."""
    own_name = root.rpartition("/")[2] or place_name
    by_folder = _named_toy(own_name)
    if by_folder is not None:
        return by_folder
    listed = list(names)
    for one in [toy, *(other.name for other in TOYS if other.name != toy)]:
        word = one.lower()
        if any(word in name.lower() for some in listed for name in some):
            return one
    for folder in [*reversed(root.split("/")), place_name]:
        found = _named_toy(folder) or _short_toy(folder)
        if found is not None:
            return found
    return None


def _named_toy(folder: str) -> str | None:
    """The one toy that a folder's name holds in full."""
    found = [one.name for one in TOYS if one.name.lower() in folder.lower()]
    return found[0] if len(found) == 1 else None


def _short_toy(folder: str) -> str | None:
    found = set(_SHORT_WORDS.findall(folder.lower()))
    return next((one.name for one in TOYS if {one.short} == found), None)
