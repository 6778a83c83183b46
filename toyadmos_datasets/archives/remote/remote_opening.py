"""Opens a source on the web from the value of `--source`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from toyadmos_datasets.archives.file_kinds import Ignore
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.fetching import FetchingSource
from toyadmos_datasets.archives.remote.remote_source import GrowingStream
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies, copies_folder, fetch_lock, wrong_volume
from toyadmos_datasets.archives.remote.volume_list import VolumeList, published_manifest, read_manifest
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import ArchiveError, SourceNotFoundError, VolumeError
from toyadmos_datasets.files.address import is_on_web
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.units import Bytes

if TYPE_CHECKING:
    from toyadmos_datasets.archives.remote.transfer import Transfer


def open_remote(
    options: FetchOptions, progress: Progress | None = None, *, ignore: Ignore | None = None
) -> FetchingSource:
    """Read an archive's header by its ranges, and nothing else; what was read once is not fetched again.

    A header that is damaged is fetched once more, unless the volumes it stands in were found to be right.

    Args:
        options: Which archive, from where, to where.
        progress: Told about waiting, for another process or for the server.
        ignore: What the user wants left out.

    Raises:
        FetchError: The server does not give it.
        SourceNotFoundError: There is no recording in the archive.
        ArchiveError: The archive is damaged, or holds what cannot be read or used.
        BusyError: Another process is fetching the same archive, and that is not waited for.
    """
    manifest = options.manifest
    copies = VolumeCopies(options.folder, manifest)
    with _HeaderFetch(options, copies, progress or Quiet()) as fetch:
        try:
            from toyadmos_datasets.archives.sevenzip.header import read_header  # noqa: PLC0415  # py7zr is slow to import

            table, identity = read_header(copies.files, manifest.toy, fetch.open_stream, ignore=ignore)
        except (ArchiveError, VolumeError):
            if not fetch.forget():
                raise
            table, identity = read_header(copies.files, manifest.toy, fetch.open_stream, ignore=ignore)
    if not table.paths:
        raise SourceNotFoundError(
            f"The archive holds no recordings of {manifest.toy}.",
            where=options.origin.shown,
            expected=f"{manifest.toy}/.../<name>.wav",
            actual=f"no .wav file in {len(table.blocks)} blocks",
            remedy="Give the address of the volumes as they were published.",
        )
    return FetchingSource(
        toy=manifest.toy,
        volumes=copies.files,
        table=table,
        identity=identity,
        oddities=table.oddities,
        options=options,
        copies=copies,
    )


class _HeaderFetch:
    """Fetches the ranges that reading the header touches; asks nobody if all are there."""

    def __init__(self, options: FetchOptions, copies: VolumeCopies, progress: Progress) -> None:
        self._options = options
        self._copies = copies
        self._progress = progress
        self._open = contextlib.ExitStack()
        self._transfer: Transfer | None = None
        self._touched: list[tuple[Bytes, Bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open_stream(self, _volumes: VolumeSet) -> VolumeStream:
        """Open the volumes as a stream that fetches what is read of it."""
        return GrowingStream(self._copies, self._fetch)

    def forget(self) -> bool:
        """Drop what was read; tell whether fetching it again can help."""
        if self._transfer is None:
            self._touched = [(0, 32), *self._header_parts()]
        if all(self._copies.are_verified(*span) for span in self._touched):
            return False
        for span in self._touched:
            self._copies.mark("gone", *span)
        return True

    def _header_parts(self) -> list[tuple[Bytes, Bytes]]:
        """What is there of the last volume: where the header is, it was read from there."""
        start, stop = self._copies.starts[-2:]
        gaps = self._copies.gaps(start, stop)
        last_gap = gaps[-1][1] if gaps else start
        return [(last_gap, stop)] if last_gap < stop else []

    def _fetch(self, start: Bytes, stop: Bytes) -> None:
        transfer = self._transfer or self._connect()
        for number, a, b in self._copies.split(start, stop):
            copy = self._copies.volumes[number]
            copy.journal.refresh()
            copy.discard_lost()
            for gap in copy.present.gaps(a, b):
                if not transfer.fetch_or_whole(copy, *gap):
                    if not copy.verify():
                        raise wrong_volume(copy, self._options)
                    break
        self._touched.append((start, stop))

    def _connect(self) -> Transfer:
        from toyadmos_datasets.archives.remote.transfer import open_client, open_transfer  # noqa: PLC0415  # load httpx2

        lock = fetch_lock(self._copies.folder, self._copies, self._progress, wait=self._options.wait)
        self._open.enter_context(lock)
        client = self._open.enter_context(contextlib.closing(open_client(self._options, self._progress)))
        self._transfer = open_transfer(self._options, client, self._progress)
        return self._transfer


def manifest_for(toy: str, choices: FetchChoices) -> VolumeList:
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
) -> FetchingSource | None:
    """Open the archive of a toy at an address, after its licence was accepted; None if `source` is no address.

    Args:
        source: What was typed after ``--source``.
        toy: ``ToyTrain``.
        cache: Folder for copies of volumes.
        choices: How it is fetched.
        progress: Told about waiting.
        ignore: Glob patterns of files and folders that are left out.

    Raises:
        OptionError: An address that nothing is fetched from, or an invalid choice.
        LicenseError: The licence has not been accepted.
        FetchError: The server does not give the archive's header.
        ArchiveError: The archive is damaged, or holds what cannot be read or used.
    """
    if not is_on_web(source):
        return None
    from toyadmos_datasets.archives.remote.http_request import origin_named  # noqa: PLC0415
    from toyadmos_datasets.archives.remote.license_consent import require_license  # noqa: PLC0415  # these load httpx2

    manifest = manifest_for(toy, choices)
    options = FetchOptions(
        origin=origin_named(source),
        manifest=manifest,
        folder=copies_folder(cache, manifest),
        parallel=choices.parallel,
        bytes_per_s=choices.bytes_per_s,
        requests_per_minute=choices.requests_per_minute,
        whole=choices.whole,
        keep_archives=choices.keep_archives,
        netrc=choices.netrc,
        wait=choices.wait,
    )
    progress = progress or Quiet()
    require_license(options, is_accepted=choices.accept_license, ask=choices.ask, progress=progress)
    return open_remote(options, progress, ignore=Ignore(patterns=tuple(ignore)))
