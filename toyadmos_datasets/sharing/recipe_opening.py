"""A recipe, opened from whatever holds it: a file, a prepared folder, or an address where it was shared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.address import is_address
from toyadmos_datasets.files.atomic import temporary_folder
from toyadmos_datasets.files.checked_json import parse_json
from toyadmos_datasets.files.reading import expanded_path, file_errors, is_there
from toyadmos_datasets.sharing.destination import LAST_NAMES
from toyadmos_datasets.sharing.remote_folder import Remote
from toyadmos_datasets.values.manifest import MANIFEST_NAME, RECIPE_NAME, Manifest, manifest_of, read_manifest
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shared_recipe import (
    SHARED_NAME,
    SUFFIX,
    SharedRecipe,
    is_shared_recipe,
    read_shared_recipe,
)

_SHARE_AGAIN = "Ask its author to share it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRecipe:
    """A recipe, and what more is known of it.

    Attributes:
        path: Where it was read: a path, or an address without secrets.
        recipe: The examples.
        shared: What it gave where it was rendered; None for a plain recipe and for a folder.
    """

    path: Path | str
    recipe: Recipe
    shared: SharedRecipe | None

    def with_hashes(self) -> SharedRecipe:
        """Return what the recipe gave where it was rendered.

        Raises:
            DatasetError: It is a plain recipe, which does not say.
        """
        if self.shared is None:
            raise DatasetError(
                "This recipe has no hashes of what comes of it.",
                where=self.path,
                expected=f"a {SUFFIX} file, as toyadmos recipe export or toyadmos share writes it",
                actual="a plain recipe, or a dataset with its audio",
                remedy="Render a plain recipe with: toyadmos prepare --toy TOY --recipe FILE",
            )
        return self.shared


def open_recipe(
    place: str | os.PathLike[str], *, token: str | None = None, storage_options: Mapping[str, Any] | None = None
) -> OpenedRecipe:
    """Read a recipe from a file, a prepared or shared folder, or an address of any of these.

    Args:
        place: The path or the address.
        token: For a private repository on the Hub.
        storage_options: For fsspec, where it is an address.

    Raises:
        DatasetError: There is none, or it is damaged or was changed.
        ShareError: The address cannot be read.
        OptionError: The address is invalid.
    """
    if isinstance(place, str) and is_address(place):
        return found_recipe(Remote(address=place, token=token, storage_options=dict(storage_options or {})))[1]
    path = expanded_path(place)
    with file_errors(path):
        is_folder, is_present = path.is_dir(), path.exists()
        is_shared_alone = is_folder and not is_there(path / MANIFEST_NAME) and is_there(path / SHARED_NAME)
    if not is_present:
        raise DatasetError(
            "There is no recipe.",
            where=path,
            expected="a .toyrecipe or recipe.parquet file, or a prepared dataset",
            actual="nothing there",
            remedy="Say where it is; a dataset's is written with: toyadmos recipe export DIR -o FILE",
        )
    if is_shared_alone:
        return _opened_file(path / SHARED_NAME)
    if is_folder:
        read_manifest(path)
        return OpenedRecipe(path=path, recipe=read_recipe(path / RECIPE_NAME), shared=None)
    return _opened_file(path)


def _opened_file(path: Path) -> OpenedRecipe:
    if is_shared_recipe(path):
        shared = read_shared_recipe(path)
        return OpenedRecipe(path=path, recipe=shared.recipe, shared=shared)
    return OpenedRecipe(path=path, recipe=read_recipe(path), shared=None)


def found_recipe(remote: Remote) -> tuple[bytes, OpenedRecipe]:
    """Read the recipe at an address: the file itself, one that was shared alone, or that of a shared dataset.

    Returns:
        The bytes of its file, and what they say.

    Raises:
        DatasetError: There is none, or it is damaged, or not that of the dataset beside it.
        ShareError: The address cannot be read.
    """
    is_file = remote.address.endswith((".parquet", SUFFIX))
    for path in [""] if is_file else [SHARED_NAME, RECIPE_NAME]:
        content = remote.read(path)
        if content is None:
            continue
        opened = parse_recipe(content, remote.shown_path(path))
        if path == RECIPE_NAME:
            _require_recipe_of_dataset(opened.recipe, remote)
        return content, replace(opened, path=remote.shown)
    raise DatasetError(
        "No recipe was shared here, or not to the end.",
        where=remote.shown,
        expected=SHARED_NAME if not is_file else "a file",
        actual="none",
        remedy="Check the address and your access to it, or ask its author to run toyadmos share again.",
    )


def parse_recipe(content: bytes, where: str) -> OpenedRecipe:
    """Make a recipe of the bytes of its file.

    Raises:
        DatasetError: It is none, or was changed since it was written.
    """
    with temporary_folder("recipe") as folder:
        path = folder / SHARED_NAME
        path.write_bytes(content)
        try:
            return replace(_opened_file(path), path=where)
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
