"""Sharing, with the recipe that is exported for it."""

from __future__ import annotations

import functools

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.recipes import export_recipe
from toyadmos_datasets.share import ShareOptions, ShareReport, share


def share_dataset(options: ShareOptions, progress: Progress | None = None, *, workers: int = 1) -> ShareReport:
    """Share a prepared dataset, or its recipe; see `share.share`.

    Args:
        options: What, and to where.
        progress: Told about the work.
        workers: Processes that hash the clips, where only the recipe is shared.
    """
    return share(options, functools.partial(export_recipe, workers=workers, progress=progress), progress)
