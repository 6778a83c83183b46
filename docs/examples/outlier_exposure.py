"""Outlier exposure by machine: an autoencoder that reproduces one case of a toy, and must not reproduce the others.

    python docs/examples/outlier_exposure.py data/train --config clean --case 1 --epochs 50

The dataset needs several cases. Normal clips of the others stand for what is not normal for this one.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from toyadmos_datasets import load_dataset
from toyadmos_datasets.baseline import Batch, auc, chosen_preset, fit

MARGIN = 2.0
"""Error that an outlier should have at least; a normalised input that is not reproduced at all has about 1."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--case", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=50)
    chosen = parser.parse_args()
    splits = load_dataset(chosen.folder, chosen.config)
    settings = [f"epochs={chosen.epochs}", "offsets=[-2,-1,0,1,2]", "learning_rate=1e-3", "frame_error=mean"]
    is_own = torch.tensor(np.array(splits["train"]["case"]) == chosen.case)

    def loss(batch: Batch) -> torch.Tensor:
        """Return the error of this machine's inputs, and how far those of others are below the margin."""
        own = is_own.to(batch.clips.device)[batch.clips]
        return torch.where(own, batch.errors, torch.relu(MARGIN - batch.errors)).mean()

    detector = fit(splits["train"], chosen_preset("paper", settings), loss=loss)
    test = splits["test"].select(np.flatnonzero(np.array(splits["test"]["case"]) == chosen.case))
    print(f"case {chosen.case}: {int(is_own.sum())} clips of its own, {int((~is_own).sum())} outliers")
    print(f"AUC {auc(test['label'], detector.score(test)):.3f}")


if __name__ == "__main__":
    main()
