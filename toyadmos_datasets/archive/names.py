"""Which names and kinds of files the recordings of a source may have."""

from __future__ import annotations

import stat
from collections.abc import Sequence

from toyadmos_datasets.errors import IndexConflictError, UnsafeMemberError

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
