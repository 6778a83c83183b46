"""Where a prepared dataset is: a folder, or an address that fsspec knows (``s3://``, ``hf://``, ``memory://``)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from toyadmos_datasets.errors import DatasetError, ToyAdmosError
from toyadmos_datasets.files.address import is_address, open_address, shown_address
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import MAX_JSON_BYTES, parse_json
from toyadmos_datasets.files.reading import (
    expanded_path,
    file_errors,
    is_there,
    raise_shortage,
    raise_system_fault,
    read_bounded,
)
from toyadmos_datasets.files.safe_paths import inside
from toyadmos_datasets.values.manifest import MANIFEST_NAME, Manifest, Shard, manifest_of, read_manifest
from toyadmos_datasets.values.shared_recipe import SHARED_NAME

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLocation:
    """A prepared dataset, near or far; it can be pickled, and opens its file system where it is used.

    Attributes:
        address: A path or an address.
        storage_options: For fsspec, such as an endpoint; secrets in it are shown nowhere.
    """

    address: str
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_far(self) -> bool:
        """Whether it is an address."""
        return is_address(self.address)

    @property
    def folder(self) -> Path:
        """The folder, where it is near."""
        return expanded_path(self.address).absolute()

    @property
    def shown(self) -> str:
        """The address without a password."""
        return shown_address(self.address)

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            DatasetError: It is missing or damaged, or a newer version wrote it.
            MissingExtraError: fsspec needs a package for this kind of address.
        """
        if not self.is_far:
            return read_manifest(self.folder)
        where, remedy = f"{self.shown}/{MANIFEST_NAME}", "Check the address, or share the dataset again."
        with self._reading(MANIFEST_NAME) as file, self._telling(MANIFEST_NAME):
            content = read_bounded(file, MAX_JSON_BYTES, where=where, remedy=remedy)
        return manifest_of(parse_json(content, where=where, remedy=remedy), where)

    @contextlib.contextmanager
    def open(self, shard: Shard) -> Iterator[IO[bytes]]:
        """Open a shard for reading after looking at its size.

        Raises:
            DatasetError: It is missing, or has another size than the manifest says.
        """
        with self._reading(shard.path, shard) as file:
            n_bytes = file.seek(0, os.SEEK_END)
            if n_bytes != shard.n_bytes:
                self.require_current(shard)
                raise DatasetError(
                    "A shard has another size than it was written with.",
                    where=self.where(shard),
                    expected=f"{shard.n_bytes} bytes, sha256 {shard.sha256}",
                    actual=f"{n_bytes} bytes",
                    remedy="Prepare or share the dataset again.",
                )
            file.seek(0)
            yield file

    def fetch(self, shard: Shard, folder: Path) -> None:
        """Copy a shard into a folder, unless it is there, and compare it with its hash.

        Raises:
            DatasetError: It is missing, cannot be read to its end, or was changed.
            OutputError: It could not be written.
        """
        path = inside(folder, shard.path, where=self.where(shard))
        if path.exists() and path.stat().st_size == shard.n_bytes:
            return  # it was compared before it got its name
        digest = hashlib.sha256()
        with self.open(shard) as there, write_file(path) as here:
            while block := self._piece(there, shard.path):
                here.write(block)
                digest.update(block)
                if here.tell() > shard.n_bytes:
                    break  # its hash cannot be right, and no end may come
            if digest.hexdigest() != shard.sha256:
                self.require_current(shard)
                raise DatasetError(
                    "A shard was changed since it was written.",
                    where=self.where(shard),
                    expected=f"sha256 {shard.sha256}",
                    actual=f"sha256 {digest.hexdigest()}",
                    remedy="Share the dataset again from a copy that toyadmos verify finds whole.",
                )

    def require_current(self, shard: Shard) -> None:
        """Raise if the dataset was replaced since it was opened: what is read of it now may be of another one.

        Raises:
            DatasetError: The manifest is another one, or none: it is the first file that a replacement removes.
        """
        try:
            is_listed, actual = shard in self.manifest().shards, "a manifest that does not list it"
        except DatasetError as error:
            is_listed, actual = False, error.what
        if not is_listed:
            raise DatasetError(
                "The dataset was replaced while it was read.",
                where=self.where(shard),
                expected=f"sha256 {shard.sha256}",
                actual=actual,
                remedy="Load it again.",
            )

    def where(self, shard: Shard) -> str:
        """Return where a shard is, for people."""
        return f"{self.shown}/{shard.path}" if self.is_far else str(self.folder / shard.path)

    @contextlib.contextmanager
    def _reading(self, name: str, shard: Shard | None = None) -> Iterator[IO[bytes]]:
        try:
            file = self._file(name)
        except ToyAdmosError:
            raise
        except Exception as error:  # noqa: BLE001  # what a file system raises is not known
            (raise_shortage if self.is_far else raise_system_fault)(error, f"{self.shown}/{name}")
            if shard is not None:
                self.require_current(shard)
            is_absent = isinstance(error, FileNotFoundError)
            raise DatasetError(
                ("A shard is missing." if is_absent else "A shard cannot be read.")
                if shard
                else "There is no prepared dataset, or it cannot be reached.",
                where=f"{self.shown}/{name}",
                expected=f"{shard.n_bytes} bytes, sha256 {shard.sha256}" if shard else MANIFEST_NAME,
                actual="no file" if is_absent else type(error).__name__,
                remedy="Share the dataset again." if is_absent else "Check the address and your access to it.",
            ) from (None if self.is_far else error)  # texts of other libraries may repeat secrets
        with file:
            yield file

    def _piece(self, file: IO[bytes], name: str) -> bytes:
        with self._telling(name):
            return file.read(_PIECE_BYTES)

    @contextlib.contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        """Turn whatever a file system raises while a file is read into an error of ours."""
        try:
            yield
        except ToyAdmosError:
            raise
        except Exception as error:  # noqa: BLE001  # what a file system raises is not known
            raise_shortage(error, f"{self.shown}/{name}")
            raise self.cut(name, error) from None  # texts of other libraries may repeat secrets

    def cut(self, name: str, error: Exception) -> DatasetError:
        """Return the error for a file that stopped coming."""
        return DatasetError(
            "The dataset cannot be read to its end.",
            where=f"{self.shown}/{name}",
            actual=type(error).__name__,
            remedy="Check the address and your access to it, and load it again: shards that have come are kept.",
        )

    def _file(self, name: str) -> IO[bytes]:
        if not self.is_far:
            return (self.folder / name).open("rb")
        system, root = open_address(self.address, **self.storage_options)
        return system.open(posixpath.join(root, name), "rb")  # type: ignore[no-any-return]


def has_recipe_alone(place: DatasetLocation) -> bool:
    """Whether a dataset was shared here without audio, as its recipe."""
    if not place.is_far:
        with file_errors(place.folder):
            return is_there(place.folder / SHARED_NAME) and not is_there(place.folder / MANIFEST_NAME)
    try:
        system, root = open_address(place.address, **place.storage_options)
        return bool(system.isfile(posixpath.join(root, SHARED_NAME)))
    except Exception:  # noqa: BLE001  # file systems raise unknown errors, and the caller has a better one
        return False
