"""One fetch: connections bring the needed ranges, while readers in this and other processes use them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping

from toyadmos_datasets.archives.remote.block_ranges import BlockProgress, Span, WantedBlock, joined
from toyadmos_datasets.archives.remote.fetch_schedule import PIECE_BYTES, WINDOW_BYTES, FetchSchedule, Piece, estimate
from toyadmos_datasets.archives.remote.http_reply import changed_file
from toyadmos_datasets.archives.remote.http_request import FetchStopped, HttpClient
from toyadmos_datasets.archives.remote.remote_source import (
    ReaderRequests,
    RemoteSource,
    close_requests,
    open_requests,
)
from toyadmos_datasets.archives.remote.request_rate import piece_bytes_for
from toyadmos_datasets.archives.remote.transfer import NoRangesError, open_client, open_transfer
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy, fetch_lock, wrong_volume
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.files.atomic import require_room
from toyadmos_datasets.units import Bytes, Seconds, format_bytes

_POLL_S: Seconds = 0.03
_LOOK_AGAIN_S: Seconds = 1.0
_JOIN_S: Seconds = 2.0


class FetchSession:
    """A fetch that goes on in threads of this process until it is ended.

    Args:
        source: What is fetched.
        wanted: Paths of the recordings that are wanted.
        progress: Told about bytes.
        stored: Where copies are not kept: gives the paths that need their bytes no more.
    """

    def __init__(
        self,
        source: RemoteSource,
        wanted: Collection[str],
        progress: Progress,
        stored: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self.source = source
        self.error: BaseException | None = None
        self.estimate = estimate(source, wanted)
        self._wanted = frozenset(wanted)
        self._progress = progress
        self._stored = stored if not source.options.keep_archives else None
        self._copies = source.copies
        self._copies.discard_lost()
        self._wanted_blocks = self._copies.wanted_blocks(source.table, wanted)
        self._bars = BlockProgress(self._wanted_blocks, progress)
        # Whole volumes are not let go in the order in which they come: no window holds them up.
        is_windowed = self._stored is not None and self.estimate.way == "blocks"
        self._schedule = FetchSchedule(
            self._copies,
            self._spans(),
            n_connections=source.options.parallel,
            room=self._room_in_window if is_windowed else None,
        )
        self._fetch_until = {number: one.initial_span[1] for number, one in self._wanted_blocks.items()}
        self._rejected: set[str] = set()
        self._lock = threading.Lock()
        self._connections = threading.Semaphore(source.options.parallel)
        self._released: set[int] = set()
        self._n_permanent = self._copies.n_bytes - self._n_waiting_at_first()
        self._threads: list[threading.Thread] = []
        self._requests: ReaderRequests | None = None
        self._on_progress: Callable[[int], None] = lambda _done: None

    def begin(self, client: HttpClient, requests: ReaderRequests, on_progress: Callable[[int], None]) -> None:
        """Start the threads."""
        self._requests, self._on_progress = requests, on_progress
        self._transfer = open_transfer(self.source.options, client, self._progress)
        self._transfer.on_bytes = self._on_bytes
        self._verify_complete()
        # Two for each connection: one reads, while the disk takes the end of what the other has read.
        runs = [self._fetch] * (2 * self.source.options.parallel) + [self._serve_readers]
        self._threads = [threading.Thread(target=self._guard, args=(run,), daemon=True) for run in runs]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop the threads; what they have written is kept."""
        self._transfer.stopping.set()
        if self._requests is not None:
            self._requests.end()
        until = time.monotonic() + _JOIN_S
        for thread in self._threads:
            # One that is just connecting is left to itself: that ends by itself, and then it sees that it should stop.
            thread.join(max(until - time.monotonic(), 0))
        self._forget_released()
        self._bars.end()
        self._on_progress(self._transfer.n_fetched)

    def _on_bytes(self, name: str, position: Bytes, n_bytes: int) -> None:
        number = next(place for place, copy in enumerate(self._copies.volumes) if copy.volume.name == name)
        self._bars.note(self._copies.starts[number] + position, n_bytes)

    def wait(self) -> None:
        """Return when all that is wanted is there.

        Raises:
            FetchError: It does not come.
        """
        while not self._schedule.is_done and self.error is None:
            self._transfer.stopping.wait(_POLL_S)
        if self.error is not None:
            raise self.error

    def change_error(self, name: str | None = None) -> FetchError | None:
        """Return the error for a volume that became another one on the server; None if no reply said so.

        Args:
            name: Of the volume; None for any.
        """
        changes = self._transfer.versions.changes
        for one in changes if name is None else [name]:
            if one in changes:
                return changed_file(self.source.options.origin.url_of(one), "one file to the end", changes[one])
        return None

    def describe(self) -> str:
        """Say what was fetched, reused and verified."""
        transfer = self._transfer
        setbacks = f", {transfer.n_failures} setbacks" if transfer.n_failures else ""
        return (
            f"Fetched {format_bytes(transfer.n_fetched)} of {self.source.toy} in {transfer.n_requests} requests"
            f"{setbacks}; {format_bytes(self.estimate.n_present)} were there. Checked: recordings by CRC32, and "
            f"{self._copies.n_verified} of {len(self._copies.volumes)} volumes, which are whole, by md5."
        )

    def release(self) -> None:
        """Let go the bytes of all blocks, where copies are not kept."""
        if self._stored is not None:
            self._release(self._stored())

    def _spans(self) -> list[Span]:
        if self.estimate.way == "volumes":
            return [self._copies.span_of(number) for number in self.estimate.volumes]
        first = [one.initial_span for one in self._wanted_blocks.values() if self._copies.n_missing(*one.initial_span)]
        # What lies between blocks belongs to none whose end could let it go.
        return joined(first) if self._stored is None else sorted(first)

    def _verify_complete(self) -> None:
        for copy in self._copies.volumes:
            if copy.is_complete and not copy.is_verified:
                self._verify(copy)

    def _guard(self, run: Callable[[], None]) -> None:
        try:
            run()
        except FetchStopped:
            pass
        except BaseException as error:  # noqa: BLE001  # a thread has nobody above it; `fetching` raises it
            with self._lock:
                self.error = self.error or error
            self._transfer.stopping.set()
            if self._requests is not None:
                self._requests.end()

    def _fetch(self) -> None:
        while not self._transfer.stopping.is_set():
            with contextlib.ExitStack() as connection:
                connection.enter_context(self._connections)
                piece = self._schedule.take()
                if piece is None:
                    self._transfer.stopping.wait(_POLL_S)
                    continue
                try:
                    self._fetch_piece(piece, connection)
                finally:
                    self._schedule.give_back(piece)

    def _fetch_piece(self, piece: Piece, connection: contextlib.ExitStack) -> None:
        copy = self._copies.volumes[piece.number]

        def on_read() -> None:
            """Let another thread have the connection, and pieces be as large as the line is fast."""
            options = self.source.options
            line = self._transfer.speed.bytes_per_s * options.parallel
            self._schedule.piece_bytes = piece_bytes_for(line, options.request_limit, least=PIECE_BYTES)
            connection.close()

        try:
            self._transfer.fetch(copy, piece.start, piece.stop, is_ranged=piece.is_ranged, on_read=on_read)
        except NoRangesError:
            self._fall_back()
            return
        self._on_progress(self._transfer.n_fetched)
        if copy.is_complete and not copy.is_verified:
            self._verify(copy)

    def _fall_back(self) -> None:
        with self._lock:
            if not self._schedule.is_ranged:
                return
            self._schedule.is_ranged = False
        self._schedule.restart()
        self._progress.say("The server gives no ranges: whole volumes are fetched instead.")

    def _verify(self, copy: VolumeCopy) -> None:
        with self._lock:
            if copy.is_verified or not copy.is_complete or copy.verify():
                return
            if copy.volume.name in self._rejected:
                raise (
                    self.change_error(copy.volume.name)
                    or self.change_error()
                    or wrong_volume(copy, self.source.options)
                )
            self._rejected.add(copy.volume.name)
        self._schedule.restart()
        self._progress.say(
            f"{copy.volume.name} has the right size and the wrong md5: it is set aside and fetched again."
        )

    def _serve_readers(self) -> None:
        """Fetch on where decoders need more than was reckoned, and let go what is ingested."""
        stopping = self._transfer.stopping
        since_s = 0.0
        while not stopping.wait(_POLL_S):
            since_s += _POLL_S
            self._on_progress(self._transfer.n_fetched)
            requested = self._requested()
            for number, (position, n_decoded) in requested.items():
                self._extend(self._wanted_blocks[number], position, n_decoded)
            if since_s >= _LOOK_AGAIN_S:
                since_s = 0.0
                self._reschedule_missing(requested)
                if self._stored is not None:
                    self._release(self._stored())

    def _reschedule_missing(self, requested: Mapping[int, tuple[Bytes, Bytes]]) -> None:
        """Fetch what readers still wait for though it was there: a volume that changed on the server took it along."""
        if requested:
            self._schedule.restart()
        for number, (position, _) in requested.items():
            if position >= self._wanted_blocks[number].initial_span[1]:
                self._schedule.fetch_first(position, self._fetch_until[number])

    def _requested(self) -> dict[int, tuple[Bytes, Bytes]]:
        requested = self._requests.pending() if self._requests is not None else {}
        return {number: where for number, where in requested.items() if number in self._wanted_blocks}

    def _extend(self, one: WantedBlock, position: Bytes, n_decoded: Bytes) -> None:
        number = one.block.number
        until = self._fetch_until[number]
        stop = one.next_stop(position, n_decoded) if position >= until else one.stop_ahead(until, position, n_decoded)
        if stop is not None:
            self._fetch_until[number] = stop
            self._schedule.fetch_first(position, stop)
        elif self._stored is not None:
            self._schedule.fetch_first(position, self._fetch_until[number])  # it waits: the window must not hold it up

    def _n_waiting_at_first(self) -> Bytes:
        """Count the bytes of wanted blocks that are there already; what else is there, this fetch does not let go."""
        return sum(self._copies.n_present(one.block.offset, one.block.stop) for one in self._wanted_blocks.values())

    def _room_in_window(self) -> Bytes:
        """Return how many bytes more may wait on the disk to be ingested."""
        return WINDOW_BYTES - (self._copies.n_bytes - self._n_permanent)

    def _release(self, stored: Collection[str]) -> None:
        names = frozenset(stored)
        for number, one in self._wanted_blocks.items():
            if number in self._released:
                continue
            wanted = {one.path for one, _ in self.source.table.members(number)} & self._wanted
            if wanted <= names:
                self._released.add(number)
                self._schedule.drop(one.block.offset, one.block.stop)
        self._forget_released()

    def _forget_released(self) -> None:
        """Give back the room of released blocks; bytes that were on their way may have come after that."""
        for number in tuple(self._released):  # the listening thread may add to them
            block = self._wanted_blocks[number].block
            self._copies.release(block.offset, block.stop)


