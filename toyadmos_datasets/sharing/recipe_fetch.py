"""A recipe that somebody shared, compared with its hashes."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError, ShareError, ToyAdmosError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.address import is_address, open_address, require_no_secrets, shown_address
from toyadmos_datasets.files.atomic import temporary_folder, write_file
from toyadmos_datasets.files.checked_json import MAX_JSON_BYTES, parse_json
from toyadmos_datasets.files.reading import MAX_CARD_BYTES, MAX_RECIPE_BYTES, expanded_path, read_bounded
from toyadmos_datasets.sharing.destination import HIDDEN, LAST_NAMES
from toyadmos_datasets.sharing.hub import checked_token
from toyadmos_datasets.sharing.parcel import SHARED_NAME
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import CARD_NAME, MANIFEST_NAME, RECIPE_NAME, Manifest, manifest_of
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shared_recipe import SUFFIX, is_shared_recipe, read_shared_recipe

_MOST_BYTES: dict[str, Bytes] = {MANIFEST_NAME: MAX_JSON_BYTES, CARD_NAME: MAX_CARD_BYTES}
"""How large a shared file may be that is read as a whole; all others are recipes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A folder at an address; it can be pickled, and opens its file system where it is used.

    Attributes:
        address: Such as ``s3://bucket/folder``.
        token: For the Hub; shown nowhere.
    """

    address: str
    token: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return shown_address(self.address.rstrip("/"))

    def shown_path(self, path: str) -> str:
        """Return where a file is, for people."""
        return f"{self.shown}/{path}" if path else self.shown

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file; FileNotFoundError if there is none, ShareError for any other failure while it is read."""
        system, root = self._system()
        with self._explaining(path), system.open(posixpath.join(root, path) if path else root, "rb") as file:
            yield file

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a manifest, a card or a recipe, or None if there is none.

        Raises:
            DatasetError: It is larger than any that this package writes.
            ShareError: It cannot be read.
        """
        most = _MOST_BYTES.get(path, MAX_RECIPE_BYTES)
        remedy = "Check the address, or ask its author to share it again."
        try:
            with self.open(path) as file:
                return read_bounded(file, most, where=self.shown_path(path), remedy=remedy)
        except FileNotFoundError:
            return None

    def sizes(self) -> dict[str, Bytes]:
        """List the files in it."""
        system, root = self._system()
        prefix = root.rstrip("/") + "/"
        with self._explaining(""):
            system.invalidate_cache()
            found = system.find(root, detail=True)
        return {name.removeprefix(prefix): facts["size"] for name, facts in found.items() if name.startswith(prefix)}

    def _system(self) -> tuple[Any, str]:
        require_no_secrets(self.address)
        options: dict[str, Any] = {}
        if self.address.startswith("hf://"):
            options = {"token": checked_token(self.token), "endpoint": os.environ.get("HF_ENDPOINT") or None}
        return open_address(self.address.rstrip("/"), **{name: one for name, one in options.items() if one})

    @contextlib.contextmanager
    def _explaining(self, path: str) -> Iterator[None]:
        try:
            yield
        except ToyAdmosError:
            raise
        except Exception as raised:  # noqa: BLE001  # what a file system raises is not known
            error = _reason(raised)
            failure = self._told(error, self.shown_path(path))
        else:
            return
        raise failure

    def _told(self, error: Exception, where: str) -> Exception:
        """Return the error to raise, which holds nothing of what it came of: that may hold the token."""
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(where)
        text = f"{type(error).__name__}: {error}"
        return ShareError(
            "A shared file cannot be read.",
            where=where,
            actual=text.replace(self.token, HIDDEN) if self.token else text,
            remedy="Check the address, and that the credentials of this machine may read there.",
        )


def _reason(error: Exception) -> Exception:
    """Return why a server gave nothing: fsspec says that there is no file also where there was no answer at all."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(cause, OSError) and not hasattr(cause, "response"):
        return cause
    return error


_SHARE_AGAIN = "Ask its author to share it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRecipe:
    """A recipe that was fetched.

    Attributes:
        path: The file.
        recipe: What it says.
        has_hashes: Whether it is a shared recipe, with the hashes of what comes of it, or a plain one.
        was_there: Whether the file held it already.
    """

    path: Path
    recipe: Recipe
    has_hashes: bool
    was_there: bool


