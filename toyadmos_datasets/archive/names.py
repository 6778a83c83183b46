"""Which names and kinds of files a source may hold."""

from __future__ import annotations

import fnmatch
import stat
from collections.abc import Iterable
from pathlib import PurePosixPath

from toyadmos_datasets.errors import IndexConflictError, UnsafeMemberError

MARKER_NAME = "SIMULATED.txt"
"""Stands beside the cases of a corpus that this package synthesised."""

_HARMLESS = ("SIMULATED.txt", ".DS_Store", "._*", "Thumbs.db", "desktop.ini", "LICENSE*", "README*", "MD5SUMS*")

_WINDOWS_REPARSE_POINT = 0x400
_WINDOWS_DEVICE = 0x40
_WINDOWS_HAS_UNIX_MODE = 0x8000
"""Bits of a member's attributes; with the last, the upper half is the mode of a Unix file.

Source:
    7-Zip, CPP/7zip/Common/FileStreams and DOC/7zFormat.txt, "Attributes"; Windows, winnt.h.
"""


def is_recording(path: str) -> bool:
    """Whether a file calls itself a WAV file; whether its name makes sense is for the index to say."""
    name = PurePosixPath(path).name
    return name.lower().endswith(".wav") and not name.startswith("._")


def is_harmless(path: str) -> bool:
    """Whether a file that is no recording is known to stand beside recordings."""
    name = PurePosixPath(path).name
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _HARMLESS)


def require_safe_name(path: str, *, toy: str, where: object) -> None:
    """Raise unless a member's name stays below its toy's folder on every system.

    Raises:
        UnsafeMemberError: It is absolute, climbs, has a drive, a backslash or a NUL, or is no text.
    """
    parts = path.split("/")
    reason = None
    if not path or "\0" in path or "\\" in path or not path.isprintable():
        reason = "it is empty or has a backslash, a NUL or another character that cannot be shown"
    elif path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        reason = "it is absolute"
    elif any(part in {"", ".", ".."} for part in parts):
        reason = "it climbs out of its folder or has an empty part"
    elif parts[0] != toy:
        reason = f"it is not in the folder {toy}"
    if reason is not None:
        raise UnsafeMemberError(
            f"A file in the source has a name that cannot be used: {reason}.",
            where=where,
            expected=f"{toy}/.../<name>.wav",
            actual=ascii(path),
            remedy="Rename or remove it if the source is your own; else fetch the source again.",
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


def require_distinct(paths: Iterable[str], *, where: object) -> None:
    """Raise if two names are one on some system.

    Raises:
        IndexConflictError: The same name twice, or two that differ only in case.
    """
    seen: dict[str, str] = {}
    for path in paths:
        folded = path.casefold()
        if folded in seen:
            other = seen[folded]
            raise IndexConflictError(
                "A name is there twice." if other == path else "Two names differ only in upper and lower case.",
                where=where,
                expected="one file for each name",
                actual=f"{other} and {path}",
                remedy="Keep the one that belongs there and remove the other.",
            )
        seen[folded] = path
