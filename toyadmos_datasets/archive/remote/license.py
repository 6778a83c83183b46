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

from toyadmos_datasets.archive.remote.connecting import open_client, open_transfer
from toyadmos_datasets.archive.remote.copy import VolumeCopy, wrong_volume
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.transfer import NoRangesError
from toyadmos_datasets.archive.remote.turn import having_turn
from toyadmos_datasets.corpus.paper import LICENSE_LIMITS, LICENSE_NAME, LICENSE_URL
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, LicenseError
from toyadmos_datasets.files.checked import checked
from toyadmos_datasets.files.json import read_json, write_json

ACCEPT_VARIABLE = "TOYADMOS_ACCEPT_LICENSE"

Ask: TypeAlias = Callable[[str], bool]
"""Shows a text and returns whether its reader says yes."""


def require_license(
    options: FetchOptions, *, is_accepted: bool, ask: Ask | None, progress: Progress | None = None
) -> None:
    """Return if the licence of the archive has been accepted, now or before; ask where somebody can answer.

    The licence itself is fetched and checked like a volume. An archive whose manifest lists none has none.

    Args:
        options: What is about to be fetched.
        is_accepted: The user has said so with this call; remembered.
        ask: Asks the user; None where nobody is there to answer.
        progress: Told about waiting for another process.

    Raises:
        LicenseError: It is not accepted.
        FetchError: It cannot be fetched.
    """
    file = options.manifest.license_file
    if file is None:
        return
    is_known = is_accepted or os.environ.get(ACCEPT_VARIABLE) == "1" or _is_remembered(file)
    if not is_known and ask is None:
        raise _not_accepted("nobody is here to be asked")
    path = _fetch_license(options, file, progress or Quiet())
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
    if copy.journal.is_whole:
        return copy.path
    with having_turn(folder, options, progress), contextlib.closing(open_client(options)) as client:
        transfer = open_transfer(options, client, progress)
        copy.journal.refresh()  # whoever had the turn before may have brought it
        for _ in range(2):
            try:
                transfer.fetch(copy, copy.have.reach(0), file.n_bytes)
            except NoRangesError:
                transfer.fetch(copy, 0, file.n_bytes, is_ranged=False)
            if copy.settle():
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


def _not_accepted(actual: str) -> LicenseError:
    return LicenseError(
        "The licence of the recordings has not been accepted, so nothing is fetched.",
        where=LICENSE_URL,
        expected=f"acceptance of the {LICENSE_NAME}: {'; '.join(LICENSE_LIMITS)}",
        actual=actual,
        remedy=f"Read it, then run the same command with --accept-license (in CI: {ACCEPT_VARIABLE}=1).",
    )
