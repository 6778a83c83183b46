"""Reading a folder that another process may be replacing: the old dataset or the new one, never a mixture.

A commit takes the manifest away, moves shards out and in, and writes the new manifest last. So what was opened between
two looks at one and the same manifest belongs to it, whatever went on in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from toyadmos_datasets.errors import BusyError, DatasetError
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.dataset import CARD_NAME, MANIFEST_NAME, Manifest, read_manifest

Opened = TypeVar("Opened")

COMMIT_S: Seconds = 2.0
"""How long to wait for a commit, which takes milliseconds: it renames folders and writes three small files."""

_PERIOD_S: Seconds = 0.02
_TRIES = 20
_DATA = "data"


def open_settled(folder: Path, opening: Callable[[Manifest], Opened]) -> Opened:
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
        remedy="Wait until whoever prepares it is done.",
    )


def _wait_for_manifest(folder: Path) -> bytes | None:
    """Return the manifest's bytes, after a commit, if that is why there are shards and no manifest."""
    end_s = time.monotonic() + COMMIT_S
    while (found := _manifest_bytes(folder)) is None and _may_be_committed(folder) and time.monotonic() < end_s:
        time.sleep(_PERIOD_S)
    return found


def _may_be_committed(folder: Path) -> bool:
    """Whether there is a part of a dataset: its card comes before its shards, and its shards before its manifest."""
    return (folder / CARD_NAME).exists() or (folder / _DATA).exists()


def _manifest_bytes(folder: Path) -> bytes | None:
    try:
        return (folder / MANIFEST_NAME).read_bytes()
    except OSError:
        return None
