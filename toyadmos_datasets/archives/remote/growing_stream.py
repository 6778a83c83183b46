"""Volumes that are read while they grow: what readers and the fetcher tell each other, and a stream that waits."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.archives.sevenzip.volume_stream import VolumeStream
from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.files.atomic import is_abandoned, temporary_path, writing
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


_SUFFIX = ".fetch"
_OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Readers ask for bytes, the fetcher says when it is over.

    Attributes:
        folder: Where it runs; its name says whose it is.
    """

    folder: Path

    def ask(self, block: int, position: Bytes, n_decoded: Bytes) -> None:
        """Ask for more of a block: all bytes before `position` were used and gave `n_decoded`."""
        path = self.folder / f"need-{block}"
        with writing(path), contextlib.suppress(FileNotFoundError):  # it is over; `require_open` says so
            path.write_text(f"{position} {n_decoded} .", encoding="ascii")

    def thank(self, block: int) -> None:
        """Ask no more: what was asked for is there."""
        with contextlib.suppress(OSError):
            (self.folder / f"need-{block}").unlink(missing_ok=True)

    def asked(self) -> dict[int, tuple[Bytes, Bytes]]:
        """Return what readers are waiting for, by block."""
        found = {}
        for path in self.folder.glob("need-*"):
            with contextlib.suppress(OSError, ValueError):  # one that is just being written counts at the next look
                position, n_decoded, end = path.read_text(encoding="ascii").split(" ")
                if end == ".":
                    found[int(path.name.removeprefix("need-"))] = (int(position), int(n_decoded))
        return found

    def end(self) -> None:
        """Tell the readers that nothing more will come."""
        (self.folder / _OVER).touch()

    def require_open(self) -> None:
        """Raise if nothing more will come.

        Raises:
            FetchError: The fetch has failed or was stopped, or its process died.
        """
        if (self.folder / _OVER).exists() or not self.folder.exists() or is_abandoned(self.folder):
            raise FetchError(
                "The fetch ended before everything was there.",
                where=self.folder.parent,
                remedy="What was fetched is kept: run the same command again.",
            )


def open_line(folder: Path) -> Line:
    """Make a line in the folder of an archive's copies; those of fetchers that are gone are removed."""
    for left in folder.glob(f".*{_SUFFIX}"):
        if is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    line = Line(folder=temporary_path(folder).with_suffix(_SUFFIX))
    with writing(line.folder):
        line.folder.mkdir()
    return line


def close_line(line: Line) -> None:
    """End it and remove it."""
    with contextlib.suppress(OSError):
        line.end()
    shutil.rmtree(line.folder, ignore_errors=True)


Bring: TypeAlias = Callable[[Bytes, Bytes], None]
"""Returns when at least the first byte of a range is there."""


class GrowingStream(VolumeStream):
    """A stream of volumes that asks for bytes before it reads them.

    Args:
        copies: What is read.
        bring: Called for what is missing of them.
    """

    def __init__(self, copies: VolumeCopies, bring: Bring) -> None:
        super().__init__(copies.files)
        self._n_bytes = copies.manifest.n_bytes
        self._copies = copies
        self._bring = bring

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer as far as bytes are there, after waiting for at least one."""
        start = self.tell()
        view = memoryview(buffer).cast("B")
        stop = min(start + len(view), self._n_bytes)
        if start >= stop:
            return 0
        if self._copies.reach(start) <= start:
            self._bring(start, stop)
        return super().readinto(view[: self._copies.reach(start) - start])
