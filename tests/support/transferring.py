"""One volume on a server on this machine, and what brings it into its copy under a clock that only waiting moves."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from loopback import Loopback

from toyadmos_datasets.archives.remote.fetch_options import Clock, RetryPolicy
from toyadmos_datasets.archives.remote.http_request import HttpClient, origin_named
from toyadmos_datasets.archives.remote.transfer import RateLimit, Transfer
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy
from toyadmos_datasets.corpus.volumes import Volume

NAME = "ToyTrain.7z.001"
CONTENT = np.random.default_rng(1).bytes(700_000)
VOLUME = Volume(name=NAME, n_bytes=len(CONTENT), md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())
NOW = 1_800_000_000.0
ALWAYS = 10**6
BOTH = pytest.mark.parametrize("is_ranged", [True, False], ids=["a range", "the whole"])


@dataclass
class FakeClock:
    """A clock that only waiting moves."""

    now_s: float = NOW
    waits: list[float] = field(default_factory=list)

    def wait(self, _stopping: threading.Event, duration_s: float) -> None:
        self.sleep(duration_s)

    def sleep(self, duration_s: float) -> None:
        self.waits.append(duration_s)
        self.now_s += duration_s

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now_s, ticks=lambda: self.now_s, wait=self.wait, chance=lambda: 0.5)

    @property
    def waited_s(self) -> float:
        return sum(self.waits)


Fetching = tuple[VolumeCopy, Transfer, FakeClock]


@contextlib.contextmanager
def fetching_from(server: Loopback, folder: Path) -> Iterator[Fetching]:
    """Make the copy, the transfer and its clock."""
    ticking = FakeClock()
    retry_policy = RetryPolicy(silence_timeout_s=0.3, connect_timeout_s=1)
    client = HttpClient(retry_policy)
    transfer = Transfer(
        client=client,
        origin=origin_named(server.url),
        retry_policy=retry_policy,
        clock=ticking.clock(),
        limit=RateLimit(None, ticking.clock()),
    )
    yield VolumeCopy(folder, VOLUME), transfer, ticking
    client.close()


def fetch(fetching: Fetching, *, is_ranged: bool, start: int = 1000, stop: int = 600_000) -> None:
    """Fetch, and compare what the journal says is there with the content."""
    copy, transfer, _ = fetching
    start, stop = (start, stop) if is_ranged else (0, len(CONTENT))
    transfer.fetch(copy, start, stop, is_ranged=is_ranged)
    assert list(copy.present) == [(start, stop)]
    assert copy.path.read_bytes()[start:stop] == CONTENT[start:stop]
