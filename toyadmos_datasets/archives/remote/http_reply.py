"""What a server's reply to a request for bytes amounts to: a body to read, a setback, or the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2 as httpx

from toyadmos_datasets.archives.remote.http_request import chunks_of, shown_url
from toyadmos_datasets.archives.remote.retry import Patience, asked_wait_s
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.units import Bytes, Seconds

_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)")
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
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


class SetbackError(Exception):
    """Something that another attempt may mend.

    Args:
        what: What happened, for the error if none does.
        kind: Setbacks of one kind are allowed once, but for ``passing`` ones, for ``short`` (the body ended too
            early), and for ``outdated``: another connection has noticed that the file is another one now.
        wait_s: How long the server asks to wait; None if it does not say.
        etag: For the kind ``changed``, what marks the file now.
    """

    def __init__(self, what: str, *, kind: str = "passing", wait_s: Seconds | None = None, etag: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kind = kind
        self.wait_s = wait_s
        self.etag = etag


def judge(response: httpx.Response, asked: Asked, *, now: float, patience: Patience) -> None:
    """Return if the body of a reply is what was asked for.

    Raises:
        SetbackError: It is not, and may be at another attempt.
        FetchError: It is not and will not be.
    """
    status = response.status_code
    if status in _BUSY:
        raise SetbackError(
            f"status {status} ({response.reason_phrase})",
            wait_s=asked_wait_s(response.headers, now, patience.longest_asked_s),
        )
    if status == httpx.codes.RANGE_NOT_SATISFIABLE:
        total = response.headers.get("content-range", "no size").removeprefix("bytes */")
        raise SetbackError(f"status 416: the server's file has {total} bytes", kind="refused range")
    if status not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        raise _refused(response, asked)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise unfit(asked, "the bytes as they are (identity)", f"bytes encoded as {encoding}", "sends packed bytes")
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/html"):
        raise unfit(asked, "a volume of an archive", f"a web page ({kind})", "sends a web page instead of the file")
    if not asked.is_ranged:
        if status == httpx.codes.OK:
            return
        raise SetbackError("a part, though the whole was asked for", kind="wrong part")
    if status == httpx.codes.OK:
        raise SetbackError("the whole file, though a part was asked for", kind="no ranges")
    _require_part(response.headers.get("content-range", ""), asked)


def body_of(response: httpx.Response, asked: Asked) -> Iterator[bytes]:
    """Give the bytes that were asked for, and no more.

    The size is known beforehand, so a length that the server states wrongly, or does not state, is no harm.

    Raises:
        SetbackError: The body ends too early.
        FetchError: It goes on where it should have ended.
        httpx.HTTPError: The connection fails.
    """
    left = asked.stop - asked.start
    for chunk in _unfailing_at_end(response, left):
        if len(chunk) > left:
            more = f"at least {len(chunk) - left} bytes more"
            raise unfit(asked, f"{asked.stop - asked.start} bytes", more, "sends more than the file has")
        left -= len(chunk)
        yield chunk
    if left:
        raise SetbackError(f"the connection ended {left} bytes early", kind="short")


def unfit(asked: Asked, expected: str, actual: str, does: str) -> FetchError:
    """The error for a server that answers, but not with the file."""
    return FetchError(
        f"The server {does}.",
        where=asked.where,
        expected=expected,
        actual=actual,
        remedy="What was fetched before is kept. Check that no portal or proxy answers in the server's place, and that "
        "--source is the folder of the volumes; then run the same command again.",
    )


def _unfailing_at_end(response: httpx.Response, n_bytes: Bytes) -> Iterator[bytes]:
    """Give chunks; a connection that fails when all bytes are there has done its work."""
    try:
        for chunk in chunks_of(response):
            n_bytes -= len(chunk)
            yield chunk
            if n_bytes == 0 and int(response.headers.get("content-length", "0") or 0) and _is_length_met(response):
                return
    except httpx.HTTPError:
        if n_bytes:
            raise


def _is_length_met(response: httpx.Response) -> bool:
    return response.num_bytes_downloaded >= int(response.headers["content-length"])


def _require_part(content_range: str, asked: Asked) -> None:
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    expected = f"bytes {asked.start}-{asked.stop - 1}/{asked.volume.n_bytes}"
    if match is None:
        raise SetbackError(f"a part without a usable Content-Range ({content_range or 'none'!r})", kind="wrong part")
    first, last, total = match.groups()
    if (int(first), int(last)) != (asked.start, asked.stop - 1) or total not in {"*", str(asked.volume.n_bytes)}:
        raise SetbackError(f"Content-Range {content_range!r} where {expected!r} was asked for", kind="wrong part")


def _refused(response: httpx.Response, asked: Asked) -> FetchError:
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
        where=asked.where,
        expected=f"status {206 if asked.is_ranged else 200}",
        actual=f"status {status} ({response.reason_phrase})",
        remedy=remedy,
    )
