"""Shares a prepared folder, or the recipe exported from it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import LicenseError, OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.address import is_address, shown_address
from toyadmos_datasets.files.atomic import temporary_folder
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.sharing.bucket import Bucket
from toyadmos_datasets.sharing.destination import Destination, Standing
from toyadmos_datasets.sharing.hub import Hub
from toyadmos_datasets.sharing.parcel import Outgoing, Parcel, dataset_parcel, recipe_parcel
from toyadmos_datasets.sharing.recipe_card import recipe_card
from toyadmos_datasets.sharing.recipe_export import export_recipe
from toyadmos_datasets.sharing.row_files import row_files
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.report_display import DisplayedReport
from toyadmos_datasets.values.shared_recipe import SHARED_NAME, SharedRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOptions:
    """What to share, and to where.

    Attributes:
        folder: The prepared dataset.
        destination: ``hf://datasets/user/name``, or an address that fsspec knows.
        with_audio: Send the dataset itself; by default to anything but the Hub.
        may_share_audio: For a bucket: the user's confirmation that only people who may have the recordings can read it.
        dry_run: Only look.
        overwrite: Replace what was shared there of another dataset.
        token: For the Hub; by default what HF_TOKEN or `hf auth login` has. Shown nowhere.
    """

    folder: Path
    destination: str
    with_audio: bool | None = None
    may_share_audio: bool = False
    dry_run: bool = False
    overwrite: bool = False
    token: str | None = field(default=None, repr=False)

    @property
    def is_to_hub(self) -> bool:
        """Whether it goes to the Hub."""
        return self.destination.startswith("hf://")

    @property
    def has_audio(self) -> bool:
        """Whether the dataset itself is sent."""
        return not self.is_to_hub if self.with_audio is None else self.with_audio


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ShareReport(DisplayedReport):
    """What `share` did, or would do.

    Attributes:
        destination: Where to, without secrets.
        has_audio: Whether the dataset itself is there, or its recipe alone.
        is_dry_run: Whether nothing was sent.
        sent: Paths that were sent, or would be.
        n_bytes_sent: Their size.
        n_held: Files that were there already.
        n_bytes_held: Their size.
        removed: Paths of another dataset that were removed, or would be.
    """

    displayed = ("destination", "has_audio", "is_dry_run", "n_bytes_sent", "n_bytes_held")

    destination: str
    has_audio: bool
    is_dry_run: bool
    sent: tuple[str, ...]
    n_bytes_sent: Bytes
    n_held: int
    n_bytes_held: Bytes
    removed: tuple[str, ...]

    @property
    def was_done(self) -> bool:
        """Whether nothing was to do."""
        return not self.sent and not self.removed


Export: TypeAlias = Callable[[Path, Path], SharedRecipe]


def share(options: ShareOptions, export: Export, progress: Progress | None = None) -> ShareReport:
    """Send a prepared dataset, or what it takes to make it again, to where others find it.

    Only files that are missing are sent, told by size and hash; the manifest comes last, or with everything in
    one commit. A run that was cut goes on with the same command.

    Args:
        options: What, and to where.
        export: Writes the shared recipe of a folder (first) into a file (second), and returns it.
        progress: Told about the work.

    Raises:
        OptionError: The destination or the token is invalid.
        LicenseError: The corpus's licence forbids it.
        OutputConflictError: Something else is there.
        DatasetError: The folder holds no whole dataset.
        ShareError: The destination cannot be reached, or does not take it.
    """
    destination = _destination(options)
    destination.admit(has_audio=options.has_audio)
    parcel = dataset_parcel(options.folder) if options.has_audio else _exported(options.folder, export, destination)
    standing = destination.look(parcel)
    _refuse_others(destination, standing, options)
    if not options.dry_run and (standing.missing or standing.stale):
        _send(destination, parcel, standing, progress or Quiet())
    return _report(destination, parcel, standing, options)


def _destination(options: ShareOptions) -> Destination:
    if not is_address(options.destination):
        address = f"file://{expanded_path(options.destination).absolute()}"
        raise OptionError(
            "The destination is no address.",
            where=options.destination,
            expected="hf://datasets/user/name, s3://bucket/folder or another that fsspec knows",
            remedy=f"For a folder on this machine: {shell_word(address)}",
        )
    if options.is_to_hub:
        return Hub(options.destination, token=options.token)
    if shown_address(options.destination).startswith(("http://", "https://")):
        raise OptionError(
            "Nothing can be written to a web address.",
            where=shown_address(options.destination),
            expected="hf://, s3:// or another that fsspec writes to",
            remedy="toyadmos share DIR s3://bucket/folder",
        )
    return Bucket(options.destination, may_share_audio=options.may_share_audio)


def _exported(folder: Path, export: Export, destination: Destination) -> Parcel:
    with temporary_folder("share") as place:
        path = place / SHARED_NAME
        shared = export(folder, path)
        rows = row_files(folder, read_manifest(folder), shared)
        return recipe_parcel(shared, path.read_bytes(), rows, card=recipe_card(shared, destination.shown))


def _refuse_others(destination: Destination, standing: Standing, options: ShareOptions) -> None:
    if standing.relation == "foreign":
        raise OutputConflictError(
            "The destination holds something that was not shared there.",
            where=destination.shown,
            expected="nothing yet, or what toyadmos share left there",
            actual=standing.example,
            remedy="Choose another destination; nothing was touched.",
        )
    if standing.relation == "other" and not options.overwrite:
        raise OutputConflictError(
            "The destination holds another dataset.",
            where=destination.shown,
            expected=f"nothing yet, or the dataset in {options.folder}",
            actual=standing.example,
            remedy="Choose another destination, or replace what is there with --overwrite.",
        )


def _send(destination: Destination, parcel: Parcel, standing: Standing, progress: Progress) -> None:
    total = sum(file.n_bytes for file in standing.missing)
    with progress.stage(f"Sharing {parcel.toy}", total, "bytes") as on_progress:
        done = 0

        def sent(file: Outgoing) -> None:
            nonlocal done
            done += file.n_bytes
            on_progress(done)

        destination.send(parcel, standing, sent)
    try:
        destination.admit(has_audio=parcel.has_audio)
    except LicenseError as error:
        raise LicenseError(
            f"It was sent, and then: {error.what}",
            where=error.where,
            expected=error.expected,
            actual=error.actual,
            remedy=error.remedy,
        ) from error


def _report(destination: Destination, parcel: Parcel, standing: Standing, options: ShareOptions) -> ShareReport:
    missing = {file.path for file in standing.missing}
    held = [file for file in parcel.all_files if file.path not in missing]
    return ShareReport(
        destination=destination.shown,
        has_audio=parcel.has_audio,
        is_dry_run=options.dry_run,
        sent=tuple(file.path for file in standing.missing),
        n_bytes_sent=sum(file.n_bytes for file in standing.missing),
        n_held=len(held),
        n_bytes_held=sum(file.n_bytes for file in held),
        removed=standing.stale,
    )


def share_dataset(options: ShareOptions, progress: Progress | None = None, *, workers: int = 1) -> ShareReport:
    """Share a prepared dataset, or its recipe; see `sharing.share_job`.

    Args:
        options: What, and to where.
        progress: Told about the work.
        workers: Processes that hash the clips, where only the recipe is shared.
    """
    return share(options, functools.partial(export_recipe, workers=workers, progress=progress), progress)
