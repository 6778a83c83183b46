"""What lies between frames and a model: stacking, normalising, and the error of each input."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import PAPER, Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm:
    """How layers are batch-normalised.

    Attributes:
        epsilon: What is added to the variance.
        momentum: Share of the running statistics that a step keeps.
    """

    epsilon: float
    momentum: float

    @classmethod
    def of(cls, preset: Preset) -> BatchNorm:
        """Return what a preset says."""
        return cls(epsilon=preset.batch_norm_epsilon, momentum=preset.batch_norm_momentum)


class Autoencoder(nn.Module):
    """Encoder E and decoder D, dense, mirror images of each other: x_hat = D(E(x)).

    Each has one input layer, `n_hidden` hidden layers and one output layer. Every layer but the decoder's last is
    followed by ReLU, and by batch normalisation before it where that is asked for.

    Args:
        n_inputs: Values in x: bands times stacked frames.
        n_units: Width of the layers.
        n_hidden: Hidden layers, each for E and D.
        n_code: Width of z.
        batch_norm: How to normalise before each ReLU; None for not at all.
    """

    def __init__(
        self,
        n_inputs: int,
        *,
        n_units: int = 512,
        n_hidden: int = 4,
        n_code: int = 128,
        batch_norm: BatchNorm | None = None,
    ) -> None:
        super().__init__()
        inner = [n_units] * (n_hidden + 1)
        self.encoder = _dense([n_inputs, *inner, n_code], batch_norm, is_last_linear=False)
        self.decoder = _dense([n_code, *inner, n_inputs], batch_norm, is_last_linear=True)

    @classmethod
    def of(cls, preset: Preset = PAPER, *, seed: int = 0) -> Autoencoder:
        """Build what a preset says, with the start that a seed gives."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(
                preset.n_inputs,
                n_units=preset.n_units,
                n_hidden=preset.n_hidden,
                n_code=preset.n_code,
                batch_norm=BatchNorm.of(preset) if preset.is_batch_normalised else None,
            )
            glorot = nn.init.xavier_normal_ if preset.start == "glorot_normal" else nn.init.xavier_uniform_
            for layer in model.modules():
                if isinstance(layer, nn.Linear):
                    glorot(layer.weight)
                    nn.init.zeros_(layer.bias)
        return model

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, shape (n_batch, n_inputs)."""
        return self.decoder(self.encoder(x))


def _dense(widths: list[int], batch_norm: BatchNorm | None, *, is_last_linear: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, (n_in, n_out) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(n_in, n_out))
        if is_last_linear and number == len(widths) - 2:
            break
        if batch_norm is not None:
            layers.append(nn.BatchNorm1d(n_out, eps=batch_norm.epsilon, momentum=1 - batch_norm.momentum))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


_ROWS_A_PIECE = 1 << 16


class Detector(nn.Module):
    """A model with the normalisation that it was trained under.

    Args:
        model: Any module with ``forward(x) -> x_hat``, both of shape (n_batch, n_inputs).
        preset: How inputs are made and errors counted.
    """

    def __init__(self, model: nn.Module, preset: Preset) -> None:
        super().__init__()
        self.model = model
        self.preset = preset
        self.history: list[float] = []
        self.validation_history: list[float] = []
        self.register_buffer("mean", torch.zeros(preset.n_mels))
        self.register_buffer("variance", torch.ones(preset.n_mels))

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
        divisor = len(self.preset.offsets) if self.preset.frame_error == "sum" else self.preset.n_inputs
        squared: Tensor = (x - self.model(x)).square().sum(dim=1) / divisor
        return squared


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
