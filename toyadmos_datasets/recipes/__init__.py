"""The stage that shares recipes: a prepared folder becomes one small file, and two of them are compared."""

from toyadmos_datasets.recipes.diff import RecipeDiff, diff_recipes
from toyadmos_datasets.recipes.export import export_recipe
from toyadmos_datasets.recipes.fingerprint import ShardPrint, fingerprint_shards
from toyadmos_datasets.recipes.moved import Moved, what_moved
from toyadmos_datasets.recipes.opening import OpenedRecipe, open_recipe

__all__ = [
    "Moved",
    "OpenedRecipe",
    "RecipeDiff",
    "ShardPrint",
    "diff_recipes",
    "export_recipe",
    "fingerprint_shards",
    "open_recipe",
    "what_moved",
]
