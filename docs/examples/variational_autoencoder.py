"""A variational autoencoder: a model that returns a tuple, and a loss of its own.

python docs/examples/variational_autoencoder.py data/train --config waspaa2019 --epochs 50
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from toyadmos_datasets import load_dataset
from toyadmos_datasets.baseline import Batch, auc, chosen_preset, fit

KL_WEIGHT = 1e-3


class VariationalAutoencoder(nn.Module):
    def __init__(self, n_inputs: int, n_units: int = 128, n_code: int = 16) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(n_inputs, n_units), nn.ReLU(), nn.Linear(n_units, 2 * n_code))
        self.decode = nn.Sequential(nn.Linear(n_code, n_units), nn.ReLU(), nn.Linear(n_units, n_inputs))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return x_hat, and mean and log variance of the code; scores are of the mean, without noise."""
        mean, log_variance = self.encode(x).chunk(2, dim=1)
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        return self.decode(mean + torch.exp(log_variance / 2) * noise), mean, log_variance


def loss(batch: Batch) -> torch.Tensor:
    """Return the error of the inputs, and the divergence of their codes from a standard normal distribution."""
    _, mean, log_variance = batch.output
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
    return (batch.errors + KL_WEIGHT * divergence).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--epochs", type=int, default=50)
    chosen = parser.parse_args()
    splits = load_dataset(chosen.folder, chosen.config)
    system = chosen_preset("paper", [f"epochs={chosen.epochs}", "offsets=[-2,-1,0,1,2]", "learning_rate=1e-3"])
    torch.manual_seed(0)
    detector = fit(splits["train"], system, model=VariationalAutoencoder(system.n_inputs), loss=loss)
    print(f"AUC {auc(splits['test']['label'], detector.score(splits['test'])):.3f}")


if __name__ == "__main__":
    main()
