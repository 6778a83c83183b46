"""The options that say how something is fetched, and what they amount to."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.option_groups import Command, parameters_of, with_options
from toyadmos_datasets.cli.text import print_lines
from toyadmos_datasets.errors import OptionError

if TYPE_CHECKING:
    from toyadmos_datasets.archives.remote.remote_opening import FetchChoices

RECORD = "record"

SourceOption = Annotated[
    str,
    typer.Option(
        "--source",
        envvar="TOYADMOS_SOURCE",
        help="record (the official one on Zenodo), https://host/folder/ of a mirror, a folder with the volumes or "
        "the extracted tree, or: simulate[:tiny|small|medium].",
        metavar="SRC",
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        help="Leave out files and folders of the source with such a name or path, as '*_copy.wav'; can be repeated.",
        metavar="PATTERN",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Refuse a source of which anything is not as published, instead of counting it."),
]
ManifestOption = Annotated[
    Path | None,
    typer.Option(
        envvar="TOYADMOS_MANIFEST",
        help="For a mirror of another corpus: table of its volumes' sizes and md5.",
        metavar="FILE",
    ),
]
WholeOption = Annotated[bool, typer.Option("--whole", help="Fetch whole volumes, even where parts would do.")]
ParallelOption = Annotated[int, typer.Option(help="Connections at once.", metavar="N")]
LimitRateOption = Annotated[
    str | None, typer.Option(help="Bytes a second, all connections together, such as 5M.", metavar="RATE")
]
KeepOption = Annotated[
    bool,
    typer.Option(
        "--keep-archives/--no-keep-archives", help="Keep what was fetched, or let it go once its recordings are read."
    ),
]
NetrcOption = Annotated[bool, typer.Option("--netrc", help="Take a mirror's password from ~/.netrc.")]
WaitOption = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait", help="While another process fetches the same archive: wait for it, or end with an error."
    ),
]
AcceptOption = Annotated[
    bool, typer.Option("--accept-license", help="The corpus's licence has been read and is accepted; remembered.")
]

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}


def fetch_choices(
    *,
    manifest: ManifestOption = None,
    whole: WholeOption = False,
    parallel: ParallelOption = 2,
    limit_rate: LimitRateOption = None,
    keep_archives: KeepOption = True,
    netrc: NetrcOption = False,
    wait: WaitOption = True,
    accept_license: AcceptOption = False,
) -> FetchChoices:
    """Gather what was typed.

    Raises:
        OptionError: The rate is none.
    """
    from toyadmos_datasets.archives.remote.remote_opening import FetchChoices

    return FetchChoices(
        manifest=manifest,
        parallel=parallel,
        bytes_per_s=None if limit_rate is None else _rate(limit_rate),
        is_whole=whole,
        is_keeping=keep_archives,
        has_netrc=netrc,
        is_waiting=wait,
        is_license_accepted=accept_license,
        ask=_ask if sys.stdin.isatty() and sys.stderr.isatty() else None,
    )


def taking_fetch(*names: str) -> Callable[[Command], Command]:
    """Give a command options of `fetch_choices`, by default all, in the place of `fetch`, which they make."""
    options = {one.name: one for one in parameters_of(fetch_choices)}
    return with_options("fetch", [options[name] for name in names or options], fetch_choices)


def _ask(text: str) -> bool:
    print_lines(text.splitlines(), err=True)
    return typer.confirm("Do you accept it?", default=False, err=True)


def _rate(text: str) -> int:
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
