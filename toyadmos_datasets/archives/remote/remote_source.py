"""A source whose volumes are elsewhere; satisfies `values.source.Source`."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.growing_stream import GrowingStream, Line
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.archives.sevenzip.block_reader import read_block
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet
from toyadmos_datasets.archives.sevenzip.volumes_source import VolumesSource
from toyadmos_datasets.errors import CorruptMemberError, SourceError
from toyadmos_datasets.units import Bytes, Seconds
from toyadmos_datasets.values.source import Member

_POLL_S: Seconds = 0.02
_LOOK_S: Seconds = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSource(VolumesSource):
    """Recordings in an archive on the web, of which the wanted bytes are, or come to be, on the disk.

    Reading a block waits for its bytes. They come while a fetch is going on, which `fetching` begins.

    Attributes:
        options: Where from and where to.
        copies: What of the archive is here.
        line: To the fetch that is going on; None while there is none.
    """

    options: FetchOptions
    copies: VolumeCopies = field(compare=False, repr=False)
    line: Line | None = None

    @property
    def location(self) -> str:
        """The address of the folder, and the archive's name."""
        return f"{self.options.origin.shown} ({self.toy}.7z)"

    def read(
        self, block: int, wanted: Collection[str], on_bytes: Callable[[int], None] | None = None
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream the wanted recordings of one block as its bytes come, checked by size and CRC32.

        Raises:
            CorruptMemberError: A recording is wrong; its block is fetched again next time.
            FetchError: The bytes are not there and do not come.
        """
        reader = _Reader(self, block, on_bytes)
        return reader.read(wanted)

    def with_line(self, line: Line | None) -> RemoteSource:
        """Return the same source with a fetch that goes on."""
        return dataclasses.replace(self, line=line)


class _Reader:
    """Reads one block; keeps the fetch informed of how far it is."""

    def __init__(self, source: RemoteSource, block: int, on_bytes: Callable[[int], None] | None) -> None:
        self._source = source
        self._block = source.table.blocks[block]
        self._on_bytes = on_bytes
        self._copies = source.copies
        self._copies.refresh()
        self._n_decoded = 0
        self._is_suspect = False
        self._stream: GrowingStream | None = None

    def read(self, wanted: Collection[str]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream recordings as `read_block` does, and write down what reading them showed."""
        source = self._source
        with self._suspecting():
            for member, chunks in read_block(
                source.volumes,
                source.table,
                block=self._block.number,
                wanted=wanted,
                on_bytes=self._count,
                open_stream=self._open_stream,
            ):
                yield member, self._guarded(chunks)
        if self._stream is not None and not self._is_suspect:
            self._note_good(self._stream.tell())

    def _note_good(self, stop: Bytes) -> None:
        """Write down what nobody knew: how far the bytes reach, and that what was suspected has come anew."""
        self._copies.mark_read(self._block.number, self._n_decoded, stop)
        if self._copies.has_suspects(self._block.offset, self._block.stop):
            self._copies.mark("good", self._block.offset, self._block.stop)

    def _open_stream(self, _volumes: VolumeSet) -> GrowingStream:
        self._stream = GrowingStream(self._copies, self._wait)
        return self._stream

    def _guarded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        with self._suspecting():
            yield from chunks

    @contextlib.contextmanager
    def _suspecting(self) -> Iterator[None]:
        """Have what was read of a block fetched again where a recording was wrong, unless its volumes are right.

        What comes after it is not given up: who goes on with the next recording still finds it.
        """
        try:
            yield
        except CorruptMemberError:
            self._is_suspect = True
            stop = self._block.stop if self._stream is None else self._stream.tell()
            if not self._copies.are_verified(self._block.offset, stop):
                self._copies.mark("bad", self._block.offset, stop)
            raise

    def _count(self, n_bytes: int) -> None:
        self._n_decoded += n_bytes
        if self._on_bytes is not None:
            self._on_bytes(n_bytes)

    def _wait(self, start: Bytes, _stop: Bytes) -> None:
        line = self._source.line
        if self._has_come(start):
            return
        if line is None:
            raise SourceError(
                "The bytes of a block are not on the disk, and nothing is fetching them.",
                where=self._source.options.folder,
                expected=f"byte {start} of the archive",
                remedy="Fetch them first: toyadmos download, or archive.remote.fetching.use_fetched in Python.",
            )
        waited_s = 0.0
        while not self._has_come(start):
            if waited_s == 0:
                line.ask(self._block.number, start, self._n_decoded)
            if waited_s >= _LOOK_S:
                line.require_open()
                if self._on_bytes is not None:
                    self._on_bytes(0)  # whoever watches may want to stop
                waited_s = 0.0
            time.sleep(_POLL_S)
            waited_s += _POLL_S
        line.thank(self._block.number)

    def _has_come(self, start: Bytes) -> bool:
        self._copies.refresh_at(start)
        return self._copies.reach(start) > start
