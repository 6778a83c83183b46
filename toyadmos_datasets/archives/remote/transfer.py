"""Ranges of volumes brought into their copies, whatever the network does meanwhile."""

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

from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.file_changes import FileMarks, changed_file
from toyadmos_datasets.archives.remote.http_deadline import FetchStopped
from toyadmos_datasets.archives.remote.http_reply import Asked, SetbackError, body_of, judge
from toyadmos_datasets.archives.remote.http_request import HttpClient, Origin, shown_url
from toyadmos_datasets.archives.remote.retry import Clock, Patience, RateLimit, spent_wait_s
from toyadmos_datasets.archives.remote.volume_copy import CopyWriter, VolumeCopy
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.escaping import escaped, without_secrets
from toyadmos_datasets.units import Bytes, Seconds, format_bytes

_LOG = logging.getLogger(__name__)

CHECKPOINT_BYTES: Bytes = 8 << 20
"""Bytes a connection may have written that a crash loses; see `options.MAX_CONNECTIONS`."""
PROGRESS_BYTES: Bytes = 1 << 16
"""So much between two failures is progress: the count begins anew."""
_MEANWHILE = "the file on the server changed meanwhile"
_TOLD_FROM_FAILURE = 2
_TOLD_FROM_WAIT_S: Seconds = 5.0
_TOLD_AGAIN_AFTER_S: Seconds = 30.0
"""Who waits is told why, but not of one hiccup, and not in every other line."""


class NoRangesError(Exception):
    """The server gives whole files only."""


