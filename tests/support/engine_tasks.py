"""Tasks for engines: workers elsewhere import them from here."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.engine import Stopped, Watch
from toyadmos_datasets.errors import WavError


def double(task: int, watch: Watch) -> int:
    watch.advance(task, at=f"clip-{task}")
    return 2 * task


def none_for_all(task: int, watch: Watch) -> None:
    watch.advance(1)


def fail_at_two(task: int, watch: Watch) -> int:
    watch.advance(1)
    if task == 2:
        raise WavError("A recording is bad.", where=f"clip-{task}")
    return task


def look_seldom(task: tuple[Path, int], watch: Watch) -> int:
    """Do the same, and look up every three seconds only."""
    return keep_until_stopped(task, watch, look_every_s=3.0)


def keep_until_stopped(task: tuple[Path, int], watch: Watch, look_every_s: float = 0.1) -> int:
    """Be done at once where the number is 0; work for long otherwise, and note when it was asked to stop."""
    folder, number = task
    (folder / f"{number}.begun").touch()
    try:
        for _ in range(round(60 / look_every_s) if number else 1):
            watch.advance(1, at=f"clip-{number}")
            time.sleep(look_every_s if number else 0)
    except Stopped:
        (folder / f"{number}.kept").touch()
        raise
    return number


def die(task: int, watch: Watch) -> None:
    watch.advance(1, at=f"clip-{task}")
    os._exit(1)


@dataclass(frozen=True, slots=True)
class Large:
    """A value that all tasks hold, which counts how often it is pickled here."""

    content: bytes
    pickled: list[int]

    def __reduce__(self) -> tuple[object, ...]:
        self.pickled.append(1)
        return Large, (self.content, [])


def measure_large(task: tuple[Large, int], watch: Watch) -> tuple[int, int]:
    watch.advance(1)
    large, number = task
    return number, len(large.content)
