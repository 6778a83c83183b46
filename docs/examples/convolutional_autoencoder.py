"""A convolutional autoencoder in the place of the dense one, with early stopping on clips that are not trained on.

python docs/examples/convolutional_autoencoder.py data/train --config waspaa2019 --epochs 50
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from toyadmos_datasets import load_dataset
from toyadmos_datasets.baseline import Preset, auc, chosen_preset, fit


class ConvolutionalAutoencoder(nn.Module):
    def __init__(self, system: Preset) -> None:
        super().__init__()
        self.shape = (1, len(system.offsets), system.n_mels)
        self.encode = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2, padding=1), nn.ReLU()
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x_hat; inputs come as vectors of frames times bands, and go back as such."""
        return self.decode(self.encode(x.reshape(-1, *self.shape))).reshape(x.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--epochs", type=int, default=50)
    chosen = parser.parse_args()
    splits = load_dataset(chosen.folder, chosen.config)
    # 8 frames: both sides of an input are halved twice.
    system = chosen_preset("paper", [f"epochs={chosen.epochs}", f"offsets={list(range(-4, 4))}", "learning_rate=1e-3"])
    parts = splits["train"].train_test_split(test_size=0.1, seed=0)
    model = ConvolutionalAutoencoder(system)
    detector = fit(parts["train"], system, model=model, validation=parts["test"], patience=5)
    print(f"stopped after {len(detector.history)} epochs")
    print(f"AUC {auc(splits['test']['label'], detector.score(splits['test'])):.3f}")


if __name__ == "__main__":
    main()
