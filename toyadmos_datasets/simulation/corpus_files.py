"""A corpus on the disk: the extracted tree, and the split volumes of one 7z archive of solid blocks."""

from __future__ import annotations

import lzma
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.engine import Watch
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.simulation.simulated_events import (
    WAV_HEADER_BYTES,
    Event,
    EventBlock,
    list_events,
    size_named,
)
from toyadmos_datasets.simulation.synthesiser import MODEL_VERSION, synthesise
from toyadmos_datasets.units import Bytes

MARKER_NAME = "SIMULATED.txt"
"""Stands beside the cases of a synthesised toy, in the tree and in the archive; sources are known by it."""

FILE_TIME_S = 1_571_529_600
"""Time of last change of every file, so that the same corpus gives the same archive: 2019-10-20, WASPAA's first day."""

Filters: TypeAlias = tuple[dict[str, Any], ...]
"""A chain of coders, as the standard library's `lzma` takes it."""

MIN_VOLUMES = 3

_COPY_BYTES = 1 << 20

_LZMA2: Final[dict[str, Any]] = {
    "id": lzma.FILTER_LZMA2,
    "preset": 0,
    # Sound has no long repetitions, so a larger window or a deeper search finds nothing: 12 MB/s with these
    # on one core, 11 with preset 0 alone, 1.4 with preset 1.
    "dict_size": 1 << 16,
    "mode": lzma.MODE_FAST,
    "mf": lzma.MF_HC3,
    "nice_len": 8,
    "depth": 1,
    # Literals of 16-bit samples depend on whether they are the low or the high byte, hardly on the byte before.
    "lc": 0,
    "lp": 1,
    "pb": 1,
}
_DELTA: Final[dict[str, Any]] = {"id": lzma.FILTER_DELTA, "dist": 2}

_COPY: Final = 0x33
"""py7zr's `properties.FILTER_COPY`, which is stored as it is; py7zr is loaded only where something is packed."""

STORED: Final[Filters] = ({"id": _COPY},)
PACKED: Final[Filters] = (_LZMA2,)
PACKED_DELTA: Final[Filters] = (_DELTA, _LZMA2)


def write_event(event: Event, watch: Watch, *, seed: int, root: Path) -> None:
    """Synthesise an event and write its four recordings below `root`."""
    for name, samples in zip(event.names, synthesise(event, seed=seed), strict=True):
        write_plainly(root / name.member, wav_bytes(samples))
    watch.advance(event.n_bytes, at=event.name.event_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTree:
    """What the tree of a corpus will be, known before any of it is synthesised.

    Attributes:
        recordings: Path, size and time of change in nanoseconds of each, sorted by path.
        marker: What the marker beside them will say.
    """

    recordings: tuple[tuple[str, Bytes, int], ...]
    marker: bytes


def planned_tree(toy: str, size: str, *, seed: int = 0) -> PlannedTree:
    """Tell which files `simulate` writes into the tree of a corpus.

    Raises:
        OptionError: There is no such toy or size.
    """
    name = toy_named(toy).name
    recordings = [
        (recording.member, event.n_bytes // len(event.names), FILE_TIME_S * 1_000_000_000)
        for event in list_events(name, size_named(size))
        for recording in event.names
    ]
    return PlannedTree(recordings=tuple(sorted(recordings)), marker=marker_text(toy=name, size=size, seed=seed))


def marker_text(*, toy: str, size: str, seed: int) -> bytes:
    """Say what these recordings are, and all that they follow from."""
    said = (
        "SIMULATED RECORDINGS - NOT ToyADMOS\n\n"
        f"Every recording in this folder was synthesised by toyadmos-datasets. Nothing of it was recorded, no\n"
        f"{toy} was running, and results on it say nothing about results on ToyADMOS. Layout, names, damage\n"
        "patterns and channels are those of the ToyADMOS corpus, so that programs can be tried without it.\n\n"
        f"toy: {toy}\nsize: {size}\nseed: {seed}\nmodel: {MODEL_VERSION}\n"
    )
    return said.encode()


def write_plainly(path: Path, content: bytes) -> None:
    """Write and sync a file inside a folder that becomes visible as a whole later."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.utime(path, (FILE_TIME_S, FILE_TIME_S))


def wav_bytes(samples: npt.NDArray[np.int16]) -> bytes:
    """Return a WAV file: 48 kHz, mono, 16-bit PCM.

    Source:
        Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991), chapter 3.
    """
    n_data = 2 * len(samples)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        WAV_HEADER_BYTES - 8 + n_data,
        b"WAVE",
        b"fmt ",
        16,  # bytes of the format chunk
        1,  # PCM
        1,  # channel
        CORPUS_RATE_HZ,
        2 * CORPUS_RATE_HZ,
        2,  # bytes a frame
        16,  # bits
        b"data",
        n_data,
    )
    return header + samples.astype("<i2").tobytes()


def append_block(archive: Path, root: Path, members: tuple[str, ...], *, filters: Filters) -> None:
    """Add files to an archive as one more solid block.

    Args:
        archive: Made if it does not exist.
        root: Folder that the members' paths start in.
        members: Paths with forward slashes, in the order in which they are to be stored.
        filters: How to pack it.
    """
    import py7zr  # noqa: PLC0415  # it is slow to import, and only packing needs it

    with writing(archive), py7zr.SevenZipFile(archive, "a", filters=list(filters)) as container:
        # The header is written anew with every block; packing it would take longer than packing a clip.
        container.set_encoded_header_mode(False)
        for member in members:
            container.write(root / member, member)


def cut(archive: Path, folder: Path, name: str, *, volume_bytes: Bytes) -> tuple[Path, ...]:
    """Cut an archive into volumes ``NAME.001``, ``NAME.002`` .. and remove it.

    Args:
        archive: The whole archive.
        folder: Where the volumes go.
        name: What they are called, as ``ToyTrain.7z``.
        volume_bytes: Size of all but the last; less where there would be fewer than three.
    """
    n_bytes = archive.stat().st_size
    volume_bytes = min(volume_bytes, -(-n_bytes // MIN_VOLUMES))
    volumes: list[Path] = []
    with writing(folder), archive.open("rb") as whole:
        while whole.tell() < n_bytes:
            volume = folder / f"{name}.{len(volumes) + 1:03d}"
            with volume.open("wb") as file:
                left = volume_bytes
                while left and (piece := whole.read(min(left, _COPY_BYTES))):
                    file.write(piece)
                    left -= len(piece)
                file.flush()
                os.fsync(file.fileno())
            volumes.append(volume)
    archive.unlink()
    return tuple(volumes)


def pack(
    blocks: Sequence[EventBlock], watch: Watch, *, root: Path, folder: Path, toy: str, volume_bytes: Bytes
) -> None:
    """Write a tree's volumes; can be stopped between two blocks.

    Args:
        blocks: What goes into each solid block.
        watch: Told the bytes packed.
        root: Folder that the toy's folder is in.
        folder: Where the volumes go; made.
        toy: Whose they are; the text that says what this is stands in front of everything.
        volume_bytes: Size of a volume.
    """
    with writing(folder):
        folder.mkdir(parents=True)
    archive = folder / f".{toy}.7z.whole"
    append_block(archive, root, (f"{toy}/{MARKER_NAME}",), filters=PACKED)
    for number, block in enumerate(blocks):
        filters = STORED if block.is_continuous else PACKED if number % 2 else PACKED_DELTA
        append_block(archive, root, block.members, filters=filters)
        watch.advance(block.n_bytes, at=block.members[-1])
    cut(archive, folder, f"{toy}.7z", volume_bytes=volume_bytes)
