"""Which files of a source are recordings, and which are skipped."""

from __future__ import annotations

import fnmatch
import hashlib
import heapq
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from toyadmos_datasets.corpus.name_errors import showable
from toyadmos_datasets.errors import IndexConflictError, OptionError, UnsafeMemberError
from toyadmos_datasets.values.source import MAX_EXAMPLES, Oddity

MARKER_NAME = "SIMULATED.txt"
"""Stands beside the cases of a corpus that this package synthesised."""

_WINDOWS_REPARSE_POINT = 0x400
_WINDOWS_DEVICE = 0x40
_WINDOWS_HAS_UNIX_MODE = 0x8000
"""Bits of a member's attributes; with the last, the upper half is the mode of a Unix file.

Source:
    7-Zip, CPP/7zip/Common/FileStreams and DOC/7zFormat.txt, "Attributes"; Windows, winnt.h.
"""


def require_safe_name(path: str, *, where: object) -> None:
    """Raise unless the name of a recording stays below its source on every system.

    Raises:
        UnsafeMemberError: It is absolute, climbs, has a drive, a backslash or a NUL, or is no text.
    """
    reason = None
    if not path or "\0" in path or "\\" in path or not path.isprintable():
        reason = "it is empty or has a backslash, a NUL or another character that cannot be shown"
    elif path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        reason = "it is absolute"
    elif any(part in {"", ".", ".."} for part in path.split("/")):
        reason = "it climbs out of its folder or has an empty part"
    if reason is not None:
        raise UnsafeMemberError(
            f"A file in the source has a name that cannot be used: {reason}.",
            where=where,
            expected="folders and <name>.wav",
            actual=ascii(path),
            remedy="Rename or remove it if the source is your own, or leave it out with --ignore PATTERN; else fetch "
            "the source again.",
        )


def require_plain_kind(path: str, *, attributes: int | None, where: object) -> None:
    """Raise unless a member of an archive is a file or a folder.

    Raises:
        UnsafeMemberError: It is a link, a device, a pipe or a socket.
    """
    if attributes is None:
        return
    kind = None
    if attributes & _WINDOWS_REPARSE_POINT:
        kind = "a link"
    elif attributes & _WINDOWS_DEVICE:
        kind = "a device"
    elif attributes & _WINDOWS_HAS_UNIX_MODE:
        kind = special_kind(attributes >> 16)
    if kind is not None:
        raise not_a_file(path, kind=kind, where=where)


def special_kind(mode: int) -> str | None:
    """What a Unix mode says a thing is, or None for files and folders."""
    if stat.S_IFMT(mode) in {0, stat.S_IFREG, stat.S_IFDIR}:
        return None
    if stat.S_ISLNK(mode):
        return "a link"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a pipe or a socket"


def not_a_file(path: str, *, kind: str, where: object) -> UnsafeMemberError:
    """The error for something in a source that is neither a file nor a folder."""
    return UnsafeMemberError(
        f"There is {kind} in the source.",
        where=where,
        expected="files and folders only",
        actual=ascii(path),
        remedy="Put the file itself in its place, or remove it.",
    )


def require_distinct(paths: Sequence[str], found: Sequence[str] = (), *, where: object) -> None:
    """Raise if two recordings have one name on some system.

    Args:
        paths: Where they are in the corpus as published.
        found: Where they really are; empty where that is the same.
        where: The source.

    Raises:
        IndexConflictError: The same name twice, or two that differ only in case.
    """
    folded = [path.casefold() for path in paths]
    if len(set(folded)) == len(folded):
        return
    seen: dict[str, int] = {}
    for number, key in enumerate(folded):
        earlier = seen.setdefault(key, number)
        if earlier == number:
            continue
        one, other = ((found or paths)[place] for place in (earlier, number))
        what = "Two names differ only in upper and lower case."
        if one.casefold() != other.casefold():
            what = "Two files would be the same recording."
        raise IndexConflictError(
            "A name is there twice." if one == other else what,
            where=where,
            expected="one file for each name",
            actual=f"{one} and {other}",
            remedy="Keep the one that belongs there, and remove the other or leave it out with --ignore PATTERN.",
        )


_HIDDEN_PREFIXES = (".", "~$")
_HIDDEN_SUFFIXES = ("@synoeastream", "@synoresource", ".part", ".partial", ".crdownload", ".!sync", ".tmp")
_HIDDEN_NAMES = frozenset(
    {
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@tmp",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "__macosx",
        "cvs",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "network trash folder",
        "recycler",
        "system volume information",
        "temporary items",
        "thumbs.db",
    }
)
"""Files and folders of systems and programs, in lower case; a folder is passed over with all that is in it.

Source:
    What NAS boxes (Synology, QNAP), Windows, macOS, NFS, version control and sync programs are known to write.
"""