@contextlib.contextmanager
def open_session(
    source: RemoteSource,
    wanted: Collection[str],
    progress: Progress,
    stored: Callable[[], Collection[str]] | None = None,
) -> Iterator[FetchSession]:
    """Hold a fetch of the wanted recordings open while the block runs.

    Raises:
        FetchError: The server does not give what is missing.
        VolumeError: A volume is another one than was published.
        BusyError: Another process is fetching the same archive, and that is not waited for.
        DiskFullError: There is no room for it.
    """
    folder = source.options.folder
    with contextlib.ExitStack() as open_:
        open_.enter_context(fetch_lock(folder, source.copies, progress, wait=source.options.wait))
        session = FetchSession(source, wanted, progress, stored)
        require_room(folder, session.estimate.n_on_disk, purpose="the volumes' bytes")
        requests = open_requests(folder)
        open_.callback(close_requests, requests)
        client = open_.enter_context(contextlib.closing(open_client(source.options, progress)))
        stage = progress.stage(f"Fetching {source.toy}", session.estimate.n_missing, "bytes")
        on_progress = open_.enter_context(stage)
        session.begin(client, requests, on_progress)
        session.source = source.with_requests(requests)
        try:
            yield session
            session.release()
        except FetchError as error:
            session.end()
            if session.error is not None and session.error is not error:
                raise session.error from error
            raise
        finally:
            session.end()
    if session.error is not None:
        raise session.error
    progress.say(session.describe())
