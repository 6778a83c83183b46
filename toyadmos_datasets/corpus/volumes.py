"""The published archives: their volumes, checksums, and how many files are in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

from toyadmos_datasets.corpus.facts import read_rows
from toyadmos_datasets.corpus.toys import RecordingType, Sound, toy_named
from toyadmos_datasets.units import Bytes

LICENSE_FILE = "LICENSE.pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One published file, nearly always a part of an archive.

    Attributes:
        name: ``ToyTrain.7z.001``.
        n_bytes: Its exact size, bytes.
        md5: Its MD5, hex.
    """

    name: str
    n_bytes: Bytes
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCount:
    """How much is in one folder of the extracted corpus.

    Attributes:
        folder: ``ToyTrain/case1``.
        n_files: WAV files in it and below.
        disk_kib: Space on disk, KiB.
    """

    folder: str
    n_files: int
    disk_kib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingCount:
    """How many takes there are of one kind, the same on every channel.

    Attributes:
        toy: ``ToyTrain``.
        case: Number of the case; 0 for noise that serves all cases.
        sound: ``normal``, ``anomalous`` or ``noise``.
        recording_type: ``IND`` or ``CNT``.
        n_takes: Takes on each of the four channels.
    """

    toy: str
    case: int
    sound: Sound
    recording_type: RecordingType
    n_takes: int


@cache
def published_files() -> tuple[Volume, ...]:
    """List every file of the Zenodo record, the licence included.

    Source:
        Zenodo record 3351307.
    """
    _, rows = read_rows("volumes.csv")
    return tuple(Volume(name=name, n_bytes=int(n_bytes), md5=md5) for name, n_bytes, md5 in rows)


def published_volumes(toy: str) -> tuple[Volume, ...]:
    """List the volumes of a toy's archive, in order."""
    archive = archive_name(toy)
    return tuple(volume for volume in published_files() if volume.name.startswith(f"{archive}."))


def published_license() -> Volume:
    """Return the licence's file in the record."""
    return next(volume for volume in published_files() if volume.name == LICENSE_FILE)


def archive_name(toy: str) -> str:
    """Name the archive that a toy's volumes make when put together: ``ToyTrain.7z``."""
    return f"{toy_named(toy).name}.7z"


@cache
def archive_md5(toy: str) -> str:
    """Return the MD5 of a toy's volumes put together.

    Source:
        The authors' repository.
    """
    _, rows = read_rows("archives.csv")
    return next(md5 for name, md5 in rows if name == archive_name(toy))


@cache
def file_counts(toy: str) -> tuple[FolderCount, ...]:
    """Count the files in each folder of a toy, as extracted.

    Source:
        Public listings of the extracted archives.
    """
    _, rows = read_rows("file_counts.csv")
    folder_of_toy = f"{toy_named(toy).name}/"
    return tuple(
        FolderCount(folder=folder, n_files=int(n_files), disk_kib=int(disk_kib))
        for folder, n_files, disk_kib in rows
        if folder.startswith(folder_of_toy)
    )


@cache
def recording_counts(toy: str) -> tuple[RecordingCount, ...]:
    """Count the takes of each kind that a toy has on each channel.

    Source:
        Solved from the counts and sizes of the folders; the paper's Table 1 counts differently.
    """
    _, rows = read_rows("recording_counts.csv")
    return tuple(
        RecordingCount(
            toy=name,
            case=int(case),
            sound=cast("Sound", sound),
            recording_type=cast("RecordingType", recording_type),
            n_takes=int(n_takes),
        )
        for name, case, sound, recording_type, n_takes in rows
        if name == toy_named(toy).name
    )
