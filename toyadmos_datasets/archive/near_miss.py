"""What nearly is a source: a corpus packed otherwise, or a place spelled otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.files.looking import raise_shortage

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
