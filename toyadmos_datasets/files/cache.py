"""Where things are kept that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from toyadmos_datasets.files.looking import expanded

CACHE_VARIABLE = "TOYADMOS_CACHE"


def default_cache() -> Path:
    """Return the cache folder: what `TOYADMOS_CACHE` says, or the platform's place for such things."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return expanded(chosen) if chosen else Path(platformdirs.user_cache_dir("toyadmos"))
