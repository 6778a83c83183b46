"""From a finished tree to its volumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.engine import Watch
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.simulate.events import EventBlock
from toyadmos_datasets.simulate.volumes import PACKED, PACKED_DELTA, STORED, Filters, append_block, cut
from toyadmos_datasets.units import Bytes


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
