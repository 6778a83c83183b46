"""Servers on this machine that keep a client waiting by any means but silence."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, threading.Event], None]
"""What is done with a connection, until it fails or the event is set."""

PAUSE_S = 0.01


@contextlib.contextmanager
def behaving(behaviour: Behaviour) -> Iterator[int]:
    """Treat every connection in one way while the block runs; gives the port."""
    ending = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def treat(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behaviour(connection, ending)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=treat, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(5)


def endless(piece: bytes, *, after: bytes = b"", is_asked: bool = True, pause_s: float = PAUSE_S) -> Behaviour:
    """Send some bytes, and then the same ones again and again."""

    def behave(connection: socket.socket, ending: threading.Event) -> None:
        if is_asked:
            connection.recv(1 << 16)
        connection.sendall(after)
        while not ending.wait(pause_s):
            connection.sendall(piece)

    return behave


def silent() -> Behaviour:
    """Take what comes and say nothing."""
    return lambda _connection, ending: ending.wait(20) and None
