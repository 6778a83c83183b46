"""`fit`: makes a detector from normal clips, for the system of any preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toyadmos_datasets.baseline.clip_scores import ClipDetector
from toyadmos_datasets.baseline.frames import frames_of
from toyadmos_datasets.baseline.statistics_detector import StatisticsDetector
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.installing import require_extra
from toyadmos_datasets.options.presets import PAPER, Preset

if TYPE_CHECKING:
    from torch import nn

    from toyadmos_datasets.baseline.reconstruction import LossFunction


def fit(
    clips: Any,  # noqa: ANN401  # arrays, a datasets.Dataset, or Frames
    preset: Preset = PAPER,
    *,
    model: nn.Module | None = None,
    loss: LossFunction | None = None,
    validation: Any = None,  # noqa: ANN401  # as clips
    patience: int = 10,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> ClipDetector:
    """Learn a system from normal clips.

    Args:
        clips: Mono arrays at the preset's rate, full scale +-1 or int16, or a `datasets.Dataset` with a column `audio`.
        preset: The system: features, detector, training and score.
        model: A module in the place of the preset's autoencoder: ``forward(x)`` takes and returns shape
            (n_batch, preset.n_inputs); of a tuple, the first counts.
        loss: What a step lowers, a function of `reconstruction.Batch`; by default the mean error of its inputs.
        validation: Normal clips that are not trained on: training stops `patience` epochs after their error was
            lowest, and the detector has the weights of then.
        patience: Epochs.
        seed: Of the autoencoder's start and the order of the inputs. The start of `model` is its own.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        progress: Is told steps, loss, rate and the time left.

    Returns:
        A detector, whose `score` takes other clips.

    Raises:
        OptionError: Clips, the model's outputs or the loss are not what they should be, or the training diverged.
        DatasetError: There are no clips, or one is too short.
    """
    frames = frames_of(clips, preset)
    if not preset.is_network:
        _require_no_training(model, loss, validation, preset)
        return StatisticsDetector.fitted(frames, preset, seed=seed)
    require_extra("train")
    from toyadmos_datasets.baseline.autoencoder import Autoencoder  # noqa: PLC0415  # needs torch
    from toyadmos_datasets.baseline.training_loop import EarlyStopping, begin, go_on  # noqa: PLC0415

    training = begin(model or Autoencoder.of(preset, seed=seed), frames, preset, seed=seed, device=device)
    training.loss = loss
    if validation is not None:
        if preset.validation_share:
            raise _refusal("validation", "clips of one's own, or a validation_share of the preset", "both")
        if patience < 1:
            raise _refusal("patience", "1 or more epochs", patience)
        training.stopping = EarlyStopping(frames=frames_of(validation, preset), patience=patience)
    go_on(training, frames, progress=progress)
    if preset.clip_score == "selective-mahalanobis":
        training.detector.learn_residuals(frames)
    return training.detector


def _require_no_training(model: object, loss: object, validation: object, preset: Preset) -> None:
    for name, one in (("model", model), ("loss", loss), ("validation", validation)):
        if one is not None:
            raise _refusal(name, f"none: the detector {preset.detector} trains no network", type(one).__name__)


def _refusal(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "An argument of fit cannot be used.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="Leave it out, or choose another preset: fit(clips, chosen_preset('paper'))",
    )
