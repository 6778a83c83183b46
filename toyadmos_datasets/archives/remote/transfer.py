"""Fetches ranges of volumes into their copies, and retries after network failures."""

from __future__ import annotations

import contextlib
import logging
import math
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx2 as httpx

from toyadmos_datasets.archives.remote.fetch_options import Clock, FetchOptions, Origin, RetryPolicy
from toyadmos_datasets.archives.remote.http_reply import (
    ByteRequest,
    FileVersions,
    RetryableError,
    body_chunks,
    changed_file,
    rate_limit_wait_s,
    require_body,
)
from toyadmos_datasets.archives.remote.http_request import FetchStopped, HttpClient, shown_url
from toyadmos_datasets.archives.remote.request_rate import (
    REPORT_FROM_WAIT_S,
    REPORT_INTERVAL_S,
    LineSpeed,
    open_window,
)
from toyadmos_datasets.archives.remote.volume_copies import CopyWriter, VolumeCopy
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.escaping import escaped, without_secrets
from toyadmos_datasets.units import Bytes, Seconds, format_bytes

_LOG = logging.getLogger(__name__)

MAX_UNSYNCED_BYTES: Bytes = 64 << 20
"""Bytes that all connections together may have written and a crash loses."""
EARLY_CHECKPOINT_BYTES: Bytes = 2 << 20
"""Bytes after which there is a checkpoint if the disk has finished the last one: decoders get what is at one."""
PROGRESS_BYTES: Bytes = 1 << 16
"""So much between two failures is progress: the count begins anew."""
_CHANGED_MEANWHILE = "the file on the server changed meanwhile"
_REPORT_FROM_FAILURE = 2


class NoRangesError(Exception):
    """The server gives whole files only."""


class RateLimit:
    """Holds all threads together to so many bytes a second.

    Args:
        bytes_per_s: None for no limit.
        clock: Time.
    """

    def __init__(self, bytes_per_s: float | None, clock: Clock) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, n_bytes: int, stopping: threading.Event) -> None:
        """Wait until so many bytes more are within the limit, or `stopping` is set."""
        if not self._bytes_per_s:
            return
        with self._lock:
            now = self._clock.ticks()
            self._free_at = max(self._free_at, now) + n_bytes / self._bytes_per_s
            wait_s = self._free_at - now
        self._clock.wait(stopping, wait_s)


