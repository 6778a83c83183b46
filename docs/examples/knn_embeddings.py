"""Nearest neighbours of embeddings: the code of an autoencoder, averaged over a clip, in place of its error.

    python docs/examples/knn_embeddings.py data/train --config waspaa2019 --epochs 20

Embeddings of any other network go the same way: one vector a clip.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from toyadmos_datasets import load_dataset
from toyadmos_datasets.baseline import auc, chosen_preset, fit, score_embeddings, stacks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    splits = load_dataset(chosen.folder, chosen.config)
    # This preset normalises nothing before the network, so that its encoder takes the stacks as they are.
    system = chosen_preset("dcase2020", [f"epochs={chosen.epochs}"])
    detector = fit(splits["train"], system, device="cpu")

    def embedding(stacked: np.ndarray) -> np.ndarray:
        """Return the mean code of a clip, shape (n_code,)."""
        with torch.inference_mode():
            return detector.model.encoder(torch.tensor(stacked).flatten(1)).mean(dim=0).numpy()

    train, test = (np.stack([embedding(one) for one in stacks(splits[name], system)]) for name in ("train", "test"))
    labels = splits["test"]["label"]
    print(f"error of the network: {auc(labels, detector.score(splits['test'])):.3f}")
    for backend in ("mahalanobis", "gmm", "knn"):
        scores = score_embeddings(train, test, backend, n_components=2)
        print(f"{backend} of its codes: {auc(labels, scores):.3f}")
    print(f"AUC {auc(labels, scores):.3f}")


if __name__ == "__main__":
    main()
