"""A recipe that somebody shared, compared with its hashes and written to a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.errors import OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.address import is_address
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.sharing.recipe_opening import found_recipe
from toyadmos_datasets.sharing.remote_folder import Remote
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.shared_recipe import SHARED_NAME


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
    content, opened = found_recipe(remote)
    was_there = _is_held(path, content)
    if not was_there:
        with write_file(path) as file:
            file.write(content)
    return FetchedRecipe(path=path, recipe=opened.recipe, has_hashes=opened.shared is not None, was_there=was_there)


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
