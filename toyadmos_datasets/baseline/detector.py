"""The steps between frames and a model: stacking, normalisation, and the error of each input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toyadmos_datasets.baseline.clip_scores import ClipScores, Scores, joined, with_clip_score
from toyadmos_datasets.baseline.frames import Frames, frames_of
from toyadmos_datasets.baseline.reconstruction import reconstruction_of
from toyadmos_datasets.baseline.residuals import ResidualCovariance
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.signal.logmel import FloatArray

_ROWS_A_PIECE = 1 << 16
_ROWS_A_STEP = 8192


class Detector(nn.Module):
    """A model with the normalisation that it was trained under.

    Args:
        model: Any module with ``forward(x) -> x_hat``, both of shape (n_batch, n_inputs); of a tuple, x_hat is the
            first.
        preset: How inputs are made and errors counted.

    Attributes:
        history: Mean loss of every epoch.
        validation_history: Mean error of the validation clips after every epoch; empty without such.
        covariances: Of the residuals of normal clips, for the clip score ``selective-mahalanobis``; one for each
            domain that `learn_residuals` was given.
    """

    def __init__(self, model: nn.Module, preset: Preset) -> None:
        super().__init__()
        self.model = model
        self.preset = preset
        self.history: list[float] = []
        self.validation_history: list[float] = []
        self.covariances: tuple[ResidualCovariance, ...] = ()
        self.register_buffer("mean", torch.zeros(preset.n_mels))
        self.register_buffer("variance", torch.ones(preset.n_mels))

    @property
    def epochs_done(self) -> int:
        """Epochs that the weights have behind them."""
        return len(self.history)

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return weights and normalisation, from whatever device, by name."""
        return as_arrays(self.state_dict())

    def learn_bands(self, frames: Frames) -> None:
        """Set mean and variance of each band from the training set, where the preset normalises by them."""
        if self.preset.normalisation != "bands":
            return
        n_mels, n_rows = self.preset.n_mels, n_trained_on(len(frames.values), self.preset)
        total, squares = np.zeros(n_mels), np.zeros(n_mels)
        for start in range(0, n_rows, _ROWS_A_PIECE):
            piece = frames.values[start : min(start + _ROWS_A_PIECE, n_rows)].astype(np.float64)
            total += piece.sum(axis=0)
            squares += (piece**2).sum(axis=0)
        mean = total / n_rows
        self.mean.copy_(torch.from_numpy(mean))
        self.variance.copy_(torch.from_numpy(squares / n_rows - mean**2))

    def inputs(self, stacks: Stacks, rows: Tensor) -> Tensor:
        """Return the normalised inputs around some frames, shape (n_rows, n_inputs)."""
        x = stacks.around(rows)
        if self.preset.normalisation != "none":
            mean, variance = self._statistics(stacks.values[rows])
            x = (x - mean) / torch.sqrt(variance + self.preset.batch_norm_epsilon)
        if self.preset.is_padded:
            x = x * stacks.is_inside(rows)[:, :, None]
        return x.flatten(1)

    def _statistics(self, current: Tensor) -> tuple[Tensor, Tensor]:
        if self.preset.normalisation == "bands" or not self.training:
            return self.mean, self.variance
        mean, variance = current.mean(dim=0), current.var(dim=0, correction=0)
        n = len(current)
        share = 1 - self.preset.batch_norm_momentum
        self.mean.lerp_(mean, share)
        self.variance.lerp_(variance * n / max(n - 1, 1), share)
        return mean, variance

    def errors(self, stacks: Stacks, rows: Tensor) -> Tensor:
        """Return the error of each input, ||x - x_hat||^2 over frames or values, shape (n_rows,)."""
        x = self.inputs(stacks, rows)
        return self.squared_error(x, reconstruction_of(self.model(x), x))

    def squared_error(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return the squared error of each input, over its frames or its values, shape (n_rows,)."""
        divisor = len(self.preset.offsets) if self.preset.frame_error == "sum" else self.preset.n_inputs
        squared: Tensor = (x - x_hat).square().sum(dim=1) / divisor
        return squared

    def score(self, clips: Any) -> Scores:  # noqa: ANN401  # arrays, a datasets.Dataset, or Frames
        """Return the anomaly score of each clip, shape (n_clips,); more is more anomalous.

        Args:
            clips: As for `fit`.

        Raises:
            OptionError: Clips or the model's outputs are not what the contract asks for.
        """
        return self.scored(frames_of(clips, self.preset)).scores

    def scored(self, frames: Frames, *, how: Preset | None = None, progress: Progress | None = None) -> ClipScores:
        """Return the scores of clips and of their frames.

        Args:
            frames: The clips.
            how: A preset with another clip score than the detector's own.
            progress: Is told how far it is.
        """
        preset = with_clip_score(self.preset, how)
        is_selective = preset.clip_score == "selective-mahalanobis"
        errors = self._of_clips(frames, self._distances if is_selective else self.errors, progress)
        return joined([one.cpu().numpy() for one in errors], preset)

    def residuals(self, clips: Any) -> list[FloatArray]:  # noqa: ANN401  # as for `score`
        """Return x - x_hat of each input of each clip, normalised; one array a clip, shape (n_inputs, n_values)."""
        found = self._of_clips(frames_of(clips, self.preset), self._residuals)
        return [one.cpu().numpy() for one in found]

    def learn_residuals(self, *domains: Any) -> None:  # noqa: ANN401  # as for `score`
        """Learn how the residuals of normal clips vary together, for the clip score ``selective-mahalanobis``.

        Args:
            domains: Normal clips, as for `score`; those of each domain by themselves, such as source and target.
        """
        found = []
        for clips in domains:
            learnt = ResidualCovariance(self.preset.n_mels, self.mean.device)
            # Added up clip by clip: the residuals of a training set are twenty times its frames.
            for residuals in self._of_clips(frames_of(clips, self.preset), self._residuals):
                learnt.add(residuals)
            found.append(learnt)
        self.covariances = tuple(found)

    def _residuals(self, stacks: Stacks, rows: Tensor) -> Tensor:
        x = self.inputs(stacks, rows)
        return x - reconstruction_of(self.model(x), x)

    def _distances(self, stacks: Stacks, rows: Tensor) -> Tensor:
        """Return the squared Mahalanobis distance of each input's residual: the least over the domains."""
        if not self.covariances:
            raise OptionError(
                "The residuals of normal clips are not known.",
                where="clip_score",
                expected="detector.learn_residuals(normal_clips) before",
                actual="selective-mahalanobis of a detector without",
                remedy="detector.learn_residuals(train), or fit with the clip score selective-mahalanobis",
            )
        residuals = self._residuals(stacks, rows)
        return torch.stack([one.squared_distances(residuals) for one in self.covariances]).amin(dim=0)

    def _of_clips(
        self, frames: Frames, measure: Callable[[Stacks, Tensor], Tensor], progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """Yield the measurements of the inputs of each clip, with the model in scoring mode."""
        stacks = Stacks(frames, self.preset, self.mean.device)
        was_training = self.training
        self.eval()
        with (progress or Quiet()).stage("scoring", frames.n_clips, "clips") as done:
            for clip in range(frames.n_clips):
                rows = torch.from_numpy(frames.rows_of(clip, self.preset)).to(stacks.values.device)
                with torch.inference_mode():
                    measured = torch.cat([measure(stacks, piece) for piece in rows.split(_ROWS_A_STEP)])
                yield measured
                done(clip + 1)
        self.train(was_training)


def as_arrays(tensors: Mapping[str, Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Return tensors, from whatever device, as arrays."""
    return {name: one.detach().cpu().numpy() for name, one in tensors.items()}


def n_trained_on(n: int, preset: Preset) -> int:
    """Return how many of some inputs, frames or clips are trained on: all but the last ones, which validate."""
    return max(int(n * (1 - preset.validation_share)), 1)


class Stacks:
    """The stacked frames of a set, on a device: views of one array where the stack is a stretch of it.

    Args:
        frames: The set.
        preset: Which frames are stacked.
        device: Where they live.
    """

    def __init__(self, frames: Frames, preset: Preset, device: torch.device) -> None:
        self.values = torch.from_numpy(frames.values).to(device)
        self.offsets = torch.tensor(preset.offsets, device=device)
        self._ends = torch.from_numpy(frames.bounds[1:]).to(device)
        lengths = np.diff(frames.bounds)
        self._is_padded = preset.is_padded
        if self._is_padded:
            self.starts = torch.from_numpy(np.repeat(frames.bounds[:-1], lengths)).to(device)
            self.ends = torch.from_numpy(np.repeat(frames.bounds[1:], lengths)).to(device)
        first, count = preset.offsets[0], len(preset.offsets)
        self._first = first
        is_stretch = not self._is_padded and preset.offsets == tuple(range(first, first + count))
        n_rows, n_mels = self.values.shape
        # A stack is a stretch of the array, and the next one begins a row later: one view has them all.
        self._view = (
            self.values.as_strided((n_rows - count + 1, count, n_mels), (n_mels, n_mels, 1)) if is_stretch else None
        )

    def around(self, rows: Tensor) -> Tensor:
        """Return the stack around each row, shape (n_rows, n_offsets, n_mels)."""
        if self._view is not None:
            return self._view[rows + self._first]
        places = rows[:, None] + self.offsets
        return self.values[places.clamp(0, len(self.values) - 1)]

    def clips(self, rows: Tensor) -> Tensor:
        """Return the number of the clip that each row is of, shape (n_rows,)."""
        return torch.bucketize(rows, self._ends, right=True)

    def is_inside(self, rows: Tensor) -> Tensor:
        """Whether each frame of each stack lies in its clip, shape (n_rows, n_offsets)."""
        places = rows[:, None] + self.offsets
        return (places >= self.starts[rows][:, None]) & (places < self.ends[rows][:, None])


def device_named(name: str) -> torch.device:
    """Find the device for ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        OptionError: There is no such device here.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(one for one in ("cuda", "mps", "cpu") if present[one])
    if not present.get(name, False):
        raise OptionError(
            "There is no such device here.",
            where="--device",
            expected=f"auto, {', '.join(one for one, is_there in present.items() if is_there)}",
            actual=name,
            remedy="Choose one of them: --device auto",
        )
    return torch.device(name)
