"""The result of every detector: one score per clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.signal.logmel import FloatArray

Scores: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScores:
    """The scores of some clips.

    Attributes:
        scores: Of each clip, shape (n_clips,); more is more anomalous.
        frame_scores: Of each input of each clip, one array a clip; None where a detector scores whole clips.
    """

    scores: Scores
    frame_scores: list[FloatArray] | None


class ClipDetector(Protocol):
    """What was learnt from normal clips, ready to score others."""

    @property
    def preset(self) -> Preset:
        """The system that it is one of."""
        ...

    @property
    def epochs_done(self) -> int:
        """Epochs that its weights have behind them; 0 where there are none."""
        ...

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that was learnt, by name."""
        ...

    def score(self, clips: Any) -> Scores:  # noqa: ANN401  # arrays, a datasets.Dataset, or Frames
        """Return the anomaly score of each clip, shape (n_clips,); more is more anomalous."""
        ...

    def scored(self, frames: Frames, *, how: Preset | None = None, progress: Progress | None = None) -> ClipScores:
        """Return the scores of clips with what they were made of.

        Args:
            frames: The clips.
            how: A preset with another clip score than the detector's own; see `with_clip_score`.
            progress: Is told how far it is.
        """
        ...

    def learn_residuals(self, *domains: Any) -> None:  # noqa: ANN401  # as for `score`
        """Learn how the residuals of normal clips vary, for the clip score ``selective-mahalanobis``.

        Raises:
            OptionError: It is no network, and has no residuals.
        """
        ...


def joined(errors: list[FloatArray], preset: Preset) -> ClipScores:
    """Return the scores of clips from those of their frames: the largest, the mean or a quantile.

    Raises:
        OptionError: A frame's score is NaN or infinite.
    """
    faults = [number for number, one in enumerate(errors) if not np.isfinite(one).all()]
    if faults:
        raise OptionError(
            "The model gave scores that are no numbers.",
            where=f"clip {faults[0]}",
            expected="finite scores of all frames",
            actual=f"NaN or infinities in {len(faults)} of {len(errors)} clips",
            remedy="Look at what the model returns; a lower learning_rate keeps a training from diverging.",
        )
    scores = np.array([_of_frames(one, preset) for one in errors])
    return ClipScores(scores=scores, frame_scores=errors)


def clip_score_name(preset: Preset) -> str:
    """Return how clip scores are made, for people."""
    return _NAMES[preset.clip_score if preset.is_network else preset.detector].format(preset.quantile)


_NAMES = {
    "max": "largest frame score",
    "mean": "mean frame score",
    "quantile": "{:g}-quantile of the frame scores",
    "selective-mahalanobis": "mean over frames of the Mahalanobis distance of the residual, squared",
    "knn": "distance to the nearest training clips",
    "mahalanobis": "Mahalanobis distance to the training clips",
    "gmm": "negative log likelihood under the mixture of the training clips",
}


def with_clip_score(preset: Preset, asked: Preset | None) -> Preset:
    """Return a preset with the requested clip score; a quantile counts only if the score uses it.

    Raises:
        OptionError: The system scores whole clips, so there are no frame scores to combine.
    """
    if asked is None:
        return preset
    if not preset.is_network:
        raise OptionError(
            "This system scores whole clips.",
            where="--clip-score",
            expected="a run of an autoencoder, whose frames are scored",
            actual=f"the detector {preset.detector}",
            remedy="Leave --clip-score out.",
        )
    quantile = asked.quantile if asked.clip_score == "quantile" else preset.quantile
    return replace(preset, clip_score=asked.clip_score, quantile=quantile)


def _of_frames(errors: FloatArray, preset: Preset) -> float:
    if preset.clip_score == "max":
        return float(errors.max())
    if preset.clip_score == "quantile":
        return float(np.quantile(errors, preset.quantile))
    return float(errors.mean(dtype=np.float64))
