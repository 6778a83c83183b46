"""The command line: the only place that prints and exits."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

EXIT_INTERRUPTED = 130
INTERRUPTED = "Interrupted. What was finished is kept; the same command goes on from there."


def main() -> None:
    """Run `toyadmos` with the process's arguments and exit: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    _open_streams()
    sys.unraisablehook = _leave_if_interrupted
    try:
        from toyadmos_datasets.cli.main import start

        status = start(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the part that answers it, such as while Python still imports
        _leave()
    sys.exit(status)


def _open_streams() -> None:
    """Give a program that was started with closed streams open ones, so that no file of ours becomes one of them."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _leave_if_interrupted(unraisable: UnraisableHookArgs) -> None:
    """Leave at a Ctrl-C that Python would only print, because it came in a destructor or a callback."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _leave()
    sys.__unraisablehook__(unraisable)


def _leave() -> NoReturn:
    sys.stderr.write(f"{INTERRUPTED}\n")
    sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


__all__ = ["main"]
