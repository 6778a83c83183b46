"""Requests for bytes of a file: which address, with which headers, along which redirects."""

from __future__ import annotations

import contextlib
import ipaddress
import netrc
import os
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpcore2 as httpcore
import httpx2 as httpx

from toyadmos_datasets.archives.remote.fetch_options import Origin, RetryPolicy
from toyadmos_datasets.archives.remote.request_rate import RequestWindow
from toyadmos_datasets.corpus.facts import RECORD_URL
from toyadmos_datasets.errors import FetchError, OptionError
from toyadmos_datasets.escaping import without_secrets
from toyadmos_datasets.files.address import RECORD
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.units import Seconds

_LOOK_S: Seconds = 0.25
_LEAST_S: Seconds = 0.001
"""A socket takes a timeout of 0 for not waiting at all."""


class FetchStopped(BaseException):
    """The fetch was asked to stop; not an error."""


class Deadline:
    """Until when a server's headers, or the next piece of its body, must have come.

    It stands in a request where httpx2 wants a number of seconds, and reaches `TimedStream` through all its layers.

    Args:
        retry_policy: Time limits.
        stopping: Set when nobody waits any more.
    """

    def __init__(self, retry_policy: RetryPolicy, stopping: threading.Event) -> None:
        self._retry_policy = retry_policy
        self._stopping = stopping
        self._expect("headers", retry_policy.headers_timeout_s)

    @property
    def extensions(self) -> dict[str, Any]:
        """What a request carries so that its connection keeps this deadline."""
        return {"timeout": {"connect": self, "read": self, "write": self, "pool": None}}

    def expect_piece(self) -> None:
        """Give a next piece of the body its time."""
        self._expect("next piece of the body", self._retry_policy.slow_window_s)

    def extend(self, duration_s: Seconds) -> None:
        """Leave a wait of our own out of account."""
        self._until += duration_s

    def connect_timeout_s(self) -> Seconds:
        """Return how long to wait for a connection, or for its encryption."""
        return min(self._retry_policy.connect_timeout_s, self.left_s())

    @property
    def silence_timeout_s(self) -> Seconds:
        """How long to wait for a byte."""
        return self._retry_policy.silence_timeout_s

    def left_s(self) -> Seconds:
        """Return how long to wait at most, whatever comes.

        Raises:
            httpcore.ReadTimeout: The time is over.
        """
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout(f"the {self._what} had not come after {self._duration_s:g} s")
        return max(left_s, _LEAST_S)

    def require_wanted(self) -> None:
        """Raise FetchStopped if nobody waits any more."""
        if self._stopping.is_set():
            raise FetchStopped

    def _expect(self, what: str, duration_s: Seconds) -> None:
        self._what, self._duration_s = what, duration_s
        self._until = time.monotonic() + duration_s


class TimedBackend(httpcore.NetworkBackend):
    """Opens connections that keep the deadlines of their requests.

    Args:
        backend: What opens them.
    """

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host."""
        wait_s = _deadline(timeout).connect_timeout_s()
        return TimedStream(self._backend.connect_tcp(host, port, wait_s, local_address, socket_options))


class TimedStream(httpcore.NetworkStream):
    """A connection that keeps the deadline of the request that is under way.

    Args:
        stream: The connection.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return bytes as soon as there are any."""
        deadline = _deadline(timeout)
        silent_at = time.monotonic() + deadline.silence_timeout_s
        while True:
            deadline.require_wanted()
            wait_s = min(deadline.left_s(), max(silent_at - time.monotonic(), _LEAST_S), _LOOK_S)
            try:
                return self._stream.read(max_bytes, wait_s)
            except httpcore.ReadTimeout as error:
                if time.monotonic() >= silent_at:
                    raise httpcore.ReadTimeout(f"no byte came for {deadline.silence_timeout_s:g} s") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        deadline = _deadline(timeout)
        self._stream.write(buffer, min(deadline.left_s(), deadline.silence_timeout_s))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin to encrypt; the timeout of Python's handshake is one for all of its bytes."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, _deadline(timeout).connect_timeout_s()))

    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # the interface has it so
        """Return what the connection says of itself."""
        return self._stream.get_extra_info(info)


def keep_deadlines(client: httpx.Client) -> None:
    """Have all connections of a client keep the deadlines of their requests.

    httpx2 hands no backend through to httpcore2, which takes one, so it is put where httpcore2 keeps it. Were these
    names to change, this would raise, and not pass over it.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001  # see above
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001  # see above
            pool._network_backend = TimedBackend(pool._network_backend)  # noqa: SLF001  # see above


