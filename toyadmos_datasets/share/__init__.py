"""The stage that shares: a prepared dataset, or only its recipe, goes to a bucket or to the Hub, and comes back."""

from toyadmos_datasets.share.fetch import FetchedRecipe, fetch_recipe
from toyadmos_datasets.share.remote import Remote
from toyadmos_datasets.share.share import ShareOptions, ShareReport, share

__all__ = ["FetchedRecipe", "Remote", "ShareOptions", "ShareReport", "fetch_recipe", "share"]
