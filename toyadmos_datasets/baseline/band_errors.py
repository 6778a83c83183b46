"""The error of a detector by mel band: what the report draws as the residual."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.frames import frames_of
from toyadmos_datasets.baseline.reconstruction import reconstruction_of
from toyadmos_datasets.signal.logmel import FloatArray

_ROWS_A_STEP = 8192


def band_errors(detector: Detector, clips: Iterable[FloatArray]) -> FloatArray:
    """Return the squared error of each clip in each band, shape (n_clips, n_mels).

    It is the mean over all inputs of the clip and over their stacked frames, of the inputs as the model sees them:
    normalised, where the preset normalises. The mean over bands is the mean error of the clip's inputs.

    Args:
        detector: What `fit` returned.
        clips: Each of shape (n_samples,), full scale +-1, at the preset's rate.
    """
    preset = detector.preset
    frames = frames_of(clips, preset)
    stacks = Stacks(frames, preset, detector.mean.device)
    found = np.empty((frames.n_clips, preset.n_mels), np.float32)
    was_training = detector.training
    detector.eval()
    with torch.inference_mode():
        for clip in range(frames.n_clips):
            rows = torch.from_numpy(frames.rows_of(clip, preset)).to(stacks.values.device)
            total = sum(_summed(detector, stacks, piece) for piece in rows.split(_ROWS_A_STEP))
            found[clip] = total.cpu().numpy() / (len(rows) * len(preset.offsets))
    detector.train(was_training)
    return found


def _summed(detector: Detector, stacks: Stacks, rows: torch.Tensor) -> torch.Tensor:
    x = detector.inputs(stacks, rows)
    squared = (x - reconstruction_of(detector.model(x), x)).square().double()
    total: torch.Tensor = squared.view(-1, detector.preset.n_mels).sum(dim=0)
    return total