@dataclass(slots=True, kw_only=True)
class Transfer:
    """What the connections of one fetch have in common.

    Attributes:
        client: Sends requests.
        origin: Where the volumes are.
        retry_policy: Waits and limits.
        clock: Time.
        limit: Bytes a second.
        on_bytes: Told about bytes that arrived: of which volume, where, how many.
        say: Told, in words, why nothing comes for a while.
        stopping: Set when nobody waits for bytes any more.
        versions: What the server said of its files.
        speed: Of one connection.
        checkpoint_bytes: After so many bytes without a checkpoint a connection waits for the disk.
    """

    client: HttpClient
    origin: Origin
    retry_policy: RetryPolicy
    clock: Clock
    limit: RateLimit
    on_bytes: Callable[[str, Bytes, int], None] = lambda _name, _at, _n: None
    say: Callable[[str], None] = lambda _text: None
    stopping: threading.Event = field(default_factory=threading.Event)
    versions: FileVersions = field(default_factory=FileVersions)
    speed: LineSpeed = field(default_factory=LineSpeed)
    checkpoint_bytes: Bytes = 1 << 20
    n_fetched: Bytes = 0
    n_requests: int = 0
    n_failures: int = 0
    _marks: dict[str, str] = field(default_factory=dict)
    _n_changes: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rate_limited_until: float = -math.inf
    _reported_at: float = -math.inf
    _unreachable_since: float = math.inf

    def fetch(
        self,
        copy: VolumeCopy,
        start: Bytes,
        stop: Bytes,
        *,
        is_ranged: bool = True,
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """Bring a range of a volume into its copy, or the whole volume where a server knows no ranges.

        Args:
            copy: Of the volume.
            start: From this byte of it on.
            stop: Up to this one.
            is_ranged: Whether a range is asked for.
            on_read: Called when all bytes have come: the connection is free, and only the disk is still waited for.

        Raises:
            NoRangesError: A range was asked for, twice, and the whole file came.
            FetchError: The server refuses, gives something else, or is out of reach for too long.
            FetchStopped: `stopping` was set; what was fetched is kept.
        """
        seen: Counter[str] = Counter()
        failures = 0
        with copy.writer(start) as writer:
            while writer.position < stop:
                if not is_ranged or writer.is_outdated:
                    writer.rewind(start)  # a whole file is begun anew, never appended to
                before = writer.position
                request = ByteRequest(
                    volume=copy.volume,
                    address=self.origin.url_of(copy.volume.name),
                    start=before,
                    stop=stop,
                    is_ranged=is_ranged,
                )
                try:
                    self._attempt(request, writer)
                except RetryableError as failure:
                    seen[failure.kind] += 1
                    failures = failures + 1 if not is_ranged or writer.position - before < PROGRESS_BYTES else 1
                    self._give_up_or_wait(request, failure, seen, failures)
                    if failure.kind in {"changed", "outdated"}:
                        writer.rewind(start)  # the file that these bytes are of is no more
                    if failure.kind == "changed":
                        self._begin_volume_anew(copy, failure.etag)
            on_read()

    def fetch_or_whole(self, copy: VolumeCopy, start: Bytes, stop: Bytes) -> bool:
        """Bring a range of a volume into its copy, and all of it from a server that knows no ranges.

        Returns:
            Whether it was the range.
        """
        try:
            self.fetch(copy, start, stop)
        except NoRangesError:
            self.fetch(copy, 0, copy.volume.n_bytes, is_ranged=False)
            return False
        return True

    def _attempt(self, request: ByteRequest, writer: CopyWriter) -> None:
        self._wait_for_rate_limit()
        mark = self._marks.get(request.volume.name, "")
        headers = {"Range": f"bytes={request.start}-{request.stop - 1}"} if request.is_ranged else {}
        if request.is_ranged and mark:
            headers["If-Range"] = mark
        try:
            with self.client.get(request.address, headers, self.stopping) as response:
                self._note_rate_limit(response)
                change = self.versions.note(request.volume.name, response)
                self._require_unchanged(response, request, mark)
                with _naming_change(request, change):
                    require_body(response, request, now=self.clock.now(), retry_policy=self.retry_policy)
                    before, since = writer.position, self.clock.ticks()
                    try:
                        self._read(response, request, writer)
                    finally:
                        self.speed.note(writer.position - before, self.clock.ticks() - since)
        except httpx.ProxyError as error:
            raise _proxy_error(request, error) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if _is_untrusted(error):
                raise _untrusted(request, error) from error
            what = f"the connection failed ({type(error).__name__}: {error})"
            raise RetryableError(what, kind="passing" if self.client.has_answered else "unreachable") from error
        except httpx.TimeoutException as error:
            raise RetryableError(f"nothing came in time ({type(error).__name__}: {error})") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            if _is_untrusted(error):
                raise _untrusted(request, error) from error
            raise RetryableError(f"the connection failed ({type(error).__name__}: {error})") from error

    def _read(self, response: httpx.Response, request: ByteRequest, writer: CopyWriter) -> None:
        mark = self._marks.get(request.volume.name)
        since, n_since = self.clock.ticks(), 0
        for chunk in body_chunks(response, request):
            self._require_running()
            if self._marks.get(request.volume.name) != mark:
                raise RetryableError(_CHANGED_MEANWHILE, kind="outdated")
            self.on_bytes(request.volume.name, writer.position, len(chunk))
            writer.write(chunk)
            is_early = writer.n_unchecked >= EARLY_CHECKPOINT_BYTES and not writer.is_waiting
            if is_early or writer.n_unchecked >= self.checkpoint_bytes:
                writer.begin_checkpoint()
            with self._lock:
                self.n_fetched += len(chunk)
            self.limit.take(len(chunk), self.stopping)
            n_since += len(chunk)
            if (duration_s := self.clock.ticks() - since) >= self.retry_policy.slow_window_s:
                if n_since < self.retry_policy.min_window_bytes:
                    raise RetryableError(f"only {format_bytes(n_since)} came in {duration_s:.0f} s")
                since, n_since = self.clock.ticks(), 0

    def _require_unchanged(self, response: httpx.Response, request: ByteRequest, mark: str) -> None:
        """Notice a file that is another one than at the first request; weak marks say nothing about bytes."""
        if response.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
            return
        etag = response.headers.get("etag", "")
        strong = etag if etag.startswith('"') else ""
        is_whole_instead = request.is_ranged and response.status_code == httpx.codes.OK  # If-Range did not hold
        if mark and strong != mark and (strong or is_whole_instead):
            if self._marks.get(request.volume.name) not in {mark, ""}:
                raise RetryableError(_CHANGED_MEANWHILE, kind="outdated")
            text = f"the file changed: its ETag was {mark} and is {strong or 'not given'}"
            raise RetryableError(text, kind="changed", etag=strong)
        with self._lock:
            if strong and not self._marks.get(request.volume.name):
                self._marks[request.volume.name] = strong

    def _begin_volume_anew(self, copy: VolumeCopy, etag: str) -> None:
        with self._lock:
            self._marks[copy.volume.name] = etag
        copy.restart()

    def _give_up_or_wait(
        self, request: ByteRequest, failure: RetryableError, seen: Counter[str], failures: int
    ) -> None:
        self._require_running()
        with self._lock:
            self.n_failures += 1
            self._n_changes[request.volume.name] += failure.kind == "changed"
            n_seen = self._n_changes[request.volume.name] if failure.kind == "changed" else seen[failure.kind]
        is_repeated = failure.kind not in {"passing", "unreachable", "short", "outdated"} and n_seen > 1
        if is_repeated and failure.kind == "no ranges":
            raise NoRangesError
        if is_repeated or failures >= self.retry_policy.max_attempts:
            raise self._failed(request, failure, failures) from failure
        wait_s = failure.wait_s
        if wait_s is None:
            wait_s = self.retry_policy.backoff_s(failures, self.clock.chance())
        else:
            wait_s += self.clock.chance()  # the server told all refused clients the same moment
        if failure.kind == "unreachable" and self._has_no_time_left(wait_s):
            raise self._failed(request, failure, failures) from failure
        where, what = escaped(without_secrets(request.where)), escaped(without_secrets(failure.what))
        _LOG.debug("Try %d of %s failed: %s; the next in %.1f s", failures, where, what, wait_s)
        self._report_wait(request, failure, failures, wait_s)
        self._sleep(wait_s)

    def _has_no_time_left(self, wait_s: Seconds) -> bool:
        """Tell whether a server that never answered is called out of reach before the next attempt would end."""
        with self._lock:
            self._unreachable_since = min(self._unreachable_since, self.clock.ticks())
            waited_s = self.clock.ticks() - self._unreachable_since
        policy = self.retry_policy
        return waited_s + wait_s + policy.first_connect_timeout_s > policy.first_contact_s

    def _failed(self, request: ByteRequest, failure: RetryableError, failures: int) -> FetchError:
        change = self.versions.changes.get(request.volume.name, "")
        if change and failure.kind in {"wrong part", "refused range", "short"}:
            return _changed(request, change)
        return _failed(request, failure, failures)

    def _report_wait(self, request: ByteRequest, failure: RetryableError, failures: int, wait_s: Seconds) -> None:
        if failures < _REPORT_FROM_FAILURE and wait_s < REPORT_FROM_WAIT_S:
            return
        with self._lock:
            now = self.clock.ticks()
            if now - self._reported_at < REPORT_INTERVAL_S:
                return
            self._reported_at = now
        so_far = f"try {failures} of {self.retry_policy.max_attempts}"
        self.say(f"{request.where}: {failure.what}; {so_far}, the next in {math.ceil(wait_s)} s.")

    def _note_rate_limit(self, response: httpx.Response) -> None:
        wait_s = rate_limit_wait_s(response.headers, self.clock.now(), self.retry_policy.max_retry_after_s)
        with self._lock:
            self.n_requests += 1
            if wait_s:
                self._rate_limited_until = max(self._rate_limited_until, self.clock.ticks() + wait_s)

    def _wait_for_rate_limit(self) -> None:
        self._require_running()
        wait_s = self._rate_limited_until - self.clock.ticks()
        if wait_s > 0:
            self._sleep(wait_s)

    def _sleep(self, duration_s: Seconds) -> None:
        """Wait, but not on after a stop."""
        self.clock.wait(self.stopping, duration_s)
        self._require_running()

    def _require_running(self) -> None:
        if self.stopping.is_set():
            raise FetchStopped


@contextlib.contextmanager
def _naming_change(request: ByteRequest, change: str) -> Iterator[None]:
    """Let the error for a reply say that the file is another one than before, where it is."""
    try:
        yield
    except FetchError as error:
        if change:
            raise _changed(request, change) from error
        raise


def _changed(request: ByteRequest, change: str) -> FetchError:
    return changed_file(
        request.address, f"the file that bytes {request.start} to {request.stop} are of, as before", change
    )


def _failed(request: ByteRequest, failure: RetryableError, failures: int) -> FetchError:
    if failure.kind == "wrong part":
        what = "The server gives another part than the one that was asked for."
    elif failure.kind == "changed":
        what = "The file changes on the server while it is fetched."
    elif failure.kind == "refused range":
        what = "The server's file is shorter than the published one."
    elif failure.kind == "unreachable":
        what = "The server cannot be reached."
    else:
        what = f"Fetching failed {failures} times in a row."
    return FetchError(
        what,
        where=request.where,
        expected=f"bytes of {request.volume.name}, {request.volume.n_bytes} bytes in all",
        actual=failure.what,
        remedy="What was fetched is kept: check the connection, then run the same command again; "
        f"or another --source. In a browser: {shown_url(request.address)}",
    )


def _proxy_error(request: ByteRequest, error: httpx.ProxyError) -> Exception:
    """What a proxy's refusal amounts to; one that is only busy may let through later."""
    if not str(error).startswith(("403", "407")):
        return RetryableError(f"the proxy failed ({error})")
    return FetchError(
        "The proxy does not let the request through.",
        where=request.where,
        expected="a way to the server",
        actual=str(error),
        remedy="Check HTTPS_PROXY (https://name:password@host:port if it asks for one), or name the host in NO_PROXY.",
    )


def _is_untrusted(error: BaseException | None) -> bool:
    """Tell whether a connection failed because the server's certificate does not stand up."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _untrusted(request: ByteRequest, error: Exception) -> FetchError:
    return FetchError(
        "The server's certificate is not trusted.",
        where=request.where,
        expected="a certificate for this host from an authority that is trusted",
        actual=str(error),
        remedy="Check that no portal answers in its place. If your network has an authority of its own, "
        "name the file with its certificate: SSL_CERT_FILE=/path/ca.pem",
    )


def open_transfer(options: FetchOptions, client: HttpClient, progress: Progress) -> Transfer:
    """Return what fetches with these options, and says through `progress` why nothing comes."""
    return Transfer(
        client=client,
        origin=options.origin,
        retry_policy=options.retry_policy,
        clock=options.clock,
        limit=RateLimit(options.bytes_per_s, options.clock),
        say=progress.say,
        checkpoint_bytes=checkpoint_bytes_for(options.parallel),
    )


def checkpoint_bytes_for(n_connections: int) -> Bytes:
    """Return after how many bytes a connection makes a checkpoint, so that no crash loses more than it may.

    So many may be at a checkpoint that the disk has not finished, and so many more written since: of the piece that
    the connection reads, and of the piece before, where only the disk is waited for.
    """
    return MAX_UNSYNCED_BYTES // (4 * n_connections)


def open_client(options: FetchOptions, progress: Progress) -> HttpClient:
    """Open connections as these options say; `progress` is told why a request waits."""
    return HttpClient(
        options.retry_policy,
        has_netrc=options.netrc,
        n_connections=options.parallel,
        window=open_window(options, progress.say),
    )
