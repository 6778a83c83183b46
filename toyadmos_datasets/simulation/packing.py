"""Split volumes, as the corpus is published: one 7z archive of solid blocks, cut into numbered files."""

from __future__ import annotations

import lzma
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from toyadmos_datasets.engine import Watch
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.simulation.simulated_events import EventBlock
from toyadmos_datasets.units import Bytes

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTask:
    """A tree to be packed.

    Attributes:
        root: Folder that the toy's folder is in.
        folder: Where the volumes go; made.
        toy: Whose they are.
        marker: Path of the text that says what this is; it stands in front of everything.
        blocks: What goes into each solid block.
        volume_bytes: Size of a volume.
    """

    root: Path
    folder: Path
    toy: str
    marker: str
    blocks: tuple[EventBlock, ...]
    volume_bytes: Bytes


def pack(task: PackTask, watch: Watch) -> None:
    """Write a tree's volumes; can be stopped between two blocks."""
    with writing(task.folder):
        task.folder.mkdir(parents=True)
    archive = task.folder / f".{task.toy}.7z.whole"
    append_block(archive, task.root, (task.marker,), filters=PACKED)
    for number, block in enumerate(task.blocks):
        append_block(archive, task.root, block.members, filters=_filters(number, block))
        watch.advance(block.n_bytes, at=block.members[-1])
    cut(archive, task.folder, f"{task.toy}.7z", volume_bytes=task.volume_bytes)


def _filters(number: int, block: EventBlock) -> Filters:
    if block.is_continuous:
        return STORED
    return PACKED if number % 2 else PACKED_DELTA
