"""The limit of requests per minute, and pieces that are large enough for a fast line within it."""

from __future__ import annotations

import math
import platform
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path

from toyadmos_datasets.archives.remote.copy_journal import NUMBER, SharedLines, append_line
from toyadmos_datasets.archives.remote.fetch_options import Clock, FetchOptions
from toyadmos_datasets.units import Bytes, Seconds

MINUTE_S: Seconds = 60.0
REPORT_FROM_WAIT_S: Seconds = 5.0
REPORT_INTERVAL_S: Seconds = 30.0
"""A wait is explained, but not one hiccup, and not in every other line."""
SPARE_REQUESTS = 1.5
"""Pieces are so much larger than the limit demands: a third of the requests is left for the ends of blocks."""
MAX_PIECE_BYTES: Bytes = 256 << 20
"""However fast the line is, so that bytes come about in the order in which they are wanted."""
_MEASURED_BYTES: Bytes = 1 << 18
"""A reply that is shorter says nothing about a line's speed."""
_TICKS_PER_S = 1_000_000
"""In the file times are whole numbers."""
_EARLIER_BOOT_S: Seconds = 1.0
"""A request that lies so far ahead was noted before the machine was started anew: its clock began at 0 again."""
_REQUEST_LINE = re.compile(rf"{NUMBER} ([0-9a-f]{{32}})", re.ASCII)


class RequestWindow(SharedLines):
    """Lets at most so many requests begin in any minute, over all connections of all processes that share its file.

    Each request is a line in the file, and the order of the lines is the order in which requests begin: each
    when it was noted, but no sooner than a minute after the one `most` lines before. So everybody who reads the file
    finds the same times, and nobody holds a lock.

    Args:
        path: The file; the folder must exist when the first request is made.
        most: Requests in a minute.
        host: Whom they are for, for people.
        clock: Time; its ticks must be those of the other processes.
        say: Told, in words, why a request waits.
    """

    __slots__ = ("_begins", "_clock", "_host", "_most", "_noted", "_reported_at", "_say")

    def __init__(self, path: Path, *, most: int, host: str, clock: Clock, say: Callable[[str], None]) -> None:
        self._most = most
        self._host = host
        self._clock = clock
        self._say = say
        self._noted: dict[str, Seconds | None] = {}
        self._reported_at = -math.inf
        super().__init__(path)
        if not self._begins or self._begins[-1] <= clock.ticks() - MINUTE_S:
            path.unlink(missing_ok=True)  # nobody is fetching: so it does not grow for ever
            self.refresh()

    def wait_for_turn(self, stopping: threading.Event) -> Seconds:
        """Note a request, wait until it may begin or `stopping` is set, and return how long that was."""
        name = uuid.uuid4().hex
        self._noted[name] = None
        now = self._clock.ticks()
        append_line(self.path, f"{math.ceil(now * _TICKS_PER_S)} {name}")
        self.refresh()
        begins = self._noted.pop(name)
        if begins is None or begins - now <= 2 / _TICKS_PER_S:  # None: the file was removed meanwhile
            return 0.0
        self._report(now, begins - now)
        self._clock.wait(stopping, begins - now)
        return begins - now

    def _report(self, now: Seconds, wait_s: Seconds) -> None:
        if wait_s >= REPORT_FROM_WAIT_S and now - self._reported_at >= REPORT_INTERVAL_S:
            self._reported_at = now
            self._say(
                f"{self._host} is asked at most {self._most} times a minute: the next time in {math.ceil(wait_s)} s."
            )

    def _take(self, text: str) -> None:
        said = _REQUEST_LINE.fullmatch(text)
        noted_s = int(said[1]) / _TICKS_PER_S if said else math.inf
        if said is None or noted_s > self._clock.ticks() + _EARLIER_BOOT_S:
            return
        begins = max(noted_s, self._begins[0] + MINUTE_S) if len(self._begins) == self._most else noted_s
        self._begins.append(begins)
        if said[2] in self._noted:
            self._noted[said[2]] = begins

    def _clear(self) -> None:
        self._begins: deque[Seconds] = deque(maxlen=self._most)


def open_window(options: FetchOptions, say: Callable[[str], None]) -> RequestWindow | None:
    """Return what holds the requests of a fetch to their limit; None where there is none.

    All processes of this machine that use the same cache share it.
    """
    most, host = options.request_limit, options.origin.host
    if most is None:
        return None
    path = options.folder.parent / f"requests-{host.replace(':', '_')}-{platform.node()}"
    return RequestWindow(path, most=most, host=host, clock=options.clock, say=say)


class LineSpeed:
    """How fast a connection brings a body, as the last replies did; waits between replies do not count."""

    def __init__(self) -> None:
        self._bytes_per_s = 0.0
        self._lock = threading.Lock()

    def note(self, n_bytes: Bytes, duration_s: Seconds) -> None:
        """Take note of a body that came, or a part of one."""
        if n_bytes < _MEASURED_BYTES or duration_s <= 0:
            return
        with self._lock:
            latest = n_bytes / duration_s
            self._bytes_per_s = (self._bytes_per_s + latest) / 2 if self._bytes_per_s else latest

    @property
    def bytes_per_s(self) -> float:
        """Bytes a second of one connection; 0 while nothing is known."""
        return self._bytes_per_s


def piece_bytes_for(line_bytes_per_s: float, requests_per_minute: int | None, *, least: Bytes) -> Bytes:
    """Return how large pieces have to be so that requests stay within their limit without idling on a line.

    Pieces of S bytes over a line of R bytes a second are 60 R / S requests a minute, on however many connections.

    Args:
        line_bytes_per_s: All connections together; 0 if it is not known.
        requests_per_minute: The limit; None for none.
        least: What is large enough where requests are not scarce.
    """
    if requests_per_minute is None:
        return least
    needed = line_bytes_per_s * MINUTE_S / requests_per_minute * SPARE_REQUESTS
    return max(least, min(int(needed), MAX_PIECE_BYTES))
