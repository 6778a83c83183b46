"""Noise reduction for reference: a Wiener filter, spectral subtraction, or delay-and-sum over the four microphones.

    toyadmos prepare --toy train --protocol basic --snr 0 --stems --out data/train
    python docs/examples/reduce_noise.py data/train --config snr_0db --method wiener --out enhanced
    toyadmos evaluate runs/wiener --enhanced enhanced --dataset data/train --config snr_0db

Delay-and-sum takes clips of several microphones: prepare with `--channels stack`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
from datasets import Dataset

from toyadmos_datasets import load_dataset
from toyadmos_datasets.signal.noise_reduction import delay_and_sum, noise_power, reduce_noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config")
    parser.add_argument("--method", choices=["wiener", "subtraction", "delay-and-sum"], default="wiener")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    splits = load_dataset(chosen.folder, chosen.config)
    noises = {} if chosen.method == "delay-and-sum" else noises_of(splits["train"])
    chosen.out.mkdir(parents=True, exist_ok=True)
    for row in splits["test"]:
        clip, rate_hz = row["audio"]["array"], row["audio"]["sampling_rate"]
        if chosen.method == "delay-and-sum":
            estimate = delay_and_sum(clip, rate_hz)
        else:
            estimate = reduce_noise(clip, noises[row["case"], row["channel"]], method=chosen.method)
        soundfile.write(chosen.out / row["audio"]["path"], estimate, rate_hz, format="WAV", subtype="FLOAT")
    print(f"{len(splits['test'])} clips enhanced")


def noises_of(train: Dataset) -> dict[tuple[int, int], np.ndarray]:
    """Return the mean power of the noise of the training split, by case and channel: the test's is not looked at."""
    powers: dict[tuple[int, int], list[np.ndarray]] = {}
    for row in train.select_columns(["case", "channel", "noise"]):
        powers.setdefault((row["case"], row["channel"]), []).append(noise_power(row["noise"]["array"]))
    return {place: np.mean(some, axis=0) for place, some in powers.items()}


if __name__ == "__main__":
    main()
