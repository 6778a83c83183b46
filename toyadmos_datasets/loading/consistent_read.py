"""Reading a folder that another process may be replacing: the old dataset or the new one, never a mixture.

A commit takes the manifest away first and shows the new one last. So what was opened between two looks at one and the
same manifest belongs to it, whatever went on in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from toyadmos_datasets.errors import BusyError, DatasetError
from toyadmos_datasets.files.checked_json import MAX_JSON_BYTES
from toyadmos_datasets.files.job_folder import is_committing
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.manifest import DATA_NAME, MANIFEST_NAME, Manifest, read_manifest

Opened = TypeVar("Opened")

COMMIT_S: Seconds = 2.0
"""How long to wait for a commit, which takes milliseconds: it renames what is written already."""

_PERIOD_S: Seconds = 0.02
_TRIES = 20


def open_consistently(folder: Path, opening: Callable[[Manifest], Opened]) -> Opened:
    """Call `opening` with the manifest, again if the dataset was replaced meanwhile.

    Args:
        folder: A prepared folder.
        opening: Opens, or maps, everything that it needs, so that a later replacement does not touch it.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged.
        BusyError: It is replaced again and again.
    """
    for _ in range(_TRIES):
        before = _wait_for_manifest(folder)
        try:
            manifest = read_manifest(folder)
            opened = opening(manifest)
        except DatasetError:
            if before == _manifest_bytes(folder):
                raise
            continue
        if before == _manifest_bytes(folder):
            return opened
    raise BusyError(
        "The dataset is replaced again and again.",
        where=folder,
        expected="a dataset that stays while it is opened",
        actual=f"another one at each of {_TRIES} looks",
        remedy="Wait until the preparation is done.",
    )


def _wait_for_manifest(folder: Path) -> bytes | None:
    """Return the manifest's bytes, after a commit, if that is why there is no manifest."""
    end_s = time.monotonic() + COMMIT_S
    while (found := _manifest_bytes(folder)) is None and _may_come(folder) and time.monotonic() < end_s:
        time.sleep(_PERIOD_S)
    return found


def _may_come(folder: Path) -> bool:
    return is_committing(folder, MANIFEST_NAME) or (folder / DATA_NAME).exists()


def _manifest_bytes(folder: Path) -> bytes | None:
    try:
        with (folder / MANIFEST_NAME).open("rb") as file:
            return file.read(MAX_JSON_BYTES + 1)  # of more, no manifest is made
    except OSError as error:
        raise_shortage(error, folder / MANIFEST_NAME)
        return None
