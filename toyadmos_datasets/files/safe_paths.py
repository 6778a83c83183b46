"""Joining names that come from outside, so that nothing is written outside a folder."""

from __future__ import annotations

import re
from pathlib import Path

from toyadmos_datasets.errors import DatasetError

LONGEST_PART = 255
"""Bytes of one name, as most file systems have it."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever their suffix.

Source:
    Microsoft, "Naming Files, Paths, and Namespaces".
"""

_FORBIDDEN = frozenset('<>:"|?*\\')
"""Characters that Windows takes for something else than a part of a name."""


def inside(root: Path, name: str, *, where: object = None) -> Path:
    """Join a relative name from outside to a folder.

    The same names are refused on every system, so that what is written on one can be copied to another.

    Args:
        root: The folder that must not be left.
        name: Forward slashes between its parts.
        where: What the name was read from, for the error.

    Returns:
        The path below `root`; links inside `root` are not followed here.

    Raises:
        DatasetError: The name is empty, absolute, climbs, has a drive, a control character, a name that a system
            reserves, or a part that is too long.

    Example:
        >>> inside(Path("out"), "data/clean/train.parquet").as_posix()
        'out/data/clean/train.parquet'
    """
    reason = unsafe_reason(name)
    if reason is not None:
        raise DatasetError(
            f"A name leads out of its folder, or cannot be a file's: {reason}.",
            where=root if where is None else where,
            expected="a relative path of plain names, such as data/clean/train-00000-of-00001.parquet",
            actual=ascii(name),
            remedy="Do not use this file: get another from a source that you trust.",
        )
    return root.joinpath(*name.split("/"))


def unsafe_reason(name: str) -> str | None:
    """Say why a relative name from outside must not become a path, or None if it may."""
    if not name:
        return "it is empty"
    if name.startswith("/"):
        return "it is absolute"
    return next((reason for part in name.split("/") if (reason := _reason_of_part(part)) is not None), None)


def _reason_of_part(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "it climbs or has an empty part"
    if not part.isprintable() or any(one in _FORBIDDEN for one in part):
        return "it has a drive, a backslash, a control character or another that some system forbids"
    if part[-1] in {".", " "} or _RESERVED.fullmatch(part.partition(".")[0].rstrip()):
        return "a system reserves it"
    if len(part.encode(errors="surrogatepass")) > LONGEST_PART:
        return f"a part of it is longer than {LONGEST_PART} bytes"
    return None
