"""A temporary folder in the place of a cache of `datasets` that cannot be written to, as shared ones are."""

from __future__ import annotations

import atexit
import errno
import functools
import os
import shutil
import warnings
from pathlib import Path

from toyadmos_datasets.errors import OutputError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.leftovers import make_temporary_folder, temporary_path

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def is_forbidden(error: OutputError) -> bool:
    """Whether a file could not be written because this user may write nothing there."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FORBIDDEN


def writable_or_stand_in(cache: Path) -> Path:
    """Return a cache that is about to be written to, or what stands in for it if this user may not do so."""
    probe = temporary_path(cache)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno in _FORBIDDEN:
            return stand_in_for(cache)
    return cache


def stand_in_for(cache: Path) -> Path:
    """Return a temporary folder, the same for a whole process, and warn that what is kept there is made each time."""
    folder = _temporary_folder(os.getpid())
    warnings.warn(
        f"The cache of datasets cannot be written to ({escaped(cache)}), so a temporary folder stands in for it "
        f"until this process ends ({escaped(folder)}), and other processes look through the dataset again. Name a "
        "folder that can be written to: load_dataset(.., cache_dir=..), or the environment variable HF_DATASETS_CACHE.",
        stacklevel=2,
    )
    return folder


@functools.lru_cache(maxsize=1)
def _temporary_folder(owner_pid: int) -> Path:
    folder = make_temporary_folder("datasets")

    def remove() -> None:
        """Remove it at the end of the process that made it, not of one that was forked from it."""
        if os.getpid() == owner_pid:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
