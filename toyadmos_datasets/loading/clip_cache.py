"""What is kept of a dataset between runs, in the cache of `datasets`: where the clips of a split are, and no clip."""

from __future__ import annotations

import atexit
import errno
import functools
import hashlib
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from toyadmos_datasets.errors import OutputError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.atomic import make_temporary_folder, temporary_path
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.loading.clip_positions import PLACES_VERSION, is_whole, placed, write_places
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.values.manifest import Shard

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def is_forbidden(error: OutputError) -> bool:
    """Whether a file could not be written because this user may write nothing there."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FORBIDDEN


def writable_or_stand_in(cache: Path) -> Path:
    """Return a cache to write to, or a temporary folder if this user may not write to it."""
    probe = temporary_path(cache)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno in _FORBIDDEN:
            return stand_in_for(cache)
    return cache


def stand_in_for(cache: Path) -> Path:
    """Return a temporary folder, one for the whole process, and warn that its files are made again each time."""
    folder = _temporary_folder(os.getpid())
    warnings.warn(
        f"The cache of datasets cannot be written to ({escaped(cache)}), so a temporary folder stands in for it "
        f"until this process ends ({escaped(folder)}), and other processes look through the dataset again. Name a "
        "folder that can be written to: load_dataset(.., cache_dir=..), or the environment variable HF_DATASETS_CACHE.",
        stacklevel=2,
    )
    return folder


@functools.lru_cache(maxsize=1)
def _temporary_folder(owner_pid: int) -> Path:
    folder = make_temporary_folder("datasets")

    def remove() -> None:
        """Remove it at the end of the process that made it, not of one that was forked from it."""
        if os.getpid() == owner_pid:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


_FOLDER = "toyadmos"


def split_places(place: DatasetLocation, split: str, shards: Sequence[Shard], cache: Path) -> Path:
    """Return the file that says where the clips of a split are, made now if it is not there.

    When it is made, the shards are compared with their hashes; after that, as long as no shard is touched, only
    their sizes and times are looked at. The file itself has a hash: a damaged one is made anew. What is far is copied
    first: that copy is the only one. A cache that has all of it is not written to; where something is missing that may
    not be written, a temporary folder stands in.

    Args:
        place: Where the dataset is.
        split: Name of the split.
        shards: Its shards.
        cache: The cache of `datasets`.

    Raises:
        DatasetError: A shard is missing, damaged, or replaced at this moment.
        OutputError: The cache takes nothing more, for instance because the disk is full.
    """
    try:
        return _kept_places(place, split, shards, cache)
    except OutputError as error:
        if not is_forbidden(error):
            raise
    return _kept_places(place, split, shards, stand_in_for(cache))


def _kept_places(place: DatasetLocation, split: str, shards: Sequence[Shard], cache: Path) -> Path:
    folder = _near(place, shards, cache)
    found = [placed(folder, shard) for shard in shards]
    facts = {"version": PLACES_VERSION, "shards": [shard.facts for shard in found]}
    path = cache / _FOLDER / _key(facts) / f"{split}.arrow"
    if not path.exists() or not is_whole(path):
        write_places(found, path)
    return path


def _near(place: DatasetLocation, shards: Sequence[Shard], cache: Path) -> Path:
    if not place.is_far:
        return place.folder
    folder = cache / _FOLDER / f"copy-{_key([place.shown, [shard.sha256 for shard in shards]])}"
    for shard in shards:
        place.fetch(shard, folder)
    return folder


def _key(facts: object) -> str:
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:32]