def fetch_recipe(address: str, out: str | os.PathLike[str], *, token: str | None = None) -> FetchedRecipe:
    """Fetch the recipe of a shared dataset, or one that was shared alone.

    Args:
        address: Where it was shared to, or the file itself (``https://host/mine.toyrecipe``).
        out: The file to write; one that holds something else is not touched.
        token: For a private repository on the Hub.

    Raises:
        OptionError: The address or the file is invalid.
        DatasetError: There is no recipe, or it is damaged, or not that of the dataset beside it.
        OutputConflictError: The file holds something else.
        ShareError: The place cannot be read.
    """
    if not is_address(address):
        raise OptionError(
            "This is no address.",
            where=address,
            expected="hf://datasets/user/name, s3://bucket/folder, https://host/mine.toyrecipe",
            remedy="A recipe on this machine need not be fetched.",
        )
    path = expanded_path(out)
    if path.is_dir():
        raise OptionError(
            "The output is a folder.", where=path, expected="a file", remedy=f"-o {shell_word(path / SHARED_NAME)}"
        )
    remote = Remote(address=address, token=token)
    content, recipe, has_hashes = _found(remote)
    was_there = _is_held(path, content)
    if not was_there:
        with write_file(path) as file:
            file.write(content)
    return FetchedRecipe(path=path, recipe=recipe, has_hashes=has_hashes, was_there=was_there)


def _found(remote: Remote) -> tuple[bytes, Recipe, bool]:
    is_file = remote.address.endswith((".parquet", SUFFIX))
    for path in [""] if is_file else [SHARED_NAME, RECIPE_NAME]:
        content = remote.read(path)
        if content is None:
            continue
        recipe, has_hashes = parse_recipe(content, remote.shown_path(path))
        if path == RECIPE_NAME:
            _require_recipe_of_dataset(recipe, remote)
        return content, recipe, has_hashes
    raise DatasetError(
        "No recipe was shared here, or not to the end.",
        where=remote.shown,
        expected=SHARED_NAME if not is_file else "a file",
        actual="none",
        remedy="Check the address and your access to it, or ask its author to run toyadmos share again.",
    )


def parse_recipe(content: bytes, where: str) -> tuple[Recipe, bool]:
    """Make a recipe of the bytes of its file, and tell whether it is a shared one, with hashes.

    Raises:
        DatasetError: It is neither, or was changed since it was written.
    """
    with temporary_folder("recipe") as folder:
        path = folder / SHARED_NAME
        path.write_bytes(content)
        try:
            is_shared = is_shared_recipe(path)
            return read_shared_recipe(path).recipe if is_shared else read_recipe(path), is_shared
        except DatasetError as error:
            raise DatasetError(
                error.what, where=where, expected=error.expected, actual=error.actual, remedy=_SHARE_AGAIN
            ) from error


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Make a manifest of the bytes of its file.

    Raises:
        DatasetError: They are damaged.
    """
    value = parse_json(content, where=where, remedy=_SHARE_AGAIN, what="The manifest is damaged.")
    return manifest_of(value, where)


def _require_recipe_of_dataset(recipe: Recipe, remote: Remote) -> None:
    content = remote.read(MANIFEST_NAME)
    if content is None:
        raise DatasetError(
            "Nothing was shared here to its end.",
            where=remote.shown,
            expected=" or ".join(LAST_NAMES),
            actual="neither",
            remedy="Ask its author to run toyadmos share again: it continues where it was interrupted.",
        )
    promised = parse_manifest(content, remote.shown_path(MANIFEST_NAME)).recipe_sha256
    if recipe.sha256 != promised:
        raise DatasetError(
            "The recipe is not that of the dataset beside it.",
            where=remote.shown_path(RECIPE_NAME),
            expected=f"the recipe {promised}",
            actual=f"the recipe {recipe.sha256}",
            remedy=_SHARE_AGAIN,
        )


def _is_held(out: Path, content: bytes) -> bool:
    if not out.exists():
        return False
    if out.stat().st_size != len(content) or out.read_bytes() != content:
        raise OutputConflictError(
            "The file holds something else.",
            where=out,
            expected="nothing yet, or the same recipe",
            actual=f"{out.stat().st_size} other bytes",
            remedy="Choose another file with -o; nothing was touched.",
        )
    return True
