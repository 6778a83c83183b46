"""Recipes."""

from __future__ import annotations

from toyadmos_datasets.sharing.fingerprint import ShardPrint, fingerprint_shards
from toyadmos_datasets.sharing.recipe_diff import Moved, RecipeDiff, diff_recipes, what_moved
from toyadmos_datasets.sharing.recipe_export import export_recipe
from toyadmos_datasets.sharing.recipe_fetch import FetchedRecipe, fetch_recipe
from toyadmos_datasets.sharing.recipe_opening import OpenedRecipe, open_recipe
from toyadmos_datasets.sharing.remote_folder import Remote
from toyadmos_datasets.sharing.share_job import ShareOptions, ShareReport, share

__all__ = [
    "FetchedRecipe",
    "Moved",
    "OpenedRecipe",
    "RecipeDiff",
    "Remote",
    "ShardPrint",
    "ShareOptions",
    "ShareReport",
    "diff_recipes",
    "export_recipe",
    "fetch_recipe",
    "fingerprint_shards",
    "open_recipe",
    "share",
    "what_moved",
]
