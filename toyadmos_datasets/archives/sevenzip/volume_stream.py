"""Several files read as one seekable stream."""

from __future__ import annotations

import bisect
import io
import itertools
import os
from typing import IO, TYPE_CHECKING, Any

from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet
from toyadmos_datasets.archives.source_reading import reading
from toyadmos_datasets.errors import VolumeError
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class VolumeStream(io.RawIOBase):
    """The joined bytes of a set of volumes.

    Holds at most one of the files open, from the first read of it on; a pickled stream starts anew, at its
    position, without any.

    Args:
        volumes: The files, in order, with the sizes that they must still have.
    """

    def __init__(self, volumes: VolumeSet) -> None:
        super().__init__()
        self._volumes = volumes
        self._position = 0
        self._file: IO[bytes] | None = None
        self._number = -1
        self._start = 0
        self._stop = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._volumes, self._position)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> Bytes:
        """Position in the joined bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> Bytes:
        """Move to a place in the joined bytes; past the end is allowed, as in files."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._volumes.n_bytes}
        position = bases[whence] + offset
        if position < 0:
            message = f"a stream has no position {position}"
            raise ValueError(message)
        self._position = position
        return position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer up to its end or that of the volume at the position; 0 at the end of the last.

        Raises:
            VolumeError: A volume has another size than when the source was opened.
            SourceError: The disk fails.
        """
        if self._position >= self._volumes.n_bytes:
            return 0
        if not self._start <= self._position < self._stop:
            self._open_volume()
        room = memoryview(buffer).cast("B")[: self._stop - self._position]
        path = self._volumes.paths[self._number]
        file = self._file
        if file is None or not room:
            return 0
        with reading(path):
            file.seek(self._position - self._start)
            n_read: int = file.readinto(room)  # type: ignore[attr-defined]  # an unbuffered file has it
        if n_read == 0:
            raise _changed(self._volumes, self._number, self._position - self._start)
        self._position += n_read
        return n_read

    def close(self) -> None:
        """Close the volume that is open, if one is."""
        self._close_volume()
        super().close()

    def _open_volume(self) -> None:
        starts = list(itertools.accumulate(self._volumes.sizes, initial=0))
        number = bisect.bisect_right(starts, self._position) - 1
        path, size = self._volumes.paths[number], self._volumes.sizes[number]
        self._close_volume()
        with reading(path):
            self._file = path.open("rb", buffering=0)
            actual = os.fstat(self._file.fileno()).st_size
        if actual != size:
            raise _changed(self._volumes, number, actual)
        self._number, self._start, self._stop = number, starts[number], starts[number + 1]

    def _close_volume(self) -> None:
        self._start = self._stop = 0
        if self._file is not None:
            self._file.close()
            self._file = None


def read_exactly(stream: io.RawIOBase, n_bytes: Bytes) -> bytes:
    """Read on across volumes; fewer bytes come back only at the end of the stream."""
    parts = []
    while n_bytes > 0:
        part = stream.read(n_bytes)
        if not part:
            break
        parts.append(part)
        n_bytes -= len(part)
    return b"".join(parts)


def _reopen(volumes: VolumeSet, position: Bytes) -> VolumeStream:
    stream = VolumeStream(volumes)
    stream.seek(position)
    return stream


def _changed(volumes: VolumeSet, number: int, actual: Bytes) -> VolumeError:
    return VolumeError(
        "A volume changed while it was being read.",
        where=volumes.paths[number],
        expected=f"{volumes.sizes[number]} bytes",
        actual=f"{actual} bytes",
        remedy="Let whatever writes there finish, then run the same command again.",
    )
