"""A recipe that somebody shared, compared with its hash."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.address import is_address
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.share.destination import LAST_NAMES
from toyadmos_datasets.share.remote import Remote
from toyadmos_datasets.values.dataset import RECIPE_NAME, Manifest, manifest_of
from toyadmos_datasets.values.recipe import Recipe, read_recipe

_SHARE_AGAIN = "Ask who shared it to share it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRecipe:
    """A recipe that was fetched.

    Attributes:
        path: The file.
        recipe: What it says.
        manifest: Of the dataset that comes of it; None for a file that stands alone.
        was_there: Whether the file held it already.
    """

    path: Path
    recipe: Recipe
    manifest: Manifest | None
    was_there: bool


def fetch_recipe(address: str, out: Path, *, token: str | None = None) -> FetchedRecipe:
    """Fetch the recipe of a shared dataset, or of one that was shared as a recipe.

    Args:
        address: Where it was shared to, or the recipe itself (``..../recipe.parquet``).
        out: The file to write; one that holds another recipe is not touched.
        token: For a private repository on the Hub.

    Raises:
        OptionError: The address or the file cannot be meant.
        DatasetError: There is no recipe, or not the one that is announced there.
        OutputConflictError: The file holds something else.
        ShareError: The place cannot be read.
    """
    if not is_address(address):
        raise OptionError(
            "This is no address.",
            where=address,
            expected="hf://datasets/user/name, s3://bucket/folder, https://host/recipe.parquet",
            remedy="A recipe on this machine need not be fetched.",
        )
    if out.is_dir():
        raise OptionError("The output is a folder.", where=out, expected="a file", remedy=f"-o {out / RECIPE_NAME}")
    remote = Remote(address=address, token=token)
    is_file = address.endswith(".parquet")
    manifest = None if is_file else _announced(remote)
    content = remote.read("" if is_file else RECIPE_NAME)
    if content is None:
        raise DatasetError(
            "There is no recipe.", where=remote.shown_path("" if is_file else RECIPE_NAME), remedy=_SHARE_AGAIN
        )
    recipe = _parsed(content, remote, manifest)
    was_there = _is_held(out, recipe)
    if not was_there:
        with write_file(out) as file:
            file.write(content)
    return FetchedRecipe(path=out, recipe=recipe, manifest=manifest, was_there=was_there)


def _announced(remote: Remote) -> Manifest:
    """Read the manifest of the dataset, or of what comes of the recipe."""
    for name in LAST_NAMES:
        content = remote.read(name)
        if content is not None:
            return parse_manifest(content, remote.shown_path(name))
    raise DatasetError(
        "Nothing was shared here, or not to the end.",
        where=remote.shown,
        expected=" or ".join(LAST_NAMES),
        actual="neither",
        remedy="Check the address and your access to it, or ask who shared it to run toyadmos share again.",
    )


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Make a manifest of the bytes of its file.

    Raises:
        DatasetError: They are damaged.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise DatasetError(
            "The manifest is damaged.", where=where, expected="JSON", actual=error, remedy=_SHARE_AGAIN
        ) from error
    if not isinstance(value, dict):
        raise DatasetError("The manifest is damaged.", where=where, expected="an object", remedy=_SHARE_AGAIN)
    return manifest_of(value, where)


def _parsed(content: bytes, remote: Remote, manifest: Manifest | None) -> Recipe:
    with tempfile.TemporaryDirectory(prefix="toyadmos-recipe-") as folder:
        path = Path(folder) / RECIPE_NAME
        path.write_bytes(content)
        try:
            recipe = read_recipe(path)
        except DatasetError as error:
            where = remote.shown_path(RECIPE_NAME)
            raise DatasetError(error.what, where=where, actual=error.actual, remedy=_SHARE_AGAIN) from error
    if manifest is not None and recipe.sha256 != manifest.recipe_sha256:
        raise DatasetError(
            "The recipe is not the one that is announced beside it.",
            where=remote.shown_path(RECIPE_NAME),
            expected=f"the recipe {manifest.recipe_sha256}",
            actual=f"the recipe {recipe.sha256}",
            remedy=_SHARE_AGAIN,
        )
    return recipe


def _is_held(out: Path, recipe: Recipe) -> bool:
    if not out.exists():
        return False
    try:
        found = read_recipe(out).sha256
    except DatasetError:
        found = "no recipe"
    if found != recipe.sha256:
        raise OutputConflictError(
            "The file holds something else.",
            where=out,
            expected=f"nothing yet, or the recipe {recipe.sha256}",
            actual=found,
            remedy="Choose another file with -o; nothing was touched.",
        )
    return True