_EXPECTED = ("simulated.txt", "license")
"""How the names begin of the files that may stand in a toy's folder as it was published or simulated."""


def is_hidden(name: str) -> bool:
    """Whether a file or a folder belongs to a system or a program and never to the corpus, by its name alone."""
    lower = name.lower()
    if lower.startswith(_HIDDEN_PREFIXES):
        return name not in {".", ".."}
    return lower in _HIDDEN_NAMES or lower.endswith(_HIDDEN_SUFFIXES)


def has_hidden_folder(folder: str) -> bool:
    """Whether a path of folders leads through a hidden one."""
    return any(is_hidden(part) for part in folder.split("/") if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """What the user wants left out of a source, as glob patterns.

    A pattern takes what it matches, and if that is a folder, all that is in it. It is compared with the name, with
    the whole path, and with what is left of the path without its first folders; capitals do not matter.

    Attributes:
        patterns: Such as ``backup``, ``*_enhanced.wav``, ``case4/AnomalousSound_IND/*``.
    """

    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            if not pattern.strip("/"):
                raise OptionError(
                    "A pattern of files to ignore is empty.",
                    where="--ignore",
                    expected="a name, a path or a glob pattern",
                    actual=ascii(pattern),
                    remedy="For instance: --ignore 'backup/*' or --ignore '*_enhanced.wav'",
                )

    def compiled(self) -> re.Pattern[str] | None:
        """Return what matches an ignored path from its beginning to its end; None if nothing is ignored."""
        if not self.patterns:
            return None
        one_of = "|".join(
            fnmatch.translate(pattern.strip("/")).removesuffix(r"\Z").removesuffix(r"\z") for pattern in self.patterns
        )
        return re.compile(rf"(?s:(?:.*/)?(?:{one_of})(?:/.*)?)", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class PathTally:
    """Counts paths and keeps the first of them by name.

    Attributes:
        n: How many there were.
        first: The first of them, sorted.
    """

    n: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, paths: Iterable[str]) -> None:
        """Count more of them."""
        new = list(paths)
        self.n += len(new)
        self.first = heapq.nsmallest(MAX_EXAMPLES, [*self.first, *new])

    def merge(self, other: PathTally) -> None:
        """Count what another tally counted."""
        self.n += other.n
        self.first = heapq.nsmallest(MAX_EXAMPLES, [*self.first, *other.first])

    def oddities(self, code: str, what: str) -> list[Oddity]:
        """Return the oddity that they are, or nothing if there are none."""
        if not self.n:
            return []
        return [Oddity(code=code, what=what, n=self.n, examples=tuple(map(showable, self.first)))]


@dataclass(slots=True, kw_only=True)
class Strays:
    """What lies in a toy's folder and is not read.

    Attributes:
        hidden: Files and folders of systems and programs.
        others: Other files that are no recordings.
        ignored: What the user's patterns took.
    """

    hidden: PathTally = field(default_factory=PathTally)
    others: PathTally = field(default_factory=PathTally)
    ignored: PathTally = field(default_factory=PathTally)

    def oddities(self) -> list[Oddity]:
        """Return what a reader of the source should know of them."""
        return [
            *self.hidden.oddities("hidden", "Hidden and system files and folders were passed over."),
            *self.others.oddities("passed_over", "Files that are no recordings were passed over."),
            *self.ignored.oddities("ignored", "Files were left out because --ignore names them."),
        ]


def is_expected(name: str) -> bool:
    """Whether a file that is no recording belongs to the corpus all the same, as its licence does."""
    return name.lower().startswith(_EXPECTED)


def digest_of(ignored: Sequence[str]) -> str:
    """Return a hash over recordings that are left out, or nothing if there are none."""
    return hashlib.sha256("\n".join(sorted(ignored)).encode()).hexdigest() if ignored else ""


def chosen_among(paths: Sequence[str], ignored: Sequence[str]) -> bytes:
    """Return what tells which of several files of one name is read; empty where no ignored file has a kept one's name.

    A recording is kept under its file's name, so what was kept with one of them must not serve for the other.
    """
    twice = {path.rpartition("/")[2].casefold() for path in ignored}
    chosen = [path for path in paths if path.rpartition("/")[2].casefold() in twice] if twice else []
    return "\n".join(chosen).encode()
