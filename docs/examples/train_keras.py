"""Keras on its torch backend: the same autoencoder, from the same loader.

    python docs/examples/train_keras.py data/train --config waspaa2019 --epochs 20

With TensorFlow as the backend, `toyadmos_datasets.load_dataset(...).to_tf_dataset(...)` feeds it instead.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import torch
from sklearn.metrics import roc_auc_score

from toyadmos_datasets import torch_loader

N_MELS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    loader = torch_loader(chosen.folder, chosen.config, "train", batch_size=8, features="logmel")
    norm = keras.layers.Normalization()
    norm.adapt(torch.cat([frames_of(batch["logmel"]) for batch in loader]).numpy())
    widths = [64, 8, 64]
    hidden = [keras.layers.Dense(width, activation="relu") for width in widths]
    model = keras.Sequential([keras.Input((N_MELS,)), *hidden, keras.layers.Dense(N_MELS)])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    model.fit(pairs(loader, norm), steps_per_epoch=len(loader), epochs=chosen.epochs, verbose=0)
    scores, labels = [], []
    for batch in torch_loader(chosen.folder, chosen.config, "test", batch_size=8, features="logmel", shuffle=False):
        frames = norm(frames_of(batch["logmel"]))
        error = torch.mean((model(frames) - frames) ** 2, dim=1)
        scores += error.reshape(len(batch["label"]), -1).mean(dim=1).tolist()
        labels += batch["label"].tolist()
    print(f"AUC {roc_auc_score(labels, scores):.3f}")


def frames_of(logmel: torch.Tensor) -> torch.Tensor:
    return logmel.reshape(-1, N_MELS)


def pairs(loader: torch.utils.data.DataLoader, norm: keras.Layer) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give input and target for ever; every round of the loader is an epoch with an order of its own."""
    while True:
        for batch in loader:
            frames = norm(frames_of(batch["logmel"]))
            yield frames, frames


if __name__ == "__main__":
    main()
