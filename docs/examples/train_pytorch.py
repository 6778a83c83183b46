"""PyTorch: an autoencoder of log-mel frames; normal frames come back well, others do not.

    python docs/examples/train_pytorch.py data/train --config waspaa2019 --epochs 20

Stop it whenever you like: it goes on in the middle of the epoch, from `--state`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from toyadmos_datasets import torch_loader

N_MELS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--state", type=Path)
    chosen = parser.parse_args()
    loader = torch_loader(chosen.folder, chosen.config, "train", batch_size=8, features="logmel", num_workers=2)
    model = nn.Sequential(nn.BatchNorm1d(N_MELS), nn.Linear(N_MELS, 64), nn.ReLU(), nn.Linear(64, 8), nn.ReLU())
    model.extend([nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, N_MELS)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    if chosen.state and chosen.state.exists():
        kept = torch.load(chosen.state, weights_only=True)
        loader.load_state_dict(kept["loader"])
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
    while loader.epochs.epoch < chosen.epochs:  # each time round is an epoch, or what is left of one
        for batch in loader:
            loss = error_of(model, batch["logmel"]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if chosen.state:
                kept = {"loader": loader.state_dict(), "model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(kept, chosen.state)
    print(f"AUC {auc_of(model, chosen.folder, chosen.config):.3f}")


def error_of(model: nn.Module, logmel: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each clip, in the model's own normalised bands; shape (n_clips,)."""
    frames = logmel.reshape(-1, N_MELS)
    error = (model(frames) - model[0](frames).detach()) ** 2
    return error.mean(dim=1).reshape(len(logmel), -1).mean(dim=1)


def auc_of(model: nn.Module, folder: str, config: str | None) -> float:
    model.eval()
    scores, labels = [], []
    with torch.inference_mode():
        for batch in torch_loader(folder, config, "test", batch_size=8, features="logmel", shuffle=False):
            scores += error_of(model, batch["logmel"]).tolist()
            labels += batch["label"].tolist()
    return float(roc_auc_score(labels, scores))


if __name__ == "__main__":
    main()
