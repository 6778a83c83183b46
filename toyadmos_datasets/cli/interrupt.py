"""Ctrl-C and SIGTERM: a line at once, and an end within seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130
INTERRUPTED = "Interrupted. What was finished is kept; the same command goes on from there."

GRACE_S = 6.0
"""So long a command may take to keep what it has; then the process ends all the same, as safely as by kill -9."""

SECOND_GRACE_S = 1.0
"""The same after a second signal."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows no other end


class Interrupts:
    """What is said and done when the user stops the program.

    The system hands each signal to a thread, since Python's own handlers wait for the main one, which may be in a
    decoder or in a matrix product.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._was_said = False
        self._has_ended = False

    def listen(self) -> None:
        """Hear signals from now on; only from the main thread."""
        heard, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGTERM, _raise_interrupt)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        threading.Thread(target=self._answer, args=(heard,), daemon=True).start()

    def say(self) -> None:
        """Say once that the program was interrupted."""
        with self._lock:
            if self._was_said:
                return
            progress = sys.modules.get("toyadmos_datasets.cli.terminal")  # importing it now would take its time
            with contextlib.suppress(OSError, ValueError):  # nobody listens any more
                if progress is not None and hasattr(progress, "say_above_bars"):
                    progress.say_above_bars(INTERRUPTED)
                else:
                    sys.stderr.write(f"{INTERRUPTED}\n")
                    sys.stderr.flush()
            self._was_said = True

    def end(self) -> None:
        """Let signals that come from now on end nothing: the command is done."""
        self._has_ended = True

    def _answer(self, heard: int) -> None:
        n_signals = 0
        while content := os.read(heard, 64):
            new = sum(number in _SIGNALS for number in content)
            if new and not self._has_ended:
                n_signals += new
                self.say()
                timer = threading.Timer(GRACE_S if n_signals == 1 else SECOND_GRACE_S, self._give_up)
                timer.daemon = True
                timer.start()

    def _give_up(self) -> None:
        if not self._has_ended:
            leave(self)


def leave(interrupts: Interrupts) -> NoReturn:
    """End this process and its workers now; files that were being written are whole or not there."""
    import multiprocessing

    interrupts.say()
    for child in multiprocessing.active_children():
        with contextlib.suppress(OSError, TypeError):  # it has ended, or never began
            os.kill(child.pid, _KILL)  # type: ignore[arg-type]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(EXIT_INTERRUPTED)


def _raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
