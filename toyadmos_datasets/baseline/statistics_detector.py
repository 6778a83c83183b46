"""A detector without a network: the statistics of a clip's log-mel frames, compared with those of normal clips."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.clip_scores import ClipScores, Scores, with_clip_score
from toyadmos_datasets.baseline.embedding_backends import (
    Array,
    Backend,
    GaussianMixtures,
    Mahalanobis,
    Neighbours,
    Scaling,
    fit_backend,
)
from toyadmos_datasets.baseline.frames import Frames, frames_of
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.options.presets import PAPER, Preset


def clip_statistics(frames: Frames, preset: Preset) -> Array:
    """Return mean and deviation of every band over each stretch of each clip.

    Returns:
        Shape (n_clips, n_stretches * 2 * n_mels), float64: of the first stretch the means and then the deviations, of
        the second, and so on.
    """
    rows = []
    for start, end in zip(frames.bounds[:-1], frames.bounds[1:], strict=True):
        stretches = np.array_split(frames.values[start:end].astype(np.float64), preset.n_stretches)
        rows.append(np.concatenate([part for one in stretches for part in (one.mean(axis=0), one.std(axis=0))]))
    return np.stack(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsDetector:
    """Statistics of normal clips, and how far those of others lie from them.

    Attributes:
        preset: The system.
        scaling: What brings each statistic of the training set to mean 0 and deviation 1.
        backend: What is known of the training set.
    """

    preset: Preset
    scaling: Scaling
    backend: Backend

    @classmethod
    def fitted(cls, frames: Frames, preset: Preset, *, seed: int) -> StatisticsDetector:
        """Learn from the frames of normal clips.

        Raises:
            OptionError: There are fewer clips than neighbours or Gaussians.
        """
        statistics = clip_statistics(frames, preset)
        scaling = Scaling.learnt(statistics)
        backend = fit_backend(
            scaling.applied(statistics),
            preset.detector,
            n_neighbours=preset.n_neighbours,
            n_components=preset.n_components,
            seed=seed,
        )
        return cls(preset=preset, scaling=scaling, backend=backend)

    def score(self, clips: Any) -> Scores:  # noqa: ANN401  # arrays, a datasets.Dataset, or Frames
        """Return the anomaly score of each clip, shape (n_clips,); more is more anomalous."""
        return self.scored(frames_of(clips, self.preset)).scores

    def scored(self, frames: Frames, *, how: Preset | None = None, progress: Progress | None = None) -> ClipScores:
        """Return the scores of clips; whole ones are scored, so `how` must be the detector's own."""
        with_clip_score(self.preset, None if how == self.preset else how)
        with (progress or Quiet()).stage("scoring", frames.n_clips, "clips") as done:
            scores = self.backend.score(self.scaling.applied(clip_statistics(frames, self.preset)))
            done(frames.n_clips)
        return ClipScores(scores=scores, frame_scores=None)

    def learn_residuals(self, *domains: Any) -> None:  # noqa: ANN401, ARG002  # as for `score`
        """Refuse: nothing is reproduced, so nothing is left over.

        Raises:
            OptionError: Always.
        """
        with_clip_score(self.preset, PAPER)

    @property
    def epochs_done(self) -> int:
        """None."""
        return 0

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that was learnt, by name."""
        named = [("scaling", self.scaling), ("backend", self.backend)]
        return {
            f"{part}/{one.name}": getattr(value, one.name)
            for part, value in named
            for one in fields(value)  # type: ignore[arg-type]  # each backend is a dataclass
            if isinstance(getattr(value, one.name), np.ndarray)
        }

    @classmethod
    def of_arrays(cls, preset: Preset, arrays: dict[str, npt.NDArray[Any]]) -> StatisticsDetector:
        """Build a detector from what `as_arrays` gave, whose shapes were compared with `shapes_of`."""
        learnt = {name.removeprefix("backend/"): one for name, one in arrays.items() if name.startswith("backend/")}
        backend: Backend
        if preset.detector == "knn":
            backend = Neighbours(n_neighbours=preset.n_neighbours, **learnt)
        else:
            backend = (Mahalanobis if preset.detector == "mahalanobis" else GaussianMixtures)(**learnt)
        scaling = Scaling(mean=arrays["scaling/mean"], deviation=arrays["scaling/deviation"])
        return cls(preset=preset, scaling=scaling, backend=backend)


def shapes_of(preset: Preset, n_clips: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a detector that was fitted to so many clips has learnt, by name."""
    n_dims = preset.n_stretches * 2 * preset.n_mels
    n_components = preset.n_components
    own: dict[str, dict[str, tuple[int, ...]]] = {
        "knn": {"reference": (n_clips, n_dims)},
        "mahalanobis": {"centre": (n_dims,), "precision": (n_dims, n_dims)},
        "gmm": {"weights": (n_components,), "means": (n_components, n_dims), "variances": (n_components, n_dims)},
    }
    scaling = {"scaling/mean": (n_dims,), "scaling/deviation": (n_dims,)}
    return scaling | {f"backend/{name}": shape for name, shape in own[preset.detector].items()}
