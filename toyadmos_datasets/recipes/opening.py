"""Recipes, whatever they are in: a shared file, a plain recipe, or a prepared folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.looking import looking
from toyadmos_datasets.values.dataset import RECIPE_NAME, read_manifest
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shared_recipe import SharedRecipe, is_shared_recipe, read_shared_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRecipe:
    """A recipe, and what more is known of it.

    Attributes:
        path: Where it was read.
        recipe: The examples.
        shared: What it gave where it was rendered; None for a plain recipe and for a folder.
    """

    path: Path
    recipe: Recipe
    shared: SharedRecipe | None


def open_recipe(path: Path) -> OpenedRecipe:
    """Read a recipe.

    Raises:
        DatasetError: There is none, or it is damaged or was changed.
    """
    with looking(path):
        is_folder, is_there = path.is_dir(), path.exists()
    if not is_there:
        raise DatasetError(
            "There is no recipe.",
            where=path,
            expected="a .toyrecipe or recipe.parquet file, or a prepared dataset",
            actual="nothing there",
            remedy="Say where it is; a dataset's is written with: toyadmos recipe export DIR -o FILE",
        )
    if is_folder:
        read_manifest(path)
        return OpenedRecipe(path=path, recipe=read_recipe(path / RECIPE_NAME), shared=None)
    if is_shared_recipe(path):
        shared = read_shared_recipe(path)
        return OpenedRecipe(path=path, recipe=shared.recipe, shared=shared)
    return OpenedRecipe(path=path, recipe=read_recipe(path), shared=None)
