"""The covariance of the residuals of normal clips, and the distance of other clips from it."""

from __future__ import annotations

import torch
from torch import Tensor

from toyadmos_datasets.errors import OptionError

_RIDGE = 1e-6
"""Share of the mean variance that is added to each variance, so that a band that never varies has an inverse."""
_LEAST = 1e-12
"""What is added where nothing varies at all."""


class ResidualCovariance:
    """Covariance of x - x_hat over the bands, each stacked frame of each input a draw.

    Args:
        n_mels: Bands.
        device: Where residuals are.

    Source:
        The autoencoder baseline of DCASE 2023 task 2, Harada et al. 2023, "selective Mahalanobis". As its code does,
        an input counts as its frames, so that the covariance is one of bands. As its description does, a clip's score
        is the mean over frames of the distance; the code takes the distance of the clip's mean residual.
    """

    def __init__(self, n_mels: int, device: torch.device) -> None:
        self._n_mels = n_mels
        self._n = 0
        # Sums in double precision; Apple's GPUs have none, so they are kept by the CPU.
        self._device = torch.device("cpu") if device.type == "mps" else device
        self._sum = torch.zeros(n_mels, dtype=torch.float64, device=self._device)
        self._products = torch.zeros(n_mels, n_mels, dtype=torch.float64, device=self._device)
        self._precision: Tensor | None = None

    def add(self, residuals: Tensor) -> None:
        """Count the residuals of some inputs, shape (n_rows, n_inputs)."""
        frames = residuals.reshape(-1, self._n_mels).to(self._device).double()
        self._sum += frames.sum(dim=0)
        self._products += frames.T @ frames
        self._n += len(frames)
        self._precision = None

    @property
    def precision(self) -> Tensor:
        """Inverse of the covariance, shape (n_mels, n_mels), float64.

        Raises:
            OptionError: The residuals are too few, or NaN.
        """
        if self._precision is None:
            mean = self._sum / max(self._n, 1)
            covariance = (self._products - self._n * torch.outer(mean, mean)) / max(self._n - 1, 1)
            ridge = _RIDGE * float(covariance.diagonal().mean()) + _LEAST
            if self._n <= self._n_mels or not torch.isfinite(covariance).all():
                raise OptionError(
                    "The residuals have no covariance.",
                    where="learn_residuals",
                    expected=f"more than {self._n_mels} frames of finite residuals",
                    actual=f"{self._n} frames",
                    remedy="Give more normal clips, or another clip score: --clip-score mean",
                )
            self._precision = torch.linalg.inv(covariance + ridge * torch.eye(self._n_mels, device=self._device))
        return self._precision

    def squared_distances(self, residuals: Tensor) -> Tensor:
        """Return the mean over its frames of r' P r for each input, shape (n_rows,), float32.

        For residuals of mean 0 that vary like those that were learnt from, its mean is the number of bands.
        """
        frames = residuals.reshape(len(residuals), -1, self._n_mels).to(self._device).double()
        squared = torch.einsum("rfi,ij,rfj->rf", frames, self.precision, frames).mean(dim=1)
        return squared.to(dtype=residuals.dtype, device=residuals.device)
