"""How a server's reply is judged: a body to read, a temporary failure, or a final one.

Replies also say which file they are of, so that one that changes while it is fetched is told from a damaged one.
"""

from __future__ import annotations

import email.utils
import math
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import httpx2 as httpx

from toyadmos_datasets.archives.remote.fetch_options import RetryPolicy
from toyadmos_datasets.archives.remote.http_request import chunks_of, shown_url
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.units import Bytes, Seconds

_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)")
_TOTAL = re.compile(r"bytes (?:[0-9]+-[0-9]+|\*)/([0-9]+)")
_GONE = {404, 410}
_GIVEN = {200, 206}
_NO_RANGE = 416
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRequest:
    """One request for bytes.

    Attributes:
        volume: Of which file.
        address: Where.
        start: From this byte on.
        stop: Up to this one.
        is_ranged: Whether a range is asked for; otherwise it is the whole file, and `start` is 0.
    """

    volume: Volume
    address: str
    start: Bytes
    stop: Bytes
    is_ranged: bool

    @property
    def where(self) -> str:
        """The file and the bytes, for people."""
        return f"{shown_url(self.address)} (bytes {self.start} to {self.stop})"


class RetryableError(Exception):
    """Something that another attempt may mend.

    Args:
        what: What happened, for the error if none does.
        kind: Failures of one kind are allowed once, but for ``passing`` ones, for ``unreachable`` (there is no
            connection to a server that has never answered), for ``short`` (the body ended too early), and for
            ``outdated``: another connection has noticed that the file is another one now.
        wait_s: How long the server asks to wait; None if it does not say.
        etag: For the kind ``changed``, what marks the file now.
    """

    def __init__(self, what: str, *, kind: str = "passing", wait_s: Seconds | None = None, etag: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kind = kind
        self.wait_s = wait_s
        self.etag = etag


def require_body(response: httpx.Response, request: ByteRequest, *, now: float, retry_policy: RetryPolicy) -> None:
    """Return if the body of a reply is what was asked for.

    Raises:
        RetryableError: It is not, and may be at another attempt.
        FetchError: It is not and will not be.
    """
    status = response.status_code
    if status in _BUSY:
        raise RetryableError(
            f"status {status} ({response.reason_phrase})",
            wait_s=retry_after_s(response.headers, now, retry_policy.max_retry_after_s),
        )
    if status == httpx.codes.RANGE_NOT_SATISFIABLE:
        total = response.headers.get("content-range", "no size").removeprefix("bytes */")
        raise RetryableError(f"status 416: the server's file has {total} bytes", kind="refused range")
    if status not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        raise _refused(response, request)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise _unfit(request, "the bytes as they are (identity)", f"bytes encoded as {encoding}", "sends packed bytes")
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/html"):
        raise _unfit(request, "a volume of an archive", f"a web page ({kind})", "sends a web page instead of the file")
    if not request.is_ranged:
        if status == httpx.codes.OK:
            return
        raise RetryableError("a part, though the whole was asked for", kind="wrong part")
    if status == httpx.codes.OK:
        raise RetryableError("the whole file, though a part was asked for", kind="no ranges")
    _require_part(response.headers.get("content-range", ""), request)


def body_chunks(response: httpx.Response, request: ByteRequest) -> Iterator[bytes]:
    """Give the bytes that were asked for, and no more.

    The size is known beforehand, so a length that the server states wrongly, or does not state, is no harm.

    Raises:
        RetryableError: The body ends too early.
        FetchError: It goes on where it should have ended.
        httpx.HTTPError: The connection fails.
    """
    left = request.stop - request.start
    for chunk in _unfailing_at_end(response, left):
        if len(chunk) > left:
            more = f"at least {len(chunk) - left} bytes more"
            raise _unfit(request, f"{request.stop - request.start} bytes", more, "sends more than the file has")
        left -= len(chunk)
        yield chunk
    if left:
        raise RetryableError(f"the connection ended {left} bytes early", kind="short")


def _unfit(request: ByteRequest, expected: str, actual: str, does: str) -> FetchError:
    """The error for a server that answers, but not with the file."""
    return FetchError(
        f"The server {does}.",
        where=request.where,
        expected=expected,
        actual=actual,
        remedy="What was fetched before is kept. Check that no portal or proxy answers in the server's place, and that "
        "--source is the folder of the volumes; then run the same command again.",
    )


def _unfailing_at_end(response: httpx.Response, n_bytes: Bytes) -> Iterator[bytes]:
    """Give chunks to the body's end, so that its connection serves the next request, too.

    A connection that fails when all bytes are there has done its work.
    """
    try:
        for chunk in chunks_of(response):
            n_bytes -= len(chunk)
            yield chunk
    except httpx.HTTPError:
        if n_bytes:
            raise


def _require_part(content_range: str, request: ByteRequest) -> None:
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    expected = f"bytes {request.start}-{request.stop - 1}/{request.volume.n_bytes}"
    if match is None:
        raise RetryableError(f"a part without a usable Content-Range ({content_range or 'none'!r})", kind="wrong part")
    first, last, total = match.groups()
    if (int(first), int(last)) != (request.start, request.stop - 1) or total not in {"*", str(request.volume.n_bytes)}:
        raise RetryableError(f"Content-Range {content_range!r} where {expected!r} was asked for", kind="wrong part")


def _refused(response: httpx.Response, request: ByteRequest) -> FetchError:
    status = response.status_code
    if status in {404, 410}:
        what, remedy = "The server has no such file.", "Check --source, or try another mirror."
    elif status in {401, 403, 407}:
        what = "The server refuses the file."
        remedy = "Check whether a browser can fetch it, or try again later; for a mirror with a password: --netrc."
    else:
        what, remedy = "The server answers in a way that makes no sense here.", "Try again later, or another --source."
    return FetchError(
        what,
        where=request.where,
        expected=f"status {206 if request.is_ranged else 200}",
        actual=f"status {status} ({response.reason_phrase})",
        remedy=remedy,
    )


def retry_after_s(headers: Mapping[str, str], now: float, longest_s: Seconds) -> Seconds | None:
    """Return how long a refusal asks to wait, capped; None if it does not say so in a way that makes sense.

    Source:
        Retry-After is seconds or a date: RFC 9110, section 10.2.3.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        wait_s = float(text[:12])
    else:
        try:
            wait_s = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (TypeError, ValueError, OverflowError, OSError):
            return None
    return min(max(wait_s, 0.0), longest_s)


def rate_limit_wait_s(headers: Mapping[str, str], now: float, longest_s: Seconds) -> Seconds:
    """Return how long to wait before the next request because this reply says that it was the last one allowed.

    Source:
        X-RateLimit-Remaining, and X-RateLimit-Reset in seconds since 1970: Zenodo's developers' pages.
    """
    try:
        if int(headers.get("x-ratelimit-remaining", "1")) > 0:
            return 0.0
        wait_s = float(headers.get("x-ratelimit-reset", "nan")) - now
    except ValueError:
        return 0.0
    return min(max(wait_s, 0.0), longest_s) if math.isfinite(wait_s) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """What one reply says of the file that it gives bytes of; empty where it says nothing.

    Attributes:
        etag: Its mark.
        modified: When it was last changed.
        size: How many bytes it has.
    """

    etag: str = ""
    modified: str = ""
    size: str = ""

    def differences(self, other: FileVersion) -> Iterator[str]:
        """Yield in words what is another now; a strong mark that is the same outweighs a date."""
        is_same = self.etag == other.etag and self.etag.startswith('"')
        for field in fields(self):
            before, now = getattr(self, field.name), getattr(other, field.name)
            if before and now and before != now and not (is_same and field.name == "modified"):
                yield f"its {_NAMES[field.name]} was {before} and is {now}"


_NAMES = {"etag": "ETag", "modified": "Last-Modified", "size": "size"}


class FileVersions:
    """What was said of files during one fetch, by name; safe to use from several threads.

    A date or a weak mark that is another may mean nothing, because several servers often stand behind one address.
    It is remembered all the same: should the bytes turn out to be wrong, it tells why.
    """

    def __init__(self) -> None:
        self._first: dict[str, FileVersion] = {}
        self._changes: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def changes(self) -> Mapping[str, str]:
        """How files differ from what was first said of them, in words, by name."""
        return dict(self._changes)

    def note(self, name: str, response: httpx.Response) -> str:
        """Take in a reply; return in words how the file differs from the first reply, nothing if it does not."""
        with self._lock:
            first = self._first.get(name)
            if response.status_code in _GONE:
                change = f"bytes of it came before, and now status {response.status_code}" if first else ""
            else:
                now = _version_of(response)
                if first is None:
                    if now != FileVersion() and response.status_code in _GIVEN:
                        self._first[name] = now
                    return ""
                change = "; ".join(first.differences(now))
            if change:
                self._changes[name] = change
            return change


def changed_file(address: str, expected: str, actual: str) -> FetchError:
    """The error for a file that became another one while it was fetched."""
    return FetchError(
        "The file changed on the server while it was fetched.",
        where=shown_url(address),
        expected=expected,
        actual=actual,
        remedy="Run the same command again when the file is not being replaced any more; what is right of what was "
        "fetched is kept. If it is another file for good, try another --source.",
    )


def _version_of(response: httpx.Response) -> FileVersion:
    """Read a reply's headers; a web page, packed bytes and errors say nothing of the file."""
    headers = response.headers
    total = _TOTAL.fullmatch(headers.get("content-range", "").strip())
    if response.status_code == _NO_RANGE:
        return FileVersion(size=total[1] if total else "")
    is_page = headers.get("content-type", "").startswith("text/html")
    is_packed = headers.get("content-encoding", "identity") != "identity"
    if response.status_code not in _GIVEN or is_page or is_packed:
        return FileVersion()
    whole = headers.get("content-length", "") if response.status_code == httpx.codes.OK else ""
    return FileVersion(
        etag=headers.get("etag", ""), modified=headers.get("last-modified", ""), size=total[1] if total else whole
    )
