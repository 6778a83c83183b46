"""The cache: what is in it, by toy, and letting go of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.archives.remote.volume_cache import folder_bytes, remove_copies
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.files.cache_folder import exclusive_lease
from toyadmos_datasets.files.reading import file_errors
from toyadmos_datasets.units import Bytes

FILLED = "datasets"
"""Datasets that were shared without audio, and filled in from the user's recordings."""

KINDS = ("archives", "recordings", "simulated", "features", FILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One folder of the cache.

    Attributes:
        kind: ``archives`` (copies of volumes), ``recordings`` (ingested), ``simulated``, ``features`` (of clips
            that were trained on or scored), or ``datasets`` (shared ones that were filled in).
        toy: ``ToyTrain``.
        path: The folder.
        n_bytes: The room it takes.
    """

    kind: str
    toy: str
    path: Path
    n_bytes: Bytes


def list_cache(folder: Path) -> tuple[CacheEntry, ...]:
    """List what a cache holds for each toy.

    Raises:
        DatasetError: The folder cannot be looked at.
    """
    names = [toy.name for toy in TOYS]
    found = []
    for kind in KINDS:
        kind_folder = folder / kind
        with file_errors(kind_folder):
            inside = sorted(kind_folder.iterdir()) if kind_folder.is_dir() else []
        for path in inside:
            toy = path.name.partition("-")[0]
            if path.is_dir() and toy in names:
                found.append(CacheEntry(kind=kind, toy=toy, path=path, n_bytes=folder_bytes(path)))
    return tuple(found)


def remove_entry(entry: CacheEntry) -> None:
    """Delete a folder of the cache.

    Raises:
        BusyError: It is used, or being fetched into.
        OutputError: It cannot be deleted.
    """
    with exclusive_lease(entry.path.parent.parent, entry.toy), writing(entry.path):
        if entry.kind == "archives":
            remove_copies(entry.path)
        else:
            shutil.rmtree(entry.path)


def require_kind(kind: str) -> str:
    """Return a kind of entry that there is.

    Raises:
        OptionError: There is no such kind.
    """
    if kind not in KINDS:
        raise OptionError(
            "There is nothing of this kind in a cache.",
            where="--kind",
            expected=", ".join(KINDS),
            actual=ascii(kind),
            remedy="For instance: toyadmos cache --kind archives",
        )
    return kind
