"""Training: the loop, and when it stops before its last epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toyadmos_datasets.baseline.detector import Detector, Stacks, device_named, n_trained_on
from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.baseline.reconstruction import (
    Batch,
    LossFunction,
    checked_loss,
    reconstruction_of,
    require_finite,
)
from toyadmos_datasets.baseline.training_progress import TrainingProgress
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.options.presets import PAPER, Preset, changed
from toyadmos_datasets.signal.randomness import derived_generator

_ROWS_A_PIECE = 8192


@dataclass(slots=True, kw_only=True)
class EarlyStopping:
    """Clips that are not trained on, and the weights that did best on them.

    Attributes:
        frames: Normal clips.
        patience: Epochs without a lower error after which to stop.
        best_epoch: Number of epochs after which the error was lowest.
        best_state: Weights then.
    """

    frames: Frames
    patience: int
    best_epoch: int = 0
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def is_over(self, detector: Detector) -> bool:
        """Measure the error of the validation clips, keep the weights if it is the lowest, and say whether to stop."""
        errors = detector.scored(self.frames, how=_MEAN).frame_scores
        error = float(np.concatenate(errors or []).mean(dtype=np.float64))
        is_lowest = error < min(detector.validation_history, default=np.inf)
        detector.validation_history.append(error)
        if is_lowest:
            self.best_epoch = len(detector.validation_history)
            self.best_state = {name: one.detach().clone() for name, one in detector.state_dict().items()}
        return len(detector.validation_history) - self.best_epoch >= self.patience


_MEAN = changed(PAPER, {"clip_score": "mean"})


@dataclass(slots=True, kw_only=True)
class Training:
    """A training that can be stopped after any epoch and gone on with.

    Attributes:
        detector: What is trained; `history` has the mean loss of every epoch done.
        optimiser: Adam, with its moments.
        seed: What the order of the inputs is derived from.
        loss: What a step lowers; None for the mean error of its inputs.
        stopping: When to stop before the last epoch; None for never.
    """

    detector: Detector
    optimiser: torch.optim.Optimizer
    seed: int
    loss: LossFunction | None = None
    stopping: EarlyStopping | None = None

    @property
    def epochs_done(self) -> int:
        """Epochs that are behind it."""
        return len(self.detector.history)


OnEpoch: TypeAlias = Callable[[Training, TrainingProgress], None]
"""Is called after each epoch, with what tells of it."""


def begin(model: nn.Module, frames: Frames, preset: Preset, *, seed: int, device: str) -> Training:
    """Set a training up, before its first epoch."""
    detector = Detector(model, preset)
    detector.learn_bands(frames)
    detector.to(device_named(device))
    optimiser = torch.optim.Adam(
        detector.parameters(),
        lr=preset.learning_rate,
        eps=preset.adam_epsilon,
        amsgrad=preset.is_amsgrad,
        weight_decay=preset.weight_decay,
        fused=True,  # one pass over the moments in place of several: a third of the time on a CPU
    )
    return Training(detector=detector, optimiser=optimiser, seed=seed)


def go_on(
    training: Training,
    frames: Frames,
    on_epoch: OnEpoch | None = None,
    progress: Progress | None = None,
    *,
    what: str = "training",
) -> None:
    """Train the epochs that are left.

    Args:
        training: What is trained; it has the epochs behind it that are done.
        frames: Of the clips that are trained on.
        on_epoch: Is called after each epoch.
        progress: Is told steps, loss, rate and the time left.
        what: What that is called.
    """
    detector, first = training.detector, training.epochs_done
    n_epochs, n_steps = detector.preset.epochs, steps_in_epoch(frames, detector.preset)
    stacks = Stacks(frames, detector.preset, detector.mean.device)
    detector.train()
    shown = progress or Quiet()
    with shown.stage(what, (n_epochs - first) * n_steps, "steps") as advance:
        told = TrainingProgress(progress=shown, advance=advance, n_epochs=n_epochs, n_steps=n_steps, first_epoch=first)
        for epoch in range(first, n_epochs):
            _epoch(training, stacks, frames, epoch, told)
            if on_epoch is not None:
                on_epoch(training, told)
            if training.stopping is not None and training.stopping.is_over(detector):
                break
    if training.stopping is not None and training.stopping.best_state:
        detector.load_state_dict(training.stopping.best_state)
    detector.eval()


def _epoch(training: Training, stacks: Stacks, frames: Frames, epoch: int, told: TrainingProgress) -> None:
    """Train an epoch, and add its mean loss to the history."""
    detector = training.detector
    preset = detector.preset
    for group in training.optimiser.param_groups:
        group["lr"] = preset.learning_rate_at(epoch)
    # The sum stays on the device: reading it every step would make the host wait for each.
    total, n_inputs = torch.zeros((), device=stacks.values.device), 0
    for number, rows in enumerate(batches(frames, preset, seed=training.seed, epoch=epoch), start=1):
        loss = _step(training, stacks, torch.from_numpy(rows).to(stacks.values.device))
        total += loss * len(rows)
        n_inputs += len(rows)
        told.step(epoch, number, lambda: float(total) / n_inputs)  # noqa: B023  # called at once or never
    mean = float(total) / n_inputs
    require_finite(mean, "loss", epoch)
    detector.history.append(mean)
    if preset.validation_share:
        detector.validation_history.append(_validation_loss(detector, stacks, frames))


def _validation_loss(detector: Detector, stacks: Stacks, frames: Frames) -> float:
    """Return the mean loss of the inputs that are not trained on."""
    rows = validation_rows(frames, detector.preset)
    detector.eval()
    with torch.inference_mode():
        pieces = torch.from_numpy(rows).to(stacks.values.device).split(_ROWS_A_PIECE)
        total = sum(float(detector.errors(stacks, piece).sum()) for piece in pieces)
    detector.train()
    return total / len(rows)


def validation_rows(frames: Frames, preset: Preset) -> npt.NDArray[np.int64]:
    """Return the rows that are not trained on: the last ones, or those of the last clips where clips are drawn.

    Raises:
        DatasetError: There are none.
    """
    if preset.batch_clips:
        clips = range(n_trained_on(frames.n_clips, preset), frames.n_clips)
        found = np.concatenate([np.empty(0, np.int64), *[frames.rows_of(clip, preset) for clip in clips]])
    else:
        rows = frames.rows(preset)
        found = rows[n_trained_on(len(rows), preset) :]
    if not len(found):
        raise DatasetError(
            "There is nothing to validate on.",
            where=f"validation_share={preset.validation_share}",
            expected="clips that are not trained on",
            actual=f"{frames.n_clips} clips in all",
            remedy="Train on more clips, or on all of them: --set validation_share=0",
        )
    return found


def _step(training: Training, stacks: Stacks, rows: Tensor) -> Tensor:
    loss = _loss(training, stacks, rows)
    training.optimiser.zero_grad()
    loss.backward()
    training.optimiser.step()
    return loss.detach()


def _loss(training: Training, stacks: Stacks, rows: Tensor) -> Tensor:
    detector = training.detector
    if training.loss is None:
        return detector.errors(stacks, rows).mean()
    x = detector.inputs(stacks, rows)
    output = detector.model(x)
    x_hat = reconstruction_of(output, x)
    errors = detector.squared_error(x, x_hat)
    return checked_loss(training.loss(Batch(x=x, x_hat=x_hat, output=output, errors=errors, clips=stacks.clips(rows))))


def batches(frames: Frames, preset: Preset, *, seed: int, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the rows of every step of an epoch, in an order that follows from seed and epoch alone.

    Of every k-th stack, each epoch begins with the next one, so that k epochs see all.
    """
    generator = derived_generator(seed, "order of training", epoch)
    if preset.batch_clips:
        order = generator.permutation(n_trained_on(frames.n_clips, preset))
        for start in range(0, len(order), preset.batch_clips):
            chosen = order[start : start + preset.batch_clips]
            yield np.concatenate([_every_kth(frames.rows_of(int(clip), preset), preset, epoch) for clip in chosen])
        return
    rows = frames.rows(preset)
    rows = generator.permutation(_every_kth(rows[: n_trained_on(len(rows), preset)], preset, epoch))
    for start in range(0, len(rows), preset.batch_inputs):
        piece = rows[start : start + preset.batch_inputs]
        if len(piece) > 1 or start == 0:  # a single input has no variance for batch normalisation
            yield piece


def _every_kth(rows: npt.NDArray[np.int64], preset: Preset, epoch: int) -> npt.NDArray[np.int64]:
    step = min(preset.every_kth_stack, len(rows))  # a short clip has one at least
    return rows[epoch % step :: step]


def steps_in_epoch(frames: Frames, preset: Preset) -> int:
    """Return how many steps the first epoch has; with every k-th stack others may have one fewer."""
    if preset.batch_clips:
        return -(-n_trained_on(frames.n_clips, preset) // preset.batch_clips)
    n_trained = n_trained_on(len(frames.rows(preset)), preset)
    n_whole, n_rest = divmod(-(-n_trained // preset.every_kth_stack), preset.batch_inputs)
    return max(n_whole + (n_rest > 1), 1)
