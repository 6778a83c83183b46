"""What a training tells while it runs: steps, loss and rate, and the time left of the epoch and of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from toyadmos_datasets.engine.progress import Advance, Progress
from toyadmos_datasets.units import Seconds, format_duration

SHOWN_EVERY_S: Seconds = 0.5
"""Between two looks at the loss: a GPU has to finish its steps for each."""
FIRST_ESTIMATE_S: Seconds = 5.0
"""When the whole is estimated: the first steps, in which memory is allocated, count little by then."""
LINE_EVERY_S: Seconds = 60.0
"""Between two lines for logs, which show no bars; a checkpoint is one, too."""


@dataclass(slots=True, kw_only=True)
class TrainingProgress:
    """Tells somebody how far a training is.

    Attributes:
        progress: Shows it.
        advance: Draws a bar of the steps that are left.
        n_epochs: Of the whole training.
        n_steps: Of an epoch.
        first_epoch: That was not done yet when this began; the first is 0.
    """

    progress: Progress
    advance: Advance
    n_epochs: int
    n_steps: int
    first_epoch: int
    _start_s: Seconds = field(init=False)
    _next_look_s: Seconds = field(default=0.0, init=False)
    _next_line_s: Seconds = field(init=False)
    _is_estimated: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._start_s = time.monotonic()
        self._next_line_s = self._start_s + FIRST_ESTIMATE_S

    def step(self, epoch: int, n_done: int, loss: Callable[[], float]) -> None:
        """Tell that some steps of an epoch are done.

        Args:
            epoch: Which; the first is 0.
            n_done: Steps of it.
            loss: Gives its mean loss so far; called now and then.
        """
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + SHOWN_EVERY_S
        here = (epoch - self.first_epoch) * self.n_steps + n_done
        value = loss()  # a GPU has finished its steps after that
        rate = here / max(time.monotonic() - self._start_s, 1e-9)
        of_epoch = format_duration((self.n_steps - n_done) / rate)
        self.advance(here, f"epoch {epoch + 1}/{self.n_epochs}, {n_done}/{self.n_steps}, loss {value:.4g}, {of_epoch}")
        if now_s >= self._next_line_s:
            self._next_line_s = now_s + LINE_EVERY_S
            self._say(epoch, n_done, value, rate)

    def _say(self, epoch: int, n_done: int, loss: float, rate: float) -> None:
        if not self._is_estimated:
            self._is_estimated = True
            n_left = (self.n_epochs - self.first_epoch) * self.n_steps
            epochs = f"{self.n_epochs - self.first_epoch} epochs of {self.n_steps} steps"
            self.progress.say(f"{epochs} take about {format_duration(n_left / rate)}, at {rate:.3g} steps a second")
            return
        left = format_duration((self.n_steps - n_done) / rate)
        step = f"epoch {epoch + 1}, step {n_done} of {self.n_steps}: loss {loss:.4g}, {rate:.3g} steps a second"
        self.progress.say(f"{step}, {left} left of the epoch, {self._left(epoch, n_done, rate)} of the training")

    def epoch(self, n_done: int, loss: float) -> None:
        """Tell in a line that so many epochs are done, and what the last one's mean loss was."""
        here = (n_done - self.first_epoch) * self.n_steps
        rate = here / max(time.monotonic() - self._start_s, 1e-9)
        self.advance(here, f"epoch {n_done}/{self.n_epochs}, loss {loss:.4g}")
        left = f", {self._left(n_done, 0, rate)} left" if n_done < self.n_epochs else ""
        self.progress.say(f"epoch {n_done} of {self.n_epochs}: loss {loss:.4g}, {rate:.3g} steps a second{left}")
        self._is_estimated = True
        self._next_line_s = time.monotonic() + LINE_EVERY_S

    def _left(self, epoch: int, n_done: int, rate: float) -> str:
        return format_duration(((self.n_epochs - epoch) * self.n_steps - n_done) / rate)
