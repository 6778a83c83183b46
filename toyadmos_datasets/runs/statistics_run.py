"""A run of a system without a network: fitted in one step, written as the weights of others are."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.baseline.statistics_detector import StatisticsDetector, shapes_of
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.runs.run_folder import HISTORY_NAME, WEIGHTS_NAME, History, read_history
from toyadmos_datasets.runs.tensor_files import (
    damaged_tensors,
    packed,
    read_tensors,
    require_fitting,
    write_tensors,
)
from toyadmos_datasets.units import Bytes

_MOST_BYTES: Bytes = 1 << 31
"""A million clips of 256 statistics."""


def train_statistics(folder: Path, frames: Frames, preset: Preset, *, seed: int) -> StatisticsDetector:
    """Fit a detector and write it into a run's folder."""
    detector = StatisticsDetector.fitted(frames, preset, seed=seed)
    learnt = detector.as_arrays()
    history = History(losses=(), validation_losses=(), weights_sha256=hashlib.sha256(packed(learnt)).hexdigest())
    write_json(folder / HISTORY_NAME, asdict(history))
    write_tensors(folder / WEIGHTS_NAME, learnt)  # last: with it the run is done
    return detector


def load_statistics(folder: Path, preset: Preset) -> StatisticsDetector:
    """Load the detector of a run.

    Raises:
        DatasetError: There is none, or it is damaged or another one's.
    """
    path = folder / WEIGHTS_NAME
    learnt = read_tensors(path, read_history(folder).weights_sha256, _MOST_BYTES)
    reference = learnt.get("backend/reference")
    n_clips = len(reference) if reference is not None and reference.ndim else 0
    expected = {name: (shape, "float64") for name, shape in shapes_of(preset, n_clips).items()}
    require_fitting(learnt, expected, path)
    _require_usable(learnt, preset, n_clips, path)
    return StatisticsDetector.of_arrays(preset, learnt)


def _require_usable(learnt: dict[str, npt.NDArray[Any]], preset: Preset, n_clips: int, path: Path) -> None:
    if preset.detector == "knn" and n_clips < preset.n_neighbours:
        raise damaged_tensors(path, f"at least {preset.n_neighbours} clips", n_clips)
    for name, one in learnt.items():
        least = np.nextafter(0, 1) if name.endswith(("deviation", "variances")) else -np.inf
        if not (np.isfinite(one) & (one >= least)).all():
            raise damaged_tensors(path, "finite numbers, deviations and variances above 0", name)
