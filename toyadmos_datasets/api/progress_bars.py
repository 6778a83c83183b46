"""Progress in Python: tqdm's bars where somebody looks, as `datasets` shows them, and switched off as there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TypeAlias

from tqdm.auto import tqdm

from toyadmos_datasets.engine.progress import Advance, Progress, Quiet
from toyadmos_datasets.escaping import escaped

ProgressChoice: TypeAlias = Progress | bool | None
"""The progress display: the user's own, False for none, or the default of the environment."""

SWITCH = "HF_DATASETS_DISABLE_PROGRESS_BARS"
"""The variable by which `datasets` shows no bars."""


def chosen_progress(progress: ProgressChoice) -> Progress:
    """Return what shows progress.

    Args:
        progress: One's own; False for none; by default bars, where there is a terminal or a notebook and bars are not
            switched off in `datasets`.
    """
    if not isinstance(progress, bool) and progress is not None:
        return progress
    is_shown = progress is not False and not _are_switched_off() and (_is_notebook() or sys.stderr.isatty())
    return TqdmBars() if is_shown else Quiet()


def _are_switched_off() -> bool:
    if "datasets" in sys.modules:  # else nobody can have called its switch
        return bool(sys.modules["datasets"].are_progress_bars_disabled())
    return os.environ.get(SWITCH, "").upper() in {"1", "ON", "YES", "TRUE"}


def _is_notebook() -> bool:
    return "ipykernel" in sys.modules


class TqdmBars:
    """A bar for each stage."""

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        """Draw a bar while the block runs; a stage with nothing to do is not shown."""
        is_bytes = unit == "bytes"
        facts = {"unit": "B", "unit_scale": True} if is_bytes else {"unit": f" {unit}"}
        with tqdm(total=total, desc=escaped(what), disable=total <= 0, leave=None, **facts) as bar:
            yield lambda done, note="": _move(bar, min(done, total), note)

    def say(self, text: str) -> None:
        """Write a line above the bars."""
        tqdm.write(escaped(text), file=sys.stderr)


def _move(bar: tqdm[None], done: int, note: str) -> None:
    if note:
        bar.set_postfix_str(note, refresh=False)
    bar.update(done - bar.n)
