"""What a user can choose about fetching, whatever the toy."""

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
        OptionError: The text is none.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)B?(?:/s)?", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise OptionError(
            "This is no rate.",
            where="--limit-rate",
            expected="bytes a second, with K, M or G",
            actual=ascii(text),
            remedy="For instance: --limit-rate 5M",
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchChoices:
    """What a user may choose about fetching; docs/cli.md says what each option does.

    Attributes:
        ask: Asks the user to accept the licence; None where nobody is there to answer.
    """

    manifest: Path | None = field(
        default=None,
        metadata=option(
            help="For a mirror of another corpus: table of its volumes' sizes and md5.",
            page="Or `TOYADMOS_MANIFEST`.",
            metavar="FILE",
            example="volumes.csv",
            typed={"envvar": "TOYADMOS_MANIFEST"},
        ),
    )
    whole: bool = field(default=False, metadata=option(help="Fetch whole volumes, even where parts would do."))
    parallel: int = field(default=2, metadata=option(help="Connections at once, at most 8.", metavar="N", example="4"))
    bytes_per_s: Bytes | None = field(
        default=None,
        metadata=option(
            flag="--limit-rate",
            help="Bytes a second, all connections together, such as `5M`.",
            metavar="RATE",
            example="5M",
            parse=rate_of,
        ),
    )
    requests_per_minute: int | None = field(
        default=None,
        metadata=option(
            help="Requests a minute, all connections together.",
            page="The record is sent at most 50, which is the default; a mirror is sent as many as it takes.",
            metavar="N",
            example="20",
        ),
    )
    keep_archives: bool = field(
        default=True,
        metadata=option(help="Keep what was fetched, or let it go once its recordings are read."),
    )
    netrc: bool = field(default=False, metadata=option(help="Take a mirror's password from `~/.netrc`."))
    wait: bool = field(
        default=True,
        metadata=option(
            help="While another process fetches the same archive: wait for it, or end with an error.",
            page="While it waits it shows how far the other is; the error names the other.",
        ),
    )
    accept_license: bool = field(
        default=False,
        metadata=option(
            help="The corpus's licence has been read and is accepted; remembered.",
            page="In CI: `TOYADMOS_ACCEPT_LICENSE=1`.",
        ),
    )
    ask: Callable[[str], bool] | None = field(default=None, compare=False)


SOUNDS = ("normal", "anomalous", "noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """What `toyadmos download` fetches, from where, to where; docs/cli.md says what each option does.

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
        metadata=option(help="Cases, all by default.", metavar="LIST", example="1,2", remedy=_DOWNLOAD_HELP),
    )
    channels: tuple[int, ...] | None = field(
        default=None,
        metadata=option(
            help="Microphones, `1` to `4`, all by default.",
            metavar="LIST",
            example="1",
            choices=CHANNELS,
            remedy=_DOWNLOAD_HELP,
        ),
    )
    sounds: tuple[str, ...] | None = field(
        default=None,
        metadata=option(
            help="`normal`, `anomalous`, `noise`; all by default.",
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
