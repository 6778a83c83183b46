"""A source whose volumes are on a server: its readers ask the fetching process for bytes, and wait for them."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from toyadmos_datasets.archives.remote.block_ranges import LOOKAHEAD_BYTES
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.archives.sevenzip.block_parts import find_parts
from toyadmos_datasets.archives.sevenzip.block_reader import read_block
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream
from toyadmos_datasets.archives.sevenzip.volumes_source import VolumesSource
from toyadmos_datasets.errors import CorruptMemberError, FetchError, SourceError
from toyadmos_datasets.files.atomic import is_abandoned, temporary_path, writing
from toyadmos_datasets.units import Bytes, Seconds
from toyadmos_datasets.values.source import BlockPart, Member, Restart

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_POLL_S: Seconds = 0.02
_LOOK_AGAIN_S: Seconds = 0.25
_TELL_BYTES: Bytes = 1 << 20
_SUFFIX = ".fetch"
_OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRequests:
    """What readers, in any process, ask of the fetch that is going on; it tells them when it is over.

    Attributes:
        folder: Holds a file for each request; its name says which process fetches.
    """

    folder: Path

    def request(self, block: int, position: Bytes, n_decoded: Bytes) -> None:
        """Ask for more of a block: all bytes before `position` were used and gave `n_decoded`."""
        path = self.folder / f"need-{block}"
        with writing(path), contextlib.suppress(FileNotFoundError):  # it is over; `require_open` says so
            path.write_text(f"{position} {n_decoded} .", encoding="ascii")

    def withdraw(self, block: int) -> None:
        """Ask no more: what was asked for is there."""
        with contextlib.suppress(OSError):
            (self.folder / f"need-{block}").unlink(missing_ok=True)

    def pending(self) -> dict[int, tuple[Bytes, Bytes]]:
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


def open_requests(folder: Path) -> ReaderRequests:
    """Make a folder for requests beside an archive's copies; those of fetchers that are gone are removed."""
    for left in folder.glob(f".*{_SUFFIX}"):
        if is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    requests = ReaderRequests(folder=temporary_path(folder).with_suffix(_SUFFIX))
    with writing(requests.folder):
        requests.folder.mkdir()
    return requests


def close_requests(requests: ReaderRequests) -> None:
    """Tell the readers that the fetch is over, and remove the folder."""
    with contextlib.suppress(OSError):
        requests.end()
    shutil.rmtree(requests.folder, ignore_errors=True)


FetchBytes: TypeAlias = Callable[[Bytes, Bytes], None]
"""Returns when at least the first byte of a range is there."""


