"""A proxy on this machine that tunnels (CONNECT) to servers on this machine, whatever their names."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(kw_only=True)
class Proxy:
    """What it does and what it saw.

    Attributes:
        ports: Host name to the port on this machine that stands for it.
        refusal: Status to answer with instead; None for tunnelling.
        port: Its own.
        asked: Targets of the tunnels that were asked for.
        authorizations: What stood in Proxy-Authorization, each time.
    """

    ports: Mapping[str, int]
    refusal: int | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@contextlib.contextmanager
def proxying(ports: Mapping[str, int]) -> Iterator[Proxy]:
    """Run a proxy while the block runs."""
    proxy = Proxy(ports=ports)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = proxy
    proxy.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *arguments):
        return

    def do_CONNECT(self):
        proxy = self.server.proxy
        proxy.asked.append(self.path)
        proxy.authorizations.append(self.headers.get("Proxy-Authorization"))
        port = proxy.ports.get(self.path.partition(":")[0])
        if proxy.refusal is not None or port is None:
            self.send_error(proxy.refusal or 502)
            return
        with socket.create_connection(("127.0.0.1", port)) as beyond:
            self.send_response(200)
            self.end_headers()
            _tunnel(self.connection, beyond)
        self.close_connection = True


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    to = {one: other, other: one}
    while True:
        readable, _, _ = select.select([one, other], [], [], 20)
        for end in readable:
            data = end.recv(1 << 16)
            if not data:
                return
            to[end].sendall(data)
        if not readable:
            return
