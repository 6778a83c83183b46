"""The network of the paper: an encoder and a decoder of dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

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
