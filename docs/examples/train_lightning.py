"""Lightning: the same autoencoder; Lightning keeps and restores the loader's place in its checkpoints.

python docs/examples/train_lightning.py data/train --config waspaa2019 --epochs 20
"""

from __future__ import annotations

import argparse
from typing import Any

import lightning
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from toyadmos_datasets import torch_loader

N_MELS = 128


class Autoencoder(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(N_MELS)
        self.code = nn.Sequential(nn.Linear(N_MELS, 64), nn.ReLU(), nn.Linear(64, 8), nn.ReLU())
        self.decode = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, N_MELS))

    def forward(self, logmel: torch.Tensor) -> torch.Tensor:
        """Return the error of each clip, shape (n_clips,)."""
        frames = self.norm(logmel.reshape(-1, N_MELS))
        error = (self.decode(self.code(frames)) - frames.detach()) ** 2
        return error.mean(dim=1).reshape(len(logmel), -1).mean(dim=1)

    def training_step(self, batch: dict[str, Any]) -> torch.Tensor:
        return self(batch["logmel"]).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    # The loader shares the rows between ranks by itself.
    trainer = lightning.Trainer(
        max_epochs=chosen.epochs, use_distributed_sampler=False, logger=False, enable_checkpointing=False
    )
    model = Autoencoder()
    options = {"batch_size": 8, "features": "logmel"}
    trainer.fit(model, torch_loader(chosen.folder, chosen.config, "train", **options))
    model.eval()
    scores, labels = [], []
    with torch.inference_mode():  # Trainer.predict would make the loader anew, with a sampler of its own
        for batch in torch_loader(chosen.folder, chosen.config, "test", shuffle=False, **options):
            scores += model(batch["logmel"]).tolist()
            labels += batch["label"].tolist()
    print(f"AUC {roc_auc_score(labels, scores):.3f}")


if __name__ == "__main__":
    main()
