"""Makes workers of Dask die, as often as there are tokens: `dask worker --preload dying`.

A token is a file in the folder that `TOYADMOS_TOKENS` names. `after-N` kills a worker right after a task of it ended,
before its outcome leaves; `during-N-S` kills it S seconds after a task began.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from pathlib import Path
from typing import Any

from toyadmos_datasets.engine import attempts


def put_tokens(folder: Path, *names: str) -> None:
    """Ask for so many deaths."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


def dask_setup(_worker: object) -> None:
    """Let every task of this worker look for a token; Dask calls it."""
    run_attempt, folder = attempts.run_attempt, Path(os.environ["TOYADMOS_TOKENS"])

    @functools.wraps(run_attempt)
    def run_and_die(*arguments: Any) -> Any:
        token = _taken(folder)
        if token.startswith("during"):
            threading.Timer(float(token.rpartition("-")[2]), _die).start()
        outcome = run_attempt(*arguments)
        if token.startswith("after"):
            _die()
        return outcome

    attempts.run_attempt = run_and_die


def _taken(folder: Path) -> str:
    for path in sorted([*folder.glob("after-*"), *folder.glob("during-*")]):
        with contextlib.suppress(OSError):  # another worker took it
            path.rename(folder / f"taken.{path.name}")
            return path.name
    return ""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
