"""The command line: the only place that prints and exits."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING

from toyadmos_datasets.cli.interrupt import EXIT_INTERRUPTED, Interrupts, leave

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


_WAITING = ("OMP_WAIT_POLICY", "PASSIVE")
"""Makes waiting threads of torch sleep. By default they spin. On a shared machine they then take the processor from the
thread that they wait for, and an epoch takes many times as long. Torch reads the variable when it is loaded, and
workers inherit it. Only a program that owns its process may set it.
Source: OpenMP API 5.2, section 21.1.8.
"""


def main() -> None:
    """Run `toyadmos` with the process's arguments and exit: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    _open_streams()
    os.environ.setdefault(*_WAITING)
    interrupts = Interrupts()
    sys.unraisablehook = functools.partial(_leave_if_interrupted, interrupts)
    try:
        interrupts.listen()
        from toyadmos_datasets.cli.main import start

        status = start(sys.argv[1:], interrupts)
    except KeyboardInterrupt:  # before or after the part that answers it, such as while Python still imports
        leave(interrupts)
    if status != EXIT_INTERRUPTED:  # else the interpreter waits for workers, though not for ever
        interrupts.end()
    sys.exit(status)


def _open_streams() -> None:
    """Open standard streams that were closed at the start, so that no file of ours takes their descriptors."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _leave_if_interrupted(interrupts: Interrupts, unraisable: UnraisableHookArgs) -> None:
    """Leave at a Ctrl-C that Python would only print, because it came in a destructor or a callback."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        leave(interrupts)
    sys.__unraisablehook__(unraisable)


__all__ = ["main"]