def deadline_of(response: httpx.Response) -> Deadline:
    """Return the deadline that a reply's connection keeps."""
    return _deadline(response.request.extensions["timeout"]["read"])


def _deadline(timeout: object) -> Deadline:
    if not isinstance(timeout, Deadline):
        raise TypeError(f"a request without a deadline: {timeout!r}")
    return timeout


CONTACT_URL = "https://pypi.org/project/toyadmos-datasets/"
MAX_REDIRECTS = 5
_PROXY_VARIABLES = {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"}
_REDIRECTS = {301, 302, 303, 307, 308}


def origin_named(source: str) -> Origin:
    """Return the origin that a user names: ``record``, or an address; `is_on_web` tells these from paths.

    Raises:
        OptionError: An address that is not https, or that cannot be one.

    Source:
        This form of address honours ranges, the one of the API does not: zenodo/zenodo issues 1599 and 2593.
    """
    if source == RECORD:
        return Origin(base=f"{RECORD_URL}/files/", suffix="?download=1")
    try:
        url = httpx.URL(source)
    except httpx.InvalidURL as error:
        raise _bad_address(source, without_secrets(error)) from error
    if not _is_allowed(url):
        raise _bad_address(source, f"{url.scheme}://{url.host}")
    if url.query or url.fragment:
        raise _bad_address(source, "an address with ? or #")
    base = str(url)
    return Origin(base=base if base.endswith("/") else f"{base}/")


class HttpClient:
    """Asks for bytes and checks nothing but where it is led.

    Args:
        retry_policy: Time limits.
        has_netrc: Whether ``~/.netrc`` is read for the origin's host.
        n_connections: How many at once.
        window: Holds requests to so many a minute; None for no limit.

    Raises:
        OptionError: What the environment says of proxies or certificates, or ``~/.netrc``, cannot be used.
    """

    def __init__(
        self,
        retry_policy: RetryPolicy,
        *,
        has_netrc: bool = False,
        n_connections: int = 2,
        window: RequestWindow | None = None,
    ) -> None:
        self._window = window
        self._auth = _read_netrc() if has_netrc else None
        self._retry_policy = retry_policy
        self.has_answered = False
        try:
            self._client = httpx.Client(
                headers={"User-Agent": user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"},
                limits=httpx.Limits(max_connections=n_connections + 1, max_keepalive_connections=n_connections),
                mounts={f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")},  # never through a proxy
            )
        except OSError as error:
            raise _unusable_certificates(error) from error
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise _unusable_proxy(error) from error
        keep_deadlines(self._client)

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    @contextlib.contextmanager
    def get(
        self, address: str, headers: dict[str, str], stopping: threading.Event | None = None
    ) -> Iterator[httpx.Response]:
        """Send a request, follow redirects that are allowed, and give the reply with its body unread.

        Args:
            address: Where.
            headers: Of the request.
            stopping: Set when nobody waits for the reply any more; None if somebody does to the end.

        Raises:
            FetchStopped: `stopping` was set.
            FetchError: A redirect to plain http, to no address, or one too many.
            httpx.HTTPError: The connection fails.
        """
        first = url = httpx.URL(address)
        stopping = stopping or threading.Event()
        deadline = Deadline(self._policy(), stopping)  # one for all redirects
        for _ in range(MAX_REDIRECTS + 1):
            if self._window is not None:
                deadline.extend(self._window.wait_for_turn(stopping))
                deadline.require_wanted()
            is_home = _same_place(url, first)
            target = url if is_home else _bare(url)
            request = self._client.build_request("GET", target, headers=headers, extensions=deadline.extensions)
            auth = self._auth if is_home else None
            response = self._client.send(request, stream=True, auth=auth) if auth else self._send(request)
            self.has_answered = True
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                try:
                    yield response
                finally:
                    response.close()
                return
            response.close()
            url = _next(url, response.headers["location"])
        raise FetchError(
            "The server redirects in a circle.",
            where=shown_url(address),
            expected=f"at most {MAX_REDIRECTS} redirects",
            actual=f"one more, to {shown_url(str(url))}",
            remedy="Try again later, or another --source.",
        )

    def _policy(self) -> RetryPolicy:
        """Return the time limits: an offline machine is reported soon."""
        policy = self._retry_policy
        if self.has_answered:
            return policy
        return replace(policy, connect_timeout_s=min(policy.connect_timeout_s, policy.first_connect_timeout_s))

    def _send(self, request: httpx.Request) -> httpx.Response:
        return self._client.send(request, stream=True)


def chunks_of(response: httpx.Response) -> Iterator[bytes]:
    """Give a body's bytes as they come, never decoded and never held back to fill a chunk.

    Each piece has its time: what a server sends without giving a piece, such as the lines between them, is no progress.
    """
    deadline, chunks = deadline_of(response), response.iter_raw()
    while True:
        deadline.expect_piece()
        chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


@cache
def user_agent() -> str:
    """Return the user agent."""
    try:
        number = version("toyadmos-datasets")
    except PackageNotFoundError:
        number = "0"
    return f"toyadmos-datasets/{number} (+{CONTACT_URL})"


def shown_url(address: str) -> str:
    """Return an address for people and logs: without name, password and query.

    Raises:
        httpx.InvalidURL: It cannot be parsed; `escaping.without_secrets` takes what is secret from any text.
    """
    return str(httpx.URL(address).copy_with(username=None, password=None, query=None))


def _read_netrc() -> httpx.NetRCAuth:
    path = expanded_path(os.environ.get("NETRC") or "~/.netrc")
    try:
        return httpx.NetRCAuth(str(path))
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as error:
        raise OptionError(
            "The file with passwords cannot be read.",
            where=path,
            expected="lines of: machine HOST login NAME password WORD",
            actual=type(error).__name__,
            remedy="Write it (chmod 600), or leave --netrc out.",
        ) from error


def _unusable_certificates(error: OSError) -> OptionError:
    return OptionError(
        "The certificates that the environment names cannot be read.",
        where=f"SSL_CERT_FILE={os.environ.get('SSL_CERT_FILE', '')}",
        expected="a file of certificates (PEM)",
        actual=error.strerror or error,
        remedy="Correct the path, or unset it for the usual certificates.",
    )


def _unusable_proxy(error: Exception) -> OptionError:
    names = [name for name in os.environ if name.upper() in _PROXY_VARIABLES]
    return OptionError(
        "The proxy that the environment names cannot be used.",
        where=", ".join(names) or "the system's settings",  # not what they say: a password may be in it
        expected="http://host:port (http://name:password@host:port if it asks for one)",
        actual=error,
        remedy="Give it in this form or unset it; for socks5://host:port: pip install socksio",
    )


def _next(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except httpx.InvalidURL as error:
        raise _bad_redirect(url, "no address") from error
    if not _is_allowed(target) or (_is_loopback(target.host) and not _is_loopback(url.host)):
        raise _bad_redirect(url, f"{target.scheme}://{target.host}")
    return target


def _is_allowed(url: httpx.URL) -> bool:
    return bool(url.host) and (url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host)))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same_place(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _bare(url: httpx.URL) -> httpx.URL:
    return url.copy_with(username=None, password=None)


def _bad_redirect(url: httpx.URL, actual: str) -> FetchError:
    return FetchError(
        "The server redirects to where nothing is fetched from.",
        where=shown_url(str(url)),
        expected="an https address",
        actual=actual,
        remedy="Check that nothing between you and the server interferes (a portal, a proxy), or try another --source.",
    )


def _bad_address(source: str, actual: str) -> OptionError:
    source = without_secrets(source)
    with contextlib.suppress(httpx.InvalidURL):
        source = shown_url(source)
    return OptionError(
        "This is not an address that volumes are fetched from.",
        where=f"--source {source}",
        expected="https://host/folder/ (http only for this machine itself)",
        actual=actual,
        remedy="Give the https address of the folder that holds the volumes, a path, record or simulate.",
    )
