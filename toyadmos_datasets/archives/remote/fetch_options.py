"""How one archive is fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toyadmos_datasets.archives.remote.retry import Clock, Patience
from toyadmos_datasets.archives.remote.volume_list import VolumeList
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from toyadmos_datasets.archives.remote.http_request import Origin

MAX_CONNECTIONS = 8
"""So that a crash loses at most 64 MiB, with what each may have written since its last checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Which archive, from where, to where, and how.

    Attributes:
        origin: Where the volumes are.
        manifest: What they must be.
        folder: Where their copies are kept.
        parallel: Connections at once.
        bytes_per_s: All of them together; None for no limit.
        whole: Fetch whole volumes, whatever is cheaper.
        keep_archives: Keep the copies when their recordings are ingested.
        netrc: Read ``~/.netrc`` for the origin's host.
        wait: Wait while another process fetches the same archive, instead of failing.
        patience: Waits and limits.
        clock: Time and chance.
    """

    origin: Origin
    manifest: VolumeList
    folder: Path
    parallel: int = 2
    bytes_per_s: Bytes | None = None
    whole: bool = False
    keep_archives: bool = True
    netrc: bool = False
    wait: bool = True
    patience: Patience = field(default_factory=Patience)
    clock: Clock = field(default_factory=Clock, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.parallel <= MAX_CONNECTIONS:
            raise OptionError(
                "So many connections are not opened.",
                where="--parallel",
                expected=f"1 to {MAX_CONNECTIONS}",
                actual=self.parallel,
                remedy="Leave it out: two saturate most lines, and the record allows 60 requests a minute.",
            )
        if self.bytes_per_s is not None and self.bytes_per_s <= 0:
            raise OptionError(
                "This is no rate.",
                where="--limit-rate",
                expected="bytes a second, such as 5M",
                actual=self.bytes_per_s,
                remedy="Leave it out for no limit.",
            )