@dataclass(slots=True, kw_only=True)
class Transfer:
    """What the connections of one fetch have in common.

    Attributes:
        client: Sends requests.
        origin: Where the volumes are.
        patience: Waits and limits.
        clock: Time.
        limit: Bytes a second.
        on_bytes: Told about bytes that arrived: of which volume, where, how many.
        say: Told, in words, why nothing comes for a while.
        stopping: Set when nobody waits for bytes any more.
        files: What the server said of its files.
    """

    client: HttpClient
    origin: Origin
    patience: Patience
    clock: Clock
    limit: RateLimit
    on_bytes: Callable[[str, Bytes, int], None] = lambda _name, _at, _n: None
    say: Callable[[str], None] = lambda _text: None
    stopping: threading.Event = field(default_factory=threading.Event)
    files: FileMarks = field(default_factory=FileMarks)
    n_fetched: Bytes = 0
    n_requests: int = 0
    n_setbacks: int = 0
    _marks: dict[str, str] = field(default_factory=dict)
    _n_changes: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _quiet_until: float = -math.inf
    _told_at: float = -math.inf

    def fetch(self, copy: VolumeCopy, start: Bytes, stop: Bytes, *, is_ranged: bool = True) -> None:
        """Bring a range of a volume into its copy, or the whole volume where a server knows no ranges.

        Raises:
            NoRangesError: A range was asked for, twice, and the whole file came.
            FetchError: The server refuses, gives something else, or is out of reach for too long.
            FetchStopped: `stopping` was set; what was fetched is kept.
        """
        seen: Counter[str] = Counter()
        failures = 0
        with copy.writer(start) as writer:
            while writer.position < stop:
                if not is_ranged:
                    writer.rewind(0)  # a whole file is begun anew, never appended to
                before = writer.position
                asked = Asked(
                    volume=copy.volume,
                    address=self.origin.url_of(copy.volume.name),
                    start=before,
                    stop=stop,
                    is_ranged=is_ranged,
                )
                try:
                    self._attempt(asked, writer)
                except SetbackError as setback:
                    seen[setback.kind] += 1
                    failures = failures + 1 if not is_ranged or writer.position - before < PROGRESS_BYTES else 1
                    self._give_up_or_wait(asked, setback, seen, failures)
                    if setback.kind in {"changed", "outdated"}:
                        writer.rewind(start)  # the file that these bytes are of is no more
                    if setback.kind == "changed":
                        self._begin_volume_anew(copy, setback.etag)

    def _attempt(self, asked: Asked, writer: CopyWriter) -> None:
        self._wait_for_leave()
        mark = self._marks.get(asked.volume.name, "")
        headers = {"Range": f"bytes={asked.start}-{asked.stop - 1}"} if asked.is_ranged else {}
        if asked.is_ranged and mark:
            headers["If-Range"] = mark
        try:
            with self.client.get(asked.address, headers, self.stopping) as response:
                self._note_leave(response)
                change = self.files.note(asked.volume.name, response)
                self._require_unchanged(response, asked, mark)
                with _naming_change(asked, change):
                    judge(response, asked, now=self.clock.now(), patience=self.patience)
                    self._read(response, asked, writer)
        except httpx.ProxyError as error:
            raise _through_proxy(asked, error) from error
        except httpx.TimeoutException as error:
            raise SetbackError(f"nothing came in time ({type(error).__name__}: {error})") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            if _is_unproven(error):
                raise _unproven(asked, error) from error
            raise SetbackError(f"the connection failed ({type(error).__name__}: {error})") from error

    def _read(self, response: httpx.Response, asked: Asked, writer: CopyWriter) -> None:
        mark = self._marks.get(asked.volume.name)
        since, n_since = self.clock.ticks(), 0
        for chunk in body_of(response, asked):
            self._require_going_on()
            if self._marks.get(asked.volume.name) != mark:
                raise SetbackError(_MEANWHILE, kind="outdated")
            self.on_bytes(asked.volume.name, writer.position, len(chunk))
            writer.write(chunk)
            if writer.n_unsafe >= CHECKPOINT_BYTES:
                writer.checkpoint()
            with self._lock:
                self.n_fetched += len(chunk)
            self.limit.take(len(chunk), self.stopping)
            n_since += len(chunk)
            if (duration_s := self.clock.ticks() - since) >= self.patience.slow_s:
                if n_since < self.patience.slow_bytes:
                    raise SetbackError(f"only {format_bytes(n_since)} came in {duration_s:.0f} s")
                since, n_since = self.clock.ticks(), 0

    def _require_unchanged(self, response: httpx.Response, asked: Asked, mark: str) -> None:
        """Notice a file that is another one than at the first request; weak marks say nothing about bytes."""
        if response.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
            return
        etag = response.headers.get("etag", "")
        strong = etag if etag.startswith('"') else ""
        is_whole_instead = asked.is_ranged and response.status_code == httpx.codes.OK  # If-Range did not hold
        if mark and strong != mark and (strong or is_whole_instead):
            if self._marks.get(asked.volume.name) not in {mark, ""}:
                raise SetbackError(_MEANWHILE, kind="outdated")
            text = f"the file changed: its ETag was {mark} and is {strong or 'not given'}"
            raise SetbackError(text, kind="changed", etag=strong)
        with self._lock:
            if strong and not self._marks.get(asked.volume.name):
                self._marks[asked.volume.name] = strong

    def _begin_volume_anew(self, copy: VolumeCopy, etag: str) -> None:
        with self._lock:
            self._marks[copy.volume.name] = etag
        copy.forget(0, copy.volume.n_bytes)

    def _give_up_or_wait(self, asked: Asked, setback: SetbackError, seen: Counter[str], failures: int) -> None:
        self._require_going_on()
        with self._lock:
            self.n_setbacks += 1
            self._n_changes[asked.volume.name] += setback.kind == "changed"
            n_seen = self._n_changes[asked.volume.name] if setback.kind == "changed" else seen[setback.kind]
        is_repeated = setback.kind not in {"passing", "short", "outdated"} and n_seen > 1
        if is_repeated and setback.kind == "no ranges":
            raise NoRangesError
        if is_repeated or failures >= self.patience.attempts:
            raise self._failed(asked, setback, failures) from setback
        wait_s = setback.wait_s
        if wait_s is None:
            wait_s = self.patience.backoff_s(failures, self.clock.chance())
        else:
            wait_s += self.clock.chance()  # all who were refused were told the same moment
        where, what = escaped(without_secrets(asked.where)), escaped(without_secrets(setback.what))
        _LOG.debug("Try %d of %s failed: %s; the next in %.1f s", failures, where, what, wait_s)
        self._tell(asked, setback, failures, wait_s)
        self._sleep(wait_s)

    def _failed(self, asked: Asked, setback: SetbackError, failures: int) -> FetchError:
        change = self.files.changes.get(asked.volume.name, "")
        if change and setback.kind in {"wrong part", "refused range", "short"}:
            return _changed(asked, change)
        return _failed(asked, setback, failures)

    def _tell(self, asked: Asked, setback: SetbackError, failures: int, wait_s: Seconds) -> None:
        if failures < _TOLD_FROM_FAILURE and wait_s < _TOLD_FROM_WAIT_S:
            return
        with self._lock:
            now = self.clock.ticks()
            if now - self._told_at < _TOLD_AGAIN_AFTER_S:
                return
            self._told_at = now
        so_far = f"try {failures} of {self.patience.attempts}"
        self.say(f"{asked.where}: {setback.what}; {so_far}, the next in {math.ceil(wait_s)} s.")

    def _note_leave(self, response: httpx.Response) -> None:
        wait_s = spent_wait_s(response.headers, self.clock.now(), self.patience.longest_asked_s)
        with self._lock:
            self.n_requests += 1
            if wait_s:
                self._quiet_until = max(self._quiet_until, self.clock.ticks() + wait_s)

    def _wait_for_leave(self) -> None:
        self._require_going_on()
        wait_s = self._quiet_until - self.clock.ticks()
        if wait_s > 0:
            self._sleep(wait_s)

    def _sleep(self, duration_s: Seconds) -> None:
        """Wait, but not on after a stop."""
        self.clock.wait(self.stopping, duration_s)
        self._require_going_on()

    def _require_going_on(self) -> None:
        if self.stopping.is_set():
            raise FetchStopped


