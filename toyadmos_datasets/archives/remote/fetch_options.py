"""Options of a fetch: address, number of connections, number of attempts and time limits."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from toyadmos_datasets.archives.remote.volume_list import VolumeList
from toyadmos_datasets.corpus.facts import RECORD_URL
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import Bytes, Seconds

MAX_CONNECTIONS = 8
"""Two saturate most lines. The more there are, the smaller the checkpoints of each: see `MAX_UNSYNCED_BYTES`."""
RECORD_REQUESTS = 50
"""Requests that the record is sent in a minute, so that a browser beside us still gets its pages.

Source:
    Zenodo allows guests 60 a minute: https://developers.zenodo.org, "Rate limiting".
"""
MAX_REQUESTS = 6000
"""Of the limit for a mirror, a minute: a limit beyond it limits nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A place on the web that has the volumes.

    Attributes:
        base: Address of the folder, with a slash at its end.
        suffix: What follows a file's name.
    """

    base: str
    suffix: str = ""

    def url_of(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.base}{name}{self.suffix}"

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.base).hostname or ""

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        import httpx2 as httpx  # noqa: PLC0415  # slow to import

        return str(httpx.URL(self.base).copy_with(username=None, password=None, query=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and chance, so that tests can put their own in the place of both.

    Attributes:
        now: Seconds since 1970; only for the dates that servers state, because somebody may set that clock.
        ticks: Seconds that only go forward, for all waits.
        wait: Waits for an event, but not longer than so many seconds.
        chance: A number from 0 up to 1.
    """

    now: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a request is tried, how long to wait between, and how long each may take.

    Attributes:
        max_attempts: Failures in a row, without anything fetched between, until it is an error.
        first_wait_s: The first wait is about so long, every further one twice the one before.
        max_wait_s: But not longer.
        max_retry_after_s: A server that asks for more than that is asked again after it all the same.
        first_contact_s: A server that cannot be connected with for so long is called out of reach, unless it answered
            before.
        first_connect_timeout_s: Time to connect, until it has answered for the first time.
        connect_timeout_s: Time to connect, and to agree on encryption.
        headers_timeout_s: Time until the headers of a reply are there, with all redirects and interim replies.
        silence_timeout_s: Time without a byte.
        slow_window_s: Over so long a time at least...
        min_window_bytes: ...so many bytes must come.
    """

    max_attempts: int = 8
    first_wait_s: Seconds = 1.0
    max_wait_s: Seconds = 60.0
    max_retry_after_s: Seconds = 300.0
    first_contact_s: Seconds = 12.0
    first_connect_timeout_s: Seconds = 5.0
    connect_timeout_s: Seconds = 20.0
    headers_timeout_s: Seconds = 60.0
    silence_timeout_s: Seconds = 30.0
    slow_window_s: Seconds = 30.0
    min_window_bytes: int = 30 * 1024

    def backoff_s(self, failures: int, chance: float) -> Seconds:
        """Return the wait after so many failures: doubling, and spread out so that many clients do not meet.

        Half of it is fixed, so that a wait is never next to nothing; the other half is drawn.
        """
        longest: float = min(self.first_wait_s * 2.0 ** min(failures - 1, 30), self.max_wait_s)
        return longest * (1 + chance) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Which archive, from where, to where, and how.

    Attributes:
        origin: Where the volumes are.
        manifest: What they must be.
        folder: Where their copies are kept.
        parallel: Connections at once.
        bytes_per_s: All of them together; None for no limit.
        requests_per_minute: All of them together, with those of other processes that use the same cache; None for the
            record's limit where the record is asked, and for no limit elsewhere.
        whole: Fetch whole volumes, whatever is cheaper.
        keep_archives: Keep the copies when their recordings are ingested.
        netrc: Read ``~/.netrc`` for the origin's host.
        wait: Wait while another process fetches the same archive, instead of failing.
        retry_policy: Waits and limits.
        clock: Time and chance.
    """

    origin: Origin
    manifest: VolumeList
    folder: Path
    parallel: int = 2
    bytes_per_s: Bytes | None = None
    requests_per_minute: int | None = None
    whole: bool = False
    keep_archives: bool = True
    netrc: bool = False
    wait: bool = True
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.parallel <= MAX_CONNECTIONS:
            raise OptionError(
                "So many connections are not opened.",
                where="--parallel",
                expected=f"1 to {MAX_CONNECTIONS}",
                actual=self.parallel,
                remedy="Leave it out: two saturate most lines.",
            )
        if self.bytes_per_s is not None and self.bytes_per_s <= 0:
            raise OptionError(
                "This is no rate.",
                where="--limit-rate",
                expected="bytes a second, such as 5M",
                actual=self.bytes_per_s,
                remedy="Leave it out for no limit.",
            )
        if self.requests_per_minute is not None and not 1 <= self.requests_per_minute <= self._most_requests:
            raise OptionError(
                "So many requests a minute are not sent.",
                where=f"--requests-per-minute, {self.origin.host}",
                expected=f"1 to {self._most_requests}",
                actual=self.requests_per_minute,
                remedy=f"Leave it out: the record is sent at most {RECORD_REQUESTS}, a mirror as many as it takes.",
            )

    @property
    def request_limit(self) -> int | None:
        """Requests that are sent in a minute at most; None for no limit."""
        return RECORD_REQUESTS if self._is_record and self.requests_per_minute is None else self.requests_per_minute

    @property
    def _most_requests(self) -> int:
        return RECORD_REQUESTS if self._is_record else MAX_REQUESTS

    @property
    def _is_record(self) -> bool:
        return self.origin.host == urlsplit(RECORD_URL).hostname
