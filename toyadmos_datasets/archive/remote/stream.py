"""The joined bytes of copies that are still growing: reading waits for what is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from toyadmos_datasets.archive.remote.present import Present
from toyadmos_datasets.archive.volume_set import VolumeSet
from toyadmos_datasets.archive.volume_stream import VolumeStream
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Bring: TypeAlias = Callable[[Bytes, Bytes], None]
"""Returns when at least the first byte of a range is there."""


class GrowingStream(VolumeStream):
    """A stream of volumes that asks for bytes before it reads them.

    Args:
        volumes: The copies.
        present: What is in them.
        bring: Called for what is not.
    """

    def __init__(self, volumes: VolumeSet, present: Present, bring: Bring) -> None:
        super().__init__(volumes)
        self._n_bytes = volumes.n_bytes
        self._present = present
        self._bring = bring

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer as far as bytes are there, after waiting for at least one."""
        start = self.tell()
        view = memoryview(buffer).cast("B")
        stop = min(start + len(view), self._n_bytes)
        if start >= stop:
            return 0
        if self._present.reach(start) <= start:
            self._bring(start, stop)
        return super().readinto(view[: self._present.reach(start) - start])
