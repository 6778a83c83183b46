"""The corpus's licence: shown before the first fetch, accepted once a user."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import platformdirs

from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.http_reply import RetryableError
from toyadmos_datasets.archives.remote.transfer import open_client, open_transfer
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies, VolumeCopy, fetch_lock, wrong_volume
from toyadmos_datasets.corpus.facts import LICENSE_LIMITS, LICENSE_NAME, LICENSE_URL
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, FetchError, LicenseError
from toyadmos_datasets.files.checked_json import checked, read_json, write_json

ACCEPT_VARIABLE = "TOYADMOS_ACCEPT_LICENSE"

Ask: TypeAlias = Callable[[str], bool]
"""Shows a text and returns whether its reader says yes."""


def require_license(
    options: FetchOptions, *, is_accepted: bool, ask: Ask | None, progress: Progress | None = None
) -> None:
    """Return if the licence of the archive has been accepted, now or before; ask where somebody can answer.

    The licence itself is fetched and checked like a volume, so that it can be read and stands beside what it is for.
    A server without the licence still serves users who accepted it before. An archive has none if its manifest lists
    none.

    Args:
        options: What is about to be fetched.
        is_accepted: The user has said so with this call; remembered.
        ask: Asks the user; None where nobody is there to answer.
        progress: Told about waiting for another process, and about a server that lacks the licence.

    Raises:
        LicenseError: It is not accepted.
        FetchError: The server is out of reach.
        VolumeError: The server's is another one than was published.
    """
    file = options.manifest.license_file
    if file is None or _is_remembered(file):
        return
    is_known = is_accepted or os.environ.get(ACCEPT_VARIABLE) == "1"
    if not is_known and ask is None:
        raise _not_accepted("nobody is here to be asked")
    progress = progress or Quiet()
    try:
        path = _fetch_license(options, file, progress)
    except FetchError as error:
        if _is_out_of_reach(error):
            raise
        if not is_known:
            raise _not_shown(options, error) from error
        progress.say(f"This server does not give {file.name}; the text that you accepted: {LICENSE_URL}")
    else:
        if not is_known and ask is not None and not ask(license_text(path)):
            raise _not_accepted("the answer was no")
    if is_accepted or ask is not None:
        _remember(file)


def license_text(path: Path) -> str:
    """Say what the licence comes down to, and where it is."""
    limits = "\n".join(f"  - {limit}" for limit in LICENSE_LIMITS)
    return (
        f"The recordings are under the {LICENSE_NAME}. In short:\n{limits}\n"
        f"What binds is the text itself:\n  {path}\n  {LICENSE_URL}"
    )


def _fetch_license(options: FetchOptions, file: Volume, progress: Progress) -> Path:
    folder = options.folder.parent / f"license-{file.md5[:12]}"
    copy = VolumeCopy(folder, file)
    copy.discard_lost()
    if copy.is_verified:
        return copy.path
    archive = VolumeCopies(options.folder, options.manifest)
    with (
        fetch_lock(folder, archive, progress, wait=options.wait),
        contextlib.closing(open_client(options, progress)) as client,
    ):
        transfer = open_transfer(options, client, progress)
        copy.journal.refresh()  # another process may have fetched it
        for _ in range(2):
            transfer.fetch_or_whole(copy, copy.present.reach(0), file.n_bytes)
            if copy.verify():
                return copy.path
    raise wrong_volume(copy, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accepted:
    """What is remembered of an acceptance: the licence, the hash of its file, and the day."""

    license: str
    md5: str
    accepted: str


def _memory() -> Path:
    return Path(platformdirs.user_config_dir("toyadmos")) / "accepted-license.json"


def _is_remembered(file: Volume) -> bool:
    path, remedy = _memory(), "Accept the licence again with --accept-license."
    try:
        content = read_json(path, remedy=remedy)
        memory = checked(_Accepted, content, what="A file is damaged.", where=path, remedy=remedy)
    except DatasetError:  # never written, or damaged: then it is asked again
        return False
    return memory.md5 == file.md5


def _remember(file: Volume) -> None:
    if not _is_remembered(file):
        today = dt.datetime.now(dt.UTC).date().isoformat()
        write_json(_memory(), asdict(_Accepted(license=LICENSE_NAME, md5=file.md5, accepted=today)))


def _is_out_of_reach(error: FetchError) -> bool:
    """Tell a server that gave nothing from one that refused, or gave another file."""
    cause = error.__cause__
    return isinstance(cause, RetryableError) and cause.kind == "passing"


def _not_shown(options: FetchOptions, error: FetchError) -> LicenseError:
    return LicenseError(
        "The licence of the recordings cannot be shown, because this server does not give it; nothing else is fetched.",
        where=options.origin.shown,
        expected=f"the {LICENSE_NAME}, which can be read at {LICENSE_URL}",
        actual=error.actual,
        remedy=f"Read it there, then run the same command with --accept-license (in CI: {ACCEPT_VARIABLE}=1).",
    )


def _not_accepted(actual: str) -> LicenseError:
    return LicenseError(
        "The licence of the recordings has not been accepted, so nothing is fetched.",
        where=LICENSE_URL,
        expected=f"acceptance of the {LICENSE_NAME}: {'; '.join(LICENSE_LIMITS)}",
        actual=actual,
        remedy=f"Read it, then run the same command with --accept-license (in CI: {ACCEPT_VARIABLE}=1).",
    )
