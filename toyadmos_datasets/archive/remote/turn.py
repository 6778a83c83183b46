"""Whose turn it is to fetch an archive: one process at a time; others wait, and see what that one brings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.present import journals_of
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.files.lock import folder_lock


@contextlib.contextmanager
def having_turn(folder: Path, options: FetchOptions, progress: Progress) -> Iterator[None]:
    """Hold a folder for fetching into it while the block runs, after whoever has it now.

    Args:
        folder: The archive's copies, or the licence's.
        options: Whether to wait.
        progress: Told for whom, and how much of the archive is there meanwhile.

    Raises:
        BusyError: Another process is fetching there, and that is not waited for.
        OutputError: The folder cannot be made or written.
    """
    with contextlib.ExitStack() as waiting:
        on_wait = _Waiting(options, progress, waiting) if options.is_waiting else None
        with folder_lock(folder, on_wait=on_wait):
            waiting.close()
            yield


class _Waiting:
    """Says once for whom, and shows what is there of the archive."""

    def __init__(self, options: FetchOptions, progress: Progress, stages: contextlib.ExitStack) -> None:
        self._options = options
        self._progress = progress
        self._stages = stages
        self._journals = journals_of(options.folder, options.manifest)
        self._show: Callable[[int], None] | None = None

    def __call__(self, holder: str) -> None:
        manifest = self._options.manifest
        if self._show is None:
            self._progress.say(f"The archive of {manifest.toy} is {holder}: waiting until it is done (or --no-wait).")
            stage = self._progress.stage(f"Waiting, {manifest.toy} is {holder}", manifest.n_bytes, "bytes")
            self._show = self._stages.enter_context(stage)
        for journal in self._journals:
            journal.refresh()
        self._show(sum(journal.have.n_bytes for journal in self._journals))
