"""How long to wait before asking a server again."""

from __future__ import annotations

import email.utils
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from toyadmos_datasets.units import Seconds


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
class Patience:
    """How often and how long.

    Attributes:
        attempts: Failures in a row, without anything fetched between, until it is an error.
        first_wait_s: The first wait is about so long, every further one twice the one before.
        longest_wait_s: But not longer.
        longest_asked_s: A server that asks for more than that is asked again after it all the same.
        connect_s: Time to connect, and to agree on encryption.
        headers_s: Time from a request until the headers of its reply are there, with all redirects and interim replies.
        silence_s: Time without a byte.
        slow_s: Over so long a time at least...
        slow_bytes: ...so many bytes must come.
    """

    attempts: int = 8
    first_wait_s: Seconds = 1.0
    longest_wait_s: Seconds = 60.0
    longest_asked_s: Seconds = 300.0
    connect_s: Seconds = 20.0
    headers_s: Seconds = 60.0
    silence_s: Seconds = 30.0
    slow_s: Seconds = 30.0
    slow_bytes: int = 30 * 1024

    def backoff_s(self, failures: int, chance: float) -> Seconds:
        """Return the wait after so many failures: doubling, and spread out so that many clients do not meet.

        Half of it is fixed, so that a wait is never next to nothing; the other half is drawn.
        """
        longest: float = min(self.first_wait_s * 2.0 ** min(failures - 1, 30), self.longest_wait_s)
        return longest * (1 + chance) / 2


def asked_wait_s(headers: Mapping[str, str], now: float, longest_s: Seconds) -> Seconds | None:
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


def spent_wait_s(headers: Mapping[str, str], now: float, longest_s: Seconds) -> Seconds:
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


class RateLimit:
    """Holds all threads together to so many bytes a second.

    Args:
        bytes_per_s: None for no limit.
        clock: Time.
    """

    def __init__(self, bytes_per_s: float | None, clock: Clock) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, n_bytes: int, stopping: threading.Event) -> None:
        """Wait until so many bytes more are within the limit, or `stopping` is set."""
        if not self._bytes_per_s:
            return
        with self._lock:
            now = self._clock.ticks()
            self._free_at = max(self._free_at, now) + n_bytes / self._bytes_per_s
            wait_s = self._free_at - now
        self._clock.wait(stopping, wait_s)
