"""What is kept of a dataset between runs, in the cache of `datasets`: where the clips of a split are, and no clip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from toyadmos_datasets.errors import OutputError
from toyadmos_datasets.files.json import canonical_json
from toyadmos_datasets.load.place import Place
from toyadmos_datasets.load.places import PLACES_VERSION, is_whole, placed, write_places
from toyadmos_datasets.load.stand_in import is_forbidden, stand_in_for
from toyadmos_datasets.values.dataset import Shard

_FOLDER = "toyadmos"


def split_places(place: Place, split: str, shards: Sequence[Shard], cache: Path) -> Path:
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


def _kept_places(place: Place, split: str, shards: Sequence[Shard], cache: Path) -> Path:
    folder = _near(place, shards, cache)
    found = [placed(folder, shard) for shard in shards]
    facts = {"version": PLACES_VERSION, "shards": [asdict(shard) for shard in found]}
    path = cache / _FOLDER / _key(facts) / f"{split}.arrow"
    if not path.exists() or not is_whole(path):
        write_places(found, path)
    return path


def _near(place: Place, shards: Sequence[Shard], cache: Path) -> Path:
    if not place.is_far:
        return place.folder
    folder = cache / _FOLDER / f"copy-{_key([place.shown, [shard.sha256 for shard in shards]])}"
    for shard in shards:
        place.fetch(shard, folder)
    return folder


def _key(facts: object) -> str:
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:32]