class GrowingStream(VolumeStream):
    """A stream of volumes that asks for bytes before it reads them.

    Args:
        copies: What is read.
        fetch: Called for what is missing of them.
    """

    def __init__(self, copies: VolumeCopies, fetch: FetchBytes) -> None:
        super().__init__(copies.files)
        self._n_bytes = copies.manifest.n_bytes
        self._copies = copies
        self._fetch = fetch

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer as far as bytes are there, after waiting for at least one."""
        start = self.tell()
        view = memoryview(buffer).cast("B")
        stop = min(start + len(view), self._n_bytes)
        if start >= stop:
            return 0
        if self._copies.reach(start) <= start:
            self._fetch(start, stop)
        return super().readinto(view[: self._copies.reach(start) - start])


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSource(VolumesSource):
    """Recordings in an archive on the web, of which the wanted bytes are, or come to be, on the disk.

    Reading a block waits for its bytes. They come while a fetch is going on, which `fetching` begins.

    Attributes:
        options: Where from and where to.
        copies: What of the archive is here.
        requests: What readers ask of the fetch that is going on; None while there is none.
    """

    options: FetchOptions
    copies: VolumeCopies = field(compare=False, repr=False)
    requests: ReaderRequests | None = None

    @property
    def location(self) -> str:
        """The address of the folder, and the archive's name."""
        return f"{self.options.origin.shown} ({self.toy}.7z)"

    @property
    def sample_file(self) -> Path | None:
        """None: the copies are in the cache, and some of them may not be there yet."""
        return None

    def parts(self, block: int, wanted: Collection[str]) -> Iterator[BlockPart]:
        """Find parts of a block whose bytes have come; one that is still being fetched is one part.

        Nobody waits for bytes in order to find parts of it: its decoder uses them as they come.
        """
        self.copies.refresh()
        start, stop = self.table.blocks[block].offset, self.table.blocks[block].stop
        one = self.copies.wanted_blocks(self.table, wanted).get(block)
        if one is not None and one.known_stop is not None:
            stop = one.known_stop
        is_there = not self.copies.n_missing(start, stop) and not self.copies.has_suspects(start, stop)
        return find_parts(self.volumes, self.table, block=block, wanted=wanted, stop=stop if is_there else start)

    def read(
        self,
        block: int,
        wanted: Collection[str],
        on_bytes: Callable[[int], None] | None = None,
        restart: Restart | None = None,
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream the wanted recordings of one block as its bytes come, checked by size and CRC32.

        Raises:
            CorruptMemberError: A recording is wrong; its block is fetched again next time, unless `restart` is given.
            FetchError: The bytes are not there and do not come.
        """
        if restart is not None:  # its bytes have come; what it finds out is for a read from the beginning to tell
            return VolumesSource.read(self, block, wanted, on_bytes, restart)
        reader = _Reader(self, block, on_bytes)
        return reader.read(wanted)

    def with_requests(self, requests: ReaderRequests | None) -> RemoteSource:
        """Return the same source with a fetch that goes on."""
        return dataclasses.replace(self, requests=requests)


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
        self._asks_at = 0
        self._stream: GrowingStream | None = None

    def read(self, wanted: Collection[str]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Stream recordings as `read_block` does, and write down what reading them showed."""
        source = self._source
        with self._marking_suspects(), self._withdrawing():
            for member, chunks in read_block(
                source.volumes,
                source.table,
                block=self._block.number,
                wanted=wanted,
                on_bytes=self._count,
                open_stream=self._open_stream,
            ):
                yield member, self._marked(chunks)
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

    def _marked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        with self._marking_suspects():
            yield from chunks

    @contextlib.contextmanager
    def _marking_suspects(self) -> Iterator[None]:
        """Have what was read of a block fetched again where a recording was wrong, unless its volumes are right.

        Later recordings are kept: a reader can continue with the next one.
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
        self._tell_ahead()
        if self._on_bytes is not None:
            self._on_bytes(n_bytes)

    def _tell_ahead(self) -> None:
        """Tell the fetch from time to time how far this is, so that more comes before what is there is used up."""
        requests, stream = self._source.requests, self._stream
        if requests is None or stream is None or (position := stream.tell()) < self._asks_at:
            return
        self._asks_at = position + _TELL_BYTES
        if self._copies.reach(position) - position < LOOKAHEAD_BYTES:
            requests.request(self._block.number, position, self._n_decoded)

    @contextlib.contextmanager
    def _withdrawing(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._source.requests is not None:
                self._source.requests.withdraw(self._block.number)

    def _wait(self, start: Bytes, _stop: Bytes) -> None:
        requests = self._source.requests
        if self._has_come(start):
            return
        if requests is None:
            raise SourceError(
                "The bytes of a block are not on the disk, and nothing is fetching them.",
                where=self._source.options.folder,
                expected=f"byte {start} of the archive",
                remedy="Fetch them first: toyadmos download, or read them in Source.using in Python.",
            )
        waited_s = 0.0
        while not self._has_come(start):
            if waited_s == 0:
                requests.request(self._block.number, start, self._n_decoded)
            if waited_s >= _LOOK_AGAIN_S:
                requests.require_open()
                if self._on_bytes is not None:
                    self._on_bytes(0)  # the watch may ask to stop
                waited_s = 0.0
            time.sleep(_POLL_S)
            waited_s += _POLL_S
        requests.withdraw(self._block.number)

    def _has_come(self, start: Bytes) -> bool:
        self._copies.refresh_at(start)
        return self._copies.reach(start) > start