@contextlib.contextmanager
def _naming_change(asked: Asked, change: str) -> Iterator[None]:
    """Let the error for a reply say that the file is another one than before, where it is."""
    try:
        yield
    except FetchError as error:
        if change:
            raise _changed(asked, change) from error
        raise


def _changed(asked: Asked, change: str) -> FetchError:
    return changed_file(asked.address, f"the file that bytes {asked.start} to {asked.stop} are of, as before", change)


def _failed(asked: Asked, setback: SetbackError, failures: int) -> FetchError:
    if setback.kind == "wrong part":
        what = "The server gives another part than the one that was asked for."
    elif setback.kind == "changed":
        what = "The file changes on the server while it is fetched."
    elif setback.kind == "refused range":
        what = "The server's file is shorter than the published one."
    else:
        what = f"Fetching failed {failures} times in a row."
    return FetchError(
        what,
        where=asked.where,
        expected=f"bytes of {asked.volume.name}, {asked.volume.n_bytes} bytes in all",
        actual=setback.what,
        remedy="What was fetched is kept: check the connection, then run the same command again; "
        f"or another --source. In a browser: {shown_url(asked.address)}",
    )


def _through_proxy(asked: Asked, error: httpx.ProxyError) -> Exception:
    """What a proxy's refusal amounts to; one that is only busy may let through later."""
    if not str(error).startswith(("403", "407")):
        return SetbackError(f"the proxy failed ({error})")
    return FetchError(
        "The proxy does not let the request through.",
        where=asked.where,
        expected="a way to the server",
        actual=str(error),
        remedy="Check HTTPS_PROXY (https://name:password@host:port if it asks for one), or name the host in NO_PROXY.",
    )


def _is_unproven(error: BaseException | None) -> bool:
    """Tell whether a connection failed because the server's certificate does not stand up."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _unproven(asked: Asked, error: Exception) -> FetchError:
    return FetchError(
        "Who answers is not proven to be the server.",
        where=asked.where,
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
        patience=options.patience,
        clock=options.clock,
        limit=RateLimit(options.bytes_per_s, options.clock),
        say=progress.say,
    )


def open_client(options: FetchOptions) -> HttpClient:
    """Open connections as these options say."""
    return HttpClient(options.patience, has_netrc=options.has_netrc, n_connections=options.parallel)
