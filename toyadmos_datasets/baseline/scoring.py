"""Anomaly scores: of every frame, and of every clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.frames import frames_of
from toyadmos_datasets.baseline.presets import Preset
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.signal.logmel import FloatArray

_ROWS_A_STEP = 8192

Scores = npt.NDArray[np.float64]


def score(detector: Detector, clips: Any, preset: Preset | None = None) -> Scores:  # noqa: ANN401
    """Return the anomaly score of each clip, shape (n_clips,); more is more anomalous.

    Args:
        detector: What `fit` returned.
        clips: As for `fit`.
        preset: Another clip score than the detector's own.
    """
    chosen = preset or detector.preset
    return np.array([clip_score(errors, chosen) for errors in frame_scores(detector, clips)])


def frame_scores(detector: Detector, clips: Any, progress: Progress | None = None) -> list[FloatArray]:  # noqa: ANN401
    """Return the error of each input of each clip, one array a clip."""
    preset = detector.preset
    frames = frames_of(clips, preset)
    stacks = Stacks(frames, preset, detector.mean.device)
    was_training = detector.training
    detector.eval()
    found = []
    shown = progress or Quiet()
    with torch.inference_mode(), shown.stage("scoring", frames.n_clips, "clips") as done:
        for clip in range(frames.n_clips):
            rows = torch.from_numpy(frames.rows_of(clip, preset)).to(stacks.values.device)
            errors = [detector.errors(stacks, piece) for piece in rows.split(_ROWS_A_STEP)]
            found.append(torch.cat(errors).cpu().numpy())
            done(clip + 1)
    detector.train(was_training)
    return found


def clip_score(errors: FloatArray, preset: Preset) -> float:
    """Return the score of a clip from those of its frames: the largest, the mean or a quantile."""
    if preset.clip_score == "max":
        return float(errors.max())
    if preset.clip_score == "mean":
        return float(errors.mean(dtype=np.float64))
    return float(np.quantile(errors, preset.quantile))
