"""A server on this machine that gives files with ranges, and misbehaves in every way it is told to.

A fault is a small value that stands in a queue; each request takes the first one that fits it. What was asked
for and how many bytes were given is kept, so that a test can count them.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PIECE_BYTES = 1 << 16


@dataclass(kw_only=True)
class Fault:
    """One way to misbehave.

    Attributes:
        kind: ``cut``, ``stall``, ``short``, ``whole``, ``wrong range``, ``wrong total``, ``other``, ``refuse range``,
            ``long``, ``no length``, ``chunked``, ``wrong length``, ``html``, ``status``, ``redirect``, ``gzip``,
            ``slow``, ``flip``.
        times: So many requests meet it; a very large number for all.
        name: Only requests for this file; None for any.
        after: Bytes of the body that are given before it shows.
        status: For ``status``.
        headers: Further headers of the reply.
        location: For ``redirect``.
    """

    kind: str
    times: int = 1
    name: str | None = None
    after: int = 0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that came."""

    name: str
    span: tuple[int, int] | None
    headers: Mapping[str, str]
    fault: str | None


class Line:
    """What bytes go through at a rate; None for no limit."""

    def __init__(self, bytes_per_s: float | None, ending: threading.Event) -> None:
        self._bytes_per_s = bytes_per_s
        self._ending = ending
        self._lock = threading.Lock()
        self._free_at = 0.0

    def send(self, n_bytes: int) -> None:
        """Wait until the line has room for so many bytes; being late for one is made up with the next."""
        if not self._bytes_per_s:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - 0.1) + n_bytes / self._bytes_per_s
            wait_s = self._free_at - now
        if wait_s > 0:
            self._ending.wait(wait_s)


