"""Training: the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toyadmos_datasets.baseline.detector import Detector, Stacks, device_named, n_trained_on
from toyadmos_datasets.baseline.frames import Frames, frames_of
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.options.presets import PAPER, Preset
from toyadmos_datasets.signal.randomness import derived_generator

_ROWS_A_PIECE = 8192


@dataclass(slots=True, kw_only=True)
class Training:
    """A training that can be stopped after any epoch and gone on with.

    Attributes:
        detector: What is trained; `history` has the mean loss of every epoch done.
        optimiser: Adam, with its moments.
        seed: What the order of the inputs is derived from.
    """

    detector: Detector
    optimiser: torch.optim.Optimizer
    seed: int

    @property
    def epochs_done(self) -> int:
        """Epochs that are behind it."""
        return len(self.detector.history)


OnEpoch = Callable[[Training], None]


def fit(
    model: nn.Module,
    clips: Any,  # noqa: ANN401  # arrays, a datasets.Dataset, or Frames
    preset: Preset = PAPER,
    *,
    seed: int = 0,
    device: str = "auto",
) -> Detector:
    """Train a model to reproduce the inputs made of normal clips.

    Args:
        model: Any module with ``forward(x) -> x_hat``, both of shape (n_batch, preset.n_inputs).
        clips: Mono arrays at the preset's rate, or a `datasets.Dataset` with a column `audio`.
        preset: Features, optimiser and score.
        seed: Of the order of the inputs. The model's start is the model's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns:
        The trained model with the normalisation that belongs to it, for `score`.
    """
    frames = frames_of(clips, preset)
    training = begin(model, frames, preset, seed=seed, device=device)
    go_on(training, frames)
    return training.detector


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


def go_on(training: Training, frames: Frames, on_epoch: OnEpoch | None = None) -> None:
    """Train the epochs that are left, and tell after each."""
    detector = training.detector
    preset = detector.preset
    stacks = Stacks(frames, preset, detector.mean.device)
    detector.train()
    for epoch in range(training.epochs_done, preset.epochs):
        for group in training.optimiser.param_groups:
            group["lr"] = preset.learning_rate_at(epoch)
        # The sum stays on the device: reading it every step would make the host wait for each.
        total, n_inputs = torch.zeros((), device=stacks.values.device), 0
        for rows in batches(frames, preset, seed=training.seed, epoch=epoch):
            loss = _step(training, stacks, torch.from_numpy(rows).to(stacks.values.device))
            total += loss * len(rows)
            n_inputs += len(rows)
        detector.history.append(float(total) / n_inputs)
        if preset.validation_share:
            detector.validation_history.append(_validation_loss(detector, stacks, frames))
        if on_epoch is not None:
            on_epoch(training)
    detector.eval()


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
    loss = training.detector.errors(stacks, rows).mean()
    training.optimiser.zero_grad()
    loss.backward()
    training.optimiser.step()
    return loss.detach()


def batches(frames: Frames, preset: Preset, *, seed: int, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the rows of every step of an epoch, in an order that follows from seed and epoch alone."""
    generator = derived_generator(seed, "order of training", epoch)
    if preset.batch_clips:
        order = generator.permutation(n_trained_on(frames.n_clips, preset))
        for start in range(0, len(order), preset.batch_clips):
            chosen = order[start : start + preset.batch_clips]
            yield np.concatenate([frames.rows_of(int(clip), preset) for clip in chosen])
        return
    rows = frames.rows(preset)
    rows = generator.permutation(rows[: n_trained_on(len(rows), preset)])
    for start in range(0, len(rows), preset.batch_inputs):
        piece = rows[start : start + preset.batch_inputs]
        if len(piece) > 1 or start == 0:  # a single input has no variance for batch normalisation
            yield piece
