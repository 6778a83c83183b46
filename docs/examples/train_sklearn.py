"""scikit-learn, without torch: how far a clip's mean spectrum lies from those of normal clips.

python docs/examples/train_sklearn.py data/train --config waspaa2019
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from toyadmos_datasets import load_dataset
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.signal.logmel import log_mel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    chosen = parser.parse_args()
    splits = load_dataset(chosen.folder, chosen.config)
    train, test = (np.stack([spectrum_of(row["audio"]) for row in splits[split]]) for split in ("train", "test"))
    model = make_pipeline(StandardScaler(), PCA(n_components=min(16, len(train) - 1))).fit(train)
    missed = test - model.inverse_transform(model.transform(test))
    scores = np.mean((missed / model[0].scale_) ** 2, axis=1)
    print(f"AUC {roc_auc_score(splits['test']['label'], scores):.3f}")


def spectrum_of(audio: dict[str, object]) -> np.ndarray:
    """Return the mean and the spread of each band over the clip, shape (256,)."""
    logmel = log_mel(audio["array"], LogMel(rate_hz=audio["sampling_rate"]))
    return np.concatenate([logmel.mean(axis=0), logmel.std(axis=0)])


if __name__ == "__main__":
    main()