class Loopback:
    """The server.

    Args:
        files: Name to content, in memory or on the disk.
        rate_bytes_per_s: What all connections together get, as on a line; None for no limit.
        connection_bytes_per_s: What each connection gets; None for no limit.
        latency_s: How long a new connection, and each request, takes to be answered: a round trip to a distant server.
        tls: For https.
    """

    def __init__(
        self,
        files: Mapping[str, bytes | Path],
        *,
        rate_bytes_per_s: float | None = None,
        connection_bytes_per_s: float | None = None,
        latency_s: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.files = dict(files)
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.n_given = 0
        self.n_connections = 0
        self.given: dict[str, list[tuple[int, int]]] = {}
        self.etag = '"one"'
        self.refused_agents: tuple[str, ...] = ()
        self.extra_headers: dict[str, str] = {}
        self.latency_s = latency_s
        self.connection_bytes_per_s = connection_bytes_per_s
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.line = Line(rate_bytes_per_s, self.ending)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.loopback = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault_for(self, name: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.name in {None, name} and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def size_of(self, name: str) -> int:
        content = self.files[name]
        return len(content) if isinstance(content, bytes) else content.stat().st_size

    def read(self, name: str, start: int, n_bytes: int) -> bytes:
        content = self.files[name]
        if isinstance(content, bytes):
            return content[start : start + n_bytes]
        descriptor = os.open(content, os.O_RDONLY)
        try:
            return os.pread(descriptor, n_bytes, start)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def serving(
    files: Mapping[str, bytes | Path],
    *,
    rate_bytes_per_s: float | None = None,
    connection_bytes_per_s: float | None = None,
    latency_s: float = 0.0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Loopback]:
    """Serve files while the block runs; `Loopback` says how."""
    server = Loopback(
        files,
        rate_bytes_per_s=rate_bytes_per_s,
        connection_bytes_per_s=connection_bytes_per_s,
        latency_s=latency_s,
        tls=tls,
    )
    server.start()
    try:
        yield server
    finally:
        server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    loopback: Loopback

    def handle_error(self, request, client_address):  # a client that hangs up is no error here
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self):
        super().setup()
        loopback = self.server.loopback
        self.line = Line(loopback.connection_bytes_per_s, loopback.ending)
        with loopback.lock:
            loopback.n_connections += 1
        loopback.ending.wait(loopback.latency_s)

    def log_message(self, *arguments):
        return

    def do_GET(self):
        loopback = self.server.loopback
        loopback.ending.wait(loopback.latency_s)
        name = urlsplit(self.path).path.rpartition("/")[2]
        span = self._asked_span()
        fault = loopback.fault_for(name)
        with loopback.lock:
            headers = {key.lower(): value for key, value in self.headers.items()}
            loopback.seen.append(Seen(name=name, span=span, headers=headers, fault=fault and fault.kind))
        if any(one in self.headers.get("User-Agent", "") for one in loopback.refused_agents):
            self._plain(403, b"who are you?")
        elif name not in loopback.files:
            self._plain(404, b"no such file")
        elif fault is not None and fault.kind in {"status", "html", "redirect", "refuse range", "gzip"}:
            self._refuse(name, fault)
        else:
            self._give(name, span, fault)

    def _asked_span(self) -> tuple[int, int] | None:
        match = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if match is None or (condition is not None and condition != self.server.loopback.etag):
            return None
        return int(match[1]), int(match[2]) + 1

    def _refuse(self, name: str, fault: Fault) -> None:
        if fault.kind == "html":
            self._plain(200, b"<html>Sign in first</html>", {"Content-Type": "text/html; charset=utf-8"})
        elif fault.kind == "redirect":
            self._plain(302, b"", {"Location": fault.location})
        elif fault.kind == "refuse range":
            total = self.server.loopback.size_of(name)
            self._plain(416, b"ERROR BODY", {"Content-Range": f"bytes */{total}"})
        elif fault.kind == "gzip":
            whole = self.server.loopback.read(name, 0, self.server.loopback.size_of(name))
            self._plain(200, gzip.compress(whole, 1), {"Content-Encoding": "gzip"})
        else:
            self._plain(fault.status, b"ERROR BODY", fault.headers)

    def _plain(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _give(self, name: str, span: tuple[int, int] | None, fault: Fault | None) -> None:
        loopback, kind = self.server.loopback, fault.kind if fault else ""
        total = loopback.size_of(name)
        if kind == "whole":
            span = None
        if span is not None and span[0] >= total:
            self._plain(416, b"ERROR BODY", {"Content-Range": f"bytes */{total}"})
            return
        start, stop = (0, total) if span is None else (span[0], min(span[1], total))
        n_body = (stop - start) // 2 if kind == "short" else stop - start
        self._send_head(span and (start, stop), total, n_body, fault)
        self._send_body(name, start, start + n_body, fault)
        if kind == "long":
            self.wfile.write(b"x" * 1000)
        if kind in {"wrong length", "no length"}:
            self.close_connection = True
        if kind == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, span: tuple[int, int] | None, total: int, n_body: int, fault: Fault | None) -> None:
        loopback, kind = self.server.loopback, fault.kind if fault else ""
        self.send_response(200 if span is None else 206)
        if span is not None:
            shift, wrong = (1, 0) if kind == "wrong range" else (0, 1) if kind == "wrong total" else (0, 0)
            self.send_header("Content-Range", f"bytes {span[0] + shift}-{span[1] - 1}/{total + wrong}")
        self.send_header("ETag", loopback.etag)
        for key, value in {**loopback.extra_headers, **(fault.headers if fault else {})}.items():
            self.send_header(key, value)
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif kind == "no length":
            self.send_header("Connection", "close")
        else:
            stated = {"long": n_body + 1000, "wrong length": n_body + 5}.get(kind, n_body)
            self.send_header("Content-Length", str(stated))
        self.end_headers()

    def _send_body(self, name: str, start: int, stop: int, fault: Fault | None) -> None:
        loopback, kind = self.server.loopback, fault.kind if fault else ""
        position = start
        with loopback.lock:
            place = loopback.given.setdefault(name, [])
        while position < stop:
            n_bytes = min(PIECE_BYTES, stop - position)
            if fault is not None and kind in {"cut", "stall", "slow", "flip"}:
                n_bytes = min(n_bytes, max(start + fault.after - position, 0))
                if n_bytes == 0 and not self._misbehave(name, position, kind):
                    return
            if n_bytes:
                data = loopback.read(name, position, n_bytes)
                if kind == "chunked":
                    data = b"%x\r\n%s\r\n" % (len(data), data)
                self.wfile.write(data)
            else:
                n_bytes = 1
            with loopback.lock:
                loopback.n_given += n_bytes
                place.append((position, position + n_bytes))
            position += n_bytes
            self.line.send(n_bytes)
            loopback.line.send(n_bytes)
            if kind == "flip" and fault is not None and position > start + fault.after:
                kind = ""

    def _misbehave(self, name: str, position: int, kind: str) -> bool:
        """Do it; the result tells whether a byte was given in the place of the next one."""
        if kind == "flip":
            self.wfile.write(bytes([self.server.loopback.read(name, position, 1)[0] ^ 0x40]))
            return True
        if kind == "slow":
            time.sleep(0.02)
            self.wfile.write(self.server.loopback.read(name, position, 1))
            return True
        if kind == "stall":
            self.server.loopback.ending.wait(20)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        return False
