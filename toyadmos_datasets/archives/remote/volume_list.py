"""The list of expected volumes, with sizes and checksums that come from no server."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archives.sevenzip.volume_set import find_volumes, volume_name
from toyadmos_datasets.archives.source_reading import reading
from toyadmos_datasets.corpus.volumes import LICENSE_FILE, Volume, published_license, published_volumes
from toyadmos_datasets.errors import OptionError, SourceNotFoundError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.units import Bytes

_COLUMNS = ["name", "bytes", "md5"]
_MOST_BYTES: Bytes = 1 << 20
"""A hundred times the table of the whole record; a volume is a line of about 60 bytes."""
_MOST_DIGITS = 18
"""Of a size; no file system holds a file of more bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeList:
    """The volumes of one archive as they must be.

    Attributes:
        toy: Whose archive.
        volumes: In order.
        license_file: The licence that stands beside them; None where the audio is not the published corpus.
    """

    toy: str
    volumes: tuple[Volume, ...]
    license_file: Volume | None = None

    @property
    def n_bytes(self) -> Bytes:
        """Size of the joined archive."""
        return sum(volume.n_bytes for volume in self.volumes)

    @property
    def digest(self) -> str:
        """Short name for exactly these volumes."""
        text = "\n".join(f"{one.name},{one.n_bytes},{one.md5}" for one in self.volumes)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def published_manifest(toy: str) -> VolumeList:
    """Return the volumes of the record, from the table that is part of this package."""
    return VolumeList(toy=toy, volumes=published_volumes(toy), license_file=published_license())


def read_manifest(path: Path, toy: str) -> VolumeList:
    """Read a table of volumes that `write_manifest` wrote, for a mirror of a corpus that is not the record's.

    Raises:
        OptionError: The file is no such table.
        SourceNotFoundError: It has no volumes of the toy.
    """
    with reading(path), path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise _no_table(path, f"at most {_MOST_BYTES} bytes", "more")
    text = content.decode(errors="replace")
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise _no_table(path, "a line for each volume", str(error)) from error
    if not rows or rows[0] != _COLUMNS:
        raise _no_table(path, "its first line", ",".join(rows[0]) if rows else "an empty file")
    listed = {volume.name: volume for volume in (_volume(path, row) for row in rows[1:] if row)}
    ours = [listed[name] for name in (volume_name(toy, n + 1) for n in range(len(listed))) if name in listed]
    if not ours:
        ours = [listed[name] for name in (f"{toy}.7z",) if name in listed]
    expected = [name for name in listed if name.startswith(f"{toy}.7z")]
    if not ours or len(ours) != len(expected):
        raise SourceNotFoundError(
            f"The table does not list the volumes of {toy} without a gap.",
            where=path,
            expected=f"{volume_name(toy, 1)} and the following",
            actual=", ".join(expected) or "none of them",
            remedy=f"toyadmos verify FOLDER --toy {toy} --write-manifest {shell_word(path)} "
            "makes one from good volumes.",
        )
    return VolumeList(toy=toy, volumes=tuple(ours), license_file=listed.get(LICENSE_FILE))


def write_manifest(path: Path, volumes: Sequence[Volume]) -> None:
    """Write the table of volumes that `read_manifest` reads."""
    lines = [",".join(_COLUMNS), *(f"{one.name},{one.n_bytes},{one.md5}" for one in volumes)]
    write_text(path, "\n".join(lines) + "\n")


def describe_volumes(folder: Path, toy: str) -> tuple[Volume, ...]:
    """Measure the volumes that are in a folder.

    Raises:
        SourceNotFoundError: There are none.
        VolumeError: One is missing, there twice or truncated.
    """
    found = find_volumes(folder, toy)
    if found is None:
        raise SourceNotFoundError(
            f"There are no volumes of {toy} in the folder.",
            where=folder,
            expected=f"{volume_name(toy, 1)} and the following",
            remedy="Give the folder that holds them, or --toy for another toy.",
        )
    return tuple(
        Volume(name=path.name, n_bytes=size, md5=md5_of(path))
        for path, size in zip(found.paths, found.sizes, strict=True)
    )


def md5_of(path: Path) -> str:
    """Hash a file's bytes with MD5, as the record lists them."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _volume(path: Path, row: list[str]) -> Volume:
    name, n_bytes, md5 = row if len(row) == len(_COLUMNS) else ("", "", "")
    is_name = name == Path(name).name and name not in {"", ".", ".."} and "\\" not in name
    is_md5 = len(md5) == 32 and all(letter in "0123456789abcdef" for letter in md5)
    is_size = n_bytes.isascii() and n_bytes.isdigit() and len(n_bytes) <= _MOST_DIGITS
    if not (is_name and is_md5 and is_size):
        raise _no_table(path, "name, size in bytes and md5 in every line", ascii(",".join(row)))
    return Volume(name=name, n_bytes=int(n_bytes), md5=md5)


def _no_table(path: Path, expected: str, actual: str) -> OptionError:
    return OptionError(
        "This is not a table of volumes.",
        where=path,
        expected=f"{','.join(_COLUMNS)}: {expected}",
        actual=actual[:200],
        remedy=f"toyadmos verify FOLDER --toy TOY --write-manifest {shell_word(path)} makes one from good volumes.",
    )
