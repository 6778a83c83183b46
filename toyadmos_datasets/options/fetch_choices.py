"""Options of fetching."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.declaration import check_options, option
from toyadmos_datasets.units import Bytes

_DOWNLOAD_HELP = "toyadmos download --help"
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}


def rate_of(text: str) -> Bytes:
    """Read bytes a second, such as ``5M``.

    Raises:
        OptionError: The text is not a rate.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)B?(?:/s)?", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise OptionError(
            "The rate limit is not a number of bytes per second.",
            where="--limit-rate",
            expected="bytes a second, with K, M or G",
            actual=ascii(text),
            remedy="For instance: --limit-rate 5M",
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchChoices:
    """Options of fetching; docs/cli.md describes each.

    Attributes:
        ask: Asks the user to accept the licence; None without a terminal.
    """

    manifest: Path | None = field(
        default=None,
        metadata=option(
            help="For a mirror of another corpus: table with the size and md5 of each volume.",
            page="Also set by `TOYADMOS_MANIFEST`.",
            metavar="FILE",
            example="volumes.csv",
            typed={"envvar": "TOYADMOS_MANIFEST"},
        ),
    )
    whole: bool = field(default=False, metadata=option(help="Fetch whole volumes, even if parts suffice."))
    parallel: int = field(
        default=2, metadata=option(help="Number of parallel connections, at most 8.", metavar="N", example="4")
    )
    bytes_per_s: Bytes | None = field(
        default=None,
        metadata=option(
            flag="--limit-rate",
            help="Limit in bytes per second for all connections together, such as `5M`.",
            metavar="RATE",
            example="5M",
            parse=rate_of,
        ),
    )
    requests_per_minute: int | None = field(
        default=None,
        metadata=option(
            help="Limit of requests per minute for all connections together.",
            page="For the record it is 50 by default and at most; a mirror has no limit by default.",
            metavar="N",
            example="20",
        ),
    )
    keep_archives: bool = field(
        default=True,
        metadata=option(help="Keep the fetched archives, or delete each part after its recordings are read."),
    )
    netrc: bool = field(default=False, metadata=option(help="Read a mirror's password from `~/.netrc`."))
    wait: bool = field(
        default=True,
        metadata=option(
            help="If another process fetches the same archive: wait for it, or end with an error.",
            page="The waiting process shows the progress of the other; the error names the other.",
        ),
    )
    accept_license: bool = field(
        default=False,
        metadata=option(
            help="Confirm that you have read and accept the corpus's licence; the answer is remembered.",
            page="In CI, set `TOYADMOS_ACCEPT_LICENSE=1`.",
        ),
    )
    ask: Callable[[str], bool] | None = field(default=None, compare=False)


SOUNDS = ("normal", "anomalous", "noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """Options of `toyadmos download`; docs/cli.md describes each.

    Attributes:
        toy: ``ToyTrain``.
        source: ``record``, or the address of a mirror.
        cache: Folder for the volumes' copies.
        fetch: How.
        workers: Processes that check what has come.
        ignore: Glob patterns of files and folders in the archive that are left out.
    """

    toy: str
    source: str
    cache: Path
    cases: tuple[int, ...] | None = field(
        default=None,
        metadata=option(help="Cases, by default all.", metavar="LIST", example="1,2", remedy=_DOWNLOAD_HELP),
    )
    channels: tuple[int, ...] | None = field(
        default=None,
        metadata=option(
            help="Microphones, `1` to `4`, by default all.",
            metavar="LIST",
            example="1",
            choices=CHANNELS,
            remedy=_DOWNLOAD_HELP,
        ),
    )
    sounds: tuple[str, ...] | None = field(
        default=None,
        metadata=option(
            help="`normal`, `anomalous`, `noise`; by default all.",
            metavar="LIST",
            example="normal,noise",
            choices=SOUNDS,
            remedy="For instance: --sounds normal,noise",
        ),
    )
    fetch: FetchChoices = field(default_factory=FetchChoices)
    workers: int = 1
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_options(self)
