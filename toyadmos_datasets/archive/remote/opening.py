"""From what a user types after `--source` to a source on the web."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toyadmos_datasets.archive.remote.address import is_on_web
from toyadmos_datasets.archive.remote.copy import copies_folder
from toyadmos_datasets.archive.remote.manifest import Manifest, published_manifest, read_manifest
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.source import RemoteSource
from toyadmos_datasets.archive.strays import Ignore
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from toyadmos_datasets.archive.remote.license import Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchChoices:
    """What a user may choose about fetching, whatever the toy.

    Attributes:
        manifest: Table of the volumes' sizes and MD5; None for that of the record.
        parallel: Connections at once.
        bytes_per_s: All of them together; None for no limit.
        is_whole: Fetch whole volumes, whatever is cheaper.
        is_keeping: Keep what was fetched when it is ingested.
        has_netrc: Read ``~/.netrc``.
        is_waiting: Wait while another process fetches the same archive, instead of failing.
        is_license_accepted: The licence has been read and accepted.
        ask: Asks the user about it; None where nobody is there to answer.
    """

    manifest: Path | None = None
    parallel: int = 2
    bytes_per_s: Bytes | None = None
    is_whole: bool = False
    is_keeping: bool = True
    has_netrc: bool = False
    is_waiting: bool = True
    is_license_accepted: bool = False
    ask: Ask | None = field(default=None, compare=False)


def manifest_for(toy: str, choices: FetchChoices) -> Manifest:
    """Return what the volumes of a toy must be.

    Raises:
        OptionError: The chosen file is no table of volumes.
        SourceNotFoundError: It has none of the toy.
    """
    return published_manifest(toy) if choices.manifest is None else read_manifest(choices.manifest, toy)


def open_origin(
    source: str,
    toy: str,
    cache: Path,
    choices: FetchChoices,
    progress: Progress | None = None,
    *,
    ignore: Sequence[str] = (),
) -> RemoteSource | None:
    """Open the archive of a toy at an address, after its licence was accepted; None if `source` is no address.

    Args:
        source: What was typed after ``--source``.
        toy: ``ToyTrain``.
        cache: Folder for copies of volumes.
        choices: How it is fetched.
        progress: Told about waiting.
        ignore: Glob patterns of files and folders that are left out.

    Raises:
        OptionError: An address that nothing is fetched from, or another choice that cannot be meant.
        LicenseError: The licence has not been accepted.
        FetchError: The server does not give the archive's header.
        ArchiveError: The archive is damaged, or holds what cannot be read or used.
    """
    if not is_on_web(source):
        return None
    from toyadmos_datasets.archive.remote.header import open_remote  # noqa: PLC0415  # these load httpx2
    from toyadmos_datasets.archive.remote.http import origin_named  # noqa: PLC0415
    from toyadmos_datasets.archive.remote.license import require_license  # noqa: PLC0415

    manifest = manifest_for(toy, choices)
    options = FetchOptions(
        origin=origin_named(source),
        manifest=manifest,
        folder=copies_folder(cache, manifest),
        parallel=choices.parallel,
        bytes_per_s=choices.bytes_per_s,
        is_whole=choices.is_whole,
        is_keeping=choices.is_keeping,
        has_netrc=choices.has_netrc,
        is_waiting=choices.is_waiting,
    )
    progress = progress or Quiet()
    require_license(options, is_accepted=choices.is_license_accepted, ask=choices.ask, progress=progress)
    return open_remote(options, progress, ignore=Ignore(patterns=tuple(ignore)))
