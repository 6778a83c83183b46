"""The files to share: a prepared dataset, or only what is needed to make it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.reading import raise_system_fault, sha256_of
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import (
    CARD_NAME,
    MANIFEST_NAME,
    RECIPE_NAME,
    check_shard_sizes,
    read_manifest,
)
from toyadmos_datasets.values.shared_recipe import SHARED_NAME, SharedRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A file that is sent.

    Attributes:
        path: Where it belongs at the destination, forward slashes.
        n_bytes: Its size.
        sha256: Hash of its bytes, hex.
        source: The file on the disk, or its bytes.
    """

    path: str
    n_bytes: Bytes
    sha256: str
    source: Path | bytes

    def check(self) -> None:
        """Raise if the file on the disk is no longer what its manifest says: damage is not passed on.

        Raises:
            DatasetError: It was changed.
        """
        if isinstance(self.source, bytes):
            return
        actual = sha256_of(self.source)
        if actual != self.sha256:
            raise DatasetError(
                "A shard was changed since it was written, and is not sent.",
                where=self.source,
                expected=f"sha256 {self.sha256}",
                actual=f"sha256 {actual}",
                remedy="Look for what else is damaged: toyadmos verify DIR. Then prepare it again with --overwrite.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Everything that is sent.

    Attributes:
        toy: ``ToyTrain``, or several.
        recipe_sha256: Hash of the recipe of the dataset that it is about.
        files: All files but the last one.
        last: What makes the copy whole: it is sent when everything else is there.
        has_audio: Whether recordings of the corpus are in it, which must not become public.
    """

    toy: str
    recipe_sha256: str
    files: tuple[Outgoing, ...]
    last: Outgoing
    has_audio: bool

    @property
    def all_files(self) -> tuple[Outgoing, ...]:
        """All files, in the order in which they are sent."""
        return (*self.files, self.last)


def dataset_parcel(folder: Path) -> Parcel:
    """Gather a prepared folder, audio and all.

    Raises:
        DatasetError: The folder holds no whole dataset.
    """
    manifest = read_manifest(folder)
    check_shard_sizes(folder, manifest.shards)
    shards = [
        Outgoing(path=shard.path, n_bytes=shard.n_bytes, sha256=shard.sha256, source=folder / shard.path)
        for shard in manifest.shards
    ]
    return Parcel(
        toy=manifest.toys_text,
        recipe_sha256=manifest.recipe_sha256,
        files=(*shards, _of_file(folder, RECIPE_NAME), _of_file(folder, CARD_NAME)),
        last=_of_file(folder, MANIFEST_NAME),
        has_audio=True,
    )


def recipe_parcel(shared: SharedRecipe, content: bytes, rows: Iterable[tuple[str, bytes]], *, card: str) -> Parcel:
    """Gather a shared recipe, the rows that people look at, and a card that says what to do with them.

    Args:
        shared: The recipe.
        content: The bytes of its file.
        rows: Path and content of the files of its rows.
        card: The page.
    """
    return Parcel(
        toy=", ".join(shared.toys),
        recipe_sha256=shared.recipe.sha256,
        files=(*(_of_bytes(path, one) for path, one in rows), _of_bytes(CARD_NAME, card.encode())),
        last=_of_bytes(SHARED_NAME, content),
        has_audio=False,
    )


def _of_file(folder: Path, name: str) -> Outgoing:
    """Take a small file as it is now: the manifest has no hash of it."""
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise_system_fault(error, path)
        raise DatasetError(
            "A file of the dataset is missing.",
            where=path,
            actual=error.strerror,
            remedy="Prepare the folder again with the same command and --overwrite.",
        ) from error
    return _of_bytes(name, content)


def _of_bytes(path: str, content: bytes) -> Outgoing:
    sha256 = hashlib.sha256(content).hexdigest()
    return Outgoing(path=path, n_bytes=len(content), sha256=sha256, source=content)
