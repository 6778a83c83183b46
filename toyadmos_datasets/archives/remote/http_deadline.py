"""How long an exchange with a server may take, held at every read of its connection.

A timeout of a socket counts from one byte to the next, so headers that come a byte at a time, interim replies (1xx)
without end, and the lines between the pieces of a body never meet it. Here each read gets what is left of one deadline
for all of them. A read also looks now and then whether the fetch was asked to stop.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore2 as httpcore
import httpx2 as httpx

from toyadmos_datasets.archives.remote.fetch_options import RetryPolicy
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
