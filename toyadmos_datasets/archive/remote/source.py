"""A source whose volumes are elsewhere; satisfies `values.source.Source`."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Self

from toyadmos_datasets.archive.block import read_block
from toyadmos_datasets.archive.remote.copy import VolumeCopy, copied_volumes
from toyadmos_datasets.archive.remote.ends import BlockEnds
from toyadmos_datasets.archive.remote.http import HttpClient
from toyadmos_datasets.archive.remote.line import Line
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.patience import RateLimit
from toyadmos_datasets.archive.remote.present import Layout, present_in
from toyadmos_datasets.archive.remote.stream import GrowingStream
from toyadmos_datasets.archive.remote.transfer import NoRangesError, Transfer
from toyadmos_datasets.archive.remote.turn import having_turn
from toyadmos_datasets.archive.volume_set import VolumeSet
from toyadmos_datasets.archive.volume_stream import VolumeStream
from toyadmos_datasets.archive.volumes_source import VolumesSource
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import ArchiveError, CorruptMemberError, SourceError, SourceNotFoundError, VolumeError
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
        line: To the fetch that is going on; None while there is none.
    """

    options: FetchOptions
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


def open_remote(options: FetchOptions, progress: Progress | None = None) -> RemoteSource:
    """Read an archive's header by its ranges, and nothing else; what was read once is not fetched again.

    A header that is damaged is fetched once more, unless the volumes it stands in were found to be right.

    Args:
        options: Which archive, from where, to where.
        progress: Told about waiting for another process.

    Raises:
        FetchError: The server does not give it.
        SourceNotFoundError: There is no recording in the archive.
        ArchiveError: The archive is damaged, or holds what cannot be read or used.
        BusyError: Another process is fetching the same archive, and that is not waited for.
    """
    manifest = options.manifest
    volumes = copied_volumes(options.folder, manifest)
    with _HeaderFetch(options, progress or Quiet()) as fetch:
        try:
            from toyadmos_datasets.archive.header import read_header  # noqa: PLC0415  # py7zr is slow to import

            table, identity = read_header(volumes, manifest.toy, fetch.open_stream)
        except (ArchiveError, VolumeError):
            if not fetch.forget():
                raise
            table, identity = read_header(volumes, manifest.toy, fetch.open_stream)
    if not table.paths:
        raise SourceNotFoundError(
            f"The archive holds no recordings of {manifest.toy}.",
            where=options.origin.shown,
            expected=f"{manifest.toy}/.../<name>.wav",
            actual=f"no .wav file in {len(table.blocks)} blocks",
            remedy="Give the address of the volumes as they were published.",
        )
    return RemoteSource(toy=manifest.toy, volumes=volumes, table=table, identity=identity, options=options)


def open_transfer(options: FetchOptions, client: HttpClient) -> Transfer:
    """Return what fetches with these options."""
    return Transfer(
        client=client,
        origin=options.origin,
        patience=options.patience,
        clock=options.clock,
        limit=RateLimit(options.bytes_per_s, options.clock),
    )


def open_client(options: FetchOptions) -> HttpClient:
    """Open connections as these options say."""
    return HttpClient(options.patience, has_netrc=options.has_netrc, n_connections=options.parallel)


class _HeaderFetch:
    """Fetches the ranges that reading the header touches; asks nobody if all are there."""

    def __init__(self, options: FetchOptions, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._layout = Layout([volume.n_bytes for volume in options.manifest.volumes])
        self._present = present_in(options.folder, options.manifest)
        self._open = contextlib.ExitStack()
        self._transfer: Transfer | None = None
        self._touched: list[tuple[Bytes, Bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open_stream(self, volumes: VolumeSet) -> VolumeStream:
        return GrowingStream(volumes, self._present, self._bring)

    def forget(self) -> bool:
        """Drop what was read; tell whether fetching it again can help."""
        if self._transfer is None:
            self._touched = [(0, 32), *self._header_parts()]
        if all(self._present.is_settled(*span) for span in self._touched):
            return False
        for span in self._touched:
            self._present.mark("gone", *span)
        return True

    def _header_parts(self) -> list[tuple[Bytes, Bytes]]:
        """What is there of the last volume: where the header is, it was read from there."""
        start, stop = self._layout.starts[-2:]
        gaps = self._present.gaps(start, stop)
        last_gap = gaps[-1][1] if gaps else start
        return [(last_gap, stop)] if last_gap < stop else []

    def _bring(self, start: Bytes, stop: Bytes) -> None:
        transfer = self._transfer or self._connect()
        for number, a, b in self._layout.split(start, stop):
            copy = VolumeCopy(self._options.folder, self._options.manifest.volumes[number])
            for gap in copy.have.gaps(a, b):
                try:
                    transfer.fetch(copy, *gap)
                except NoRangesError:
                    transfer.fetch(copy, 0, copy.volume.n_bytes, is_ranged=False)
                    if not copy.settle():
                        raise wrong_volume(copy, self._options) from None
                    break
            self._present.refresh(self._layout.starts[number])
        self._touched.append((start, stop))

    def _connect(self) -> Transfer:
        self._open.enter_context(having_turn(self._options.folder, self._options, self._progress))
        client = self._open.enter_context(contextlib.closing(open_client(self._options)))
        self._transfer = open_transfer(self._options, client)
        return self._transfer


class _Reader:
    """Reads one block; keeps the fetch informed of how far it is."""

    def __init__(self, source: RemoteSource, block: int, on_bytes: Callable[[int], None] | None) -> None:
        self._source = source
        self._block = source.table.blocks[block]
        self._on_bytes = on_bytes
        self._present = present_in(source.options.folder, source.options.manifest)
        self._ends = BlockEnds(source.options.folder)
        self._n_decoded = 0
        self._is_suspect = False
        self._stream: GrowingStream | None = None

    def read(self, wanted: Collection[str]) -> Iterator[tuple[Member, Iterator[bytes]]]:
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
        self._ends.note(self._block.number, self._n_decoded, stop)
        if self._present.has_suspects(self._block.offset, self._block.stop):
            self._present.mark("good", self._block.offset, self._block.stop)

    def _open_stream(self, volumes: VolumeSet) -> GrowingStream:
        self._stream = GrowingStream(volumes, self._present, self._wait)
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
            if not self._present.is_settled(self._block.offset, stop):
                self._present.mark("bad", self._block.offset, stop)
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
                remedy="Fetch them first: toyadmos download, or archive.fetching in Python.",
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
        self._present.refresh(start)
        return self._present.reach(start) > start


def wrong_volume(copy: VolumeCopy, options: FetchOptions) -> VolumeError:
    """The error for a volume that came whole, twice, and is another one than was published."""
    return VolumeError(
        "A volume has the right size and the wrong md5, twice.",
        where=options.origin.url_of(copy.volume.name).partition("?")[0],
        expected=f"md5 {copy.volume.md5}",
        actual=f"another; the last one is kept as {copy.aside}",
        remedy="Try another --source, or --source record; delete the file that is kept when you have looked at it.",
    )
