"""Which files of a source are passed over: what systems and programs leave behind, and what the user names."""

from __future__ import annotations

import fnmatch
import hashlib
import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from toyadmos_datasets.corpus.name_errors import showable
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.values.source import MAX_EXAMPLES, Oddity

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
class Tally:
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

    def merge(self, other: Tally) -> None:
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

    hidden: Tally = field(default_factory=Tally)
    others: Tally = field(default_factory=Tally)
    ignored: Tally = field(default_factory=Tally)

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
