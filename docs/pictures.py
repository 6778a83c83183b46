"""Draw the pictures of README.md: the path of the data, and spectrograms of what comes out.

pip install -c constraints.txt -e '.[docs]'
toyadmos prepare --toy train --source simulate --out data/demo
python docs/pictures.py data/demo docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path

import librosa
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from toyadmos_datasets import load_dataset

STEPS = (
    ("archives", "volumes, a tree\nor simulated"),
    ("index", "a row for each\nrecording, from\nheaders alone"),
    ("recordings", "decoded once,\nchecked, 16 kHz,\nmemory-mapped"),
    ("recipe", "a row for each\nexample: the\nthing to share"),
    ("dataset", "Parquet shards,\ncard, manifest\nwith sha256"),
)
INK, PAPER, ACCENT = "#1b2733", "#ffffff", "#0b7a75"


def draw_path(folder: Path) -> None:
    """Draw what the data goes through, as SVG."""
    figure, axes = plt.subplots(figsize=(10.4, 2.0), facecolor=PAPER)
    axes.set(xlim=(0, 10.4), ylim=(0, 2), aspect="equal")
    axes.axis("off")
    for number, (name, text) in enumerate(STEPS):
        left = 0.1 + number * 2.1
        box = mpl.patches.FancyBboxPatch(
            (left, 0.25), 1.65, 1.5, boxstyle="round,pad=0,rounding_size=0.12", facecolor="#eef6f6", edgecolor=ACCENT
        )
        axes.add_patch(box)
        axes.text(left + 0.825, 1.45, name, ha="center", va="center", color=ACCENT, fontsize=11, weight="bold")
        axes.text(left + 0.825, 0.8, text, ha="center", va="center", color=INK, fontsize=8.5)
        if number:
            arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.4}
            axes.annotate("", xy=(left - 0.03, 1.0), xytext=(left - 0.42, 1.0), arrowprops=arrow)
    figure.savefig(folder / "data-path.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def draw_spectrograms(dataset: Path, folder: Path) -> None:
    """Draw log-mel spectrograms of a normal clip and of damaged ones."""
    test = load_dataset(str(dataset), split="test")
    conditions = list(dict.fromkeys(test["condition"]))
    shown = ["normal", *[one for one in conditions if one != "normal"]][:4]
    figure, all_axes = plt.subplots(1, len(shown), figsize=(10.4, 2.7), sharey=True, layout="constrained")
    for axes, condition in zip(all_axes, shown, strict=True):
        row = test[list(test["condition"]).index(condition)]
        audio = row["audio"]
        mel = librosa.feature.melspectrogram(
            y=audio["array"], sr=audio["sampling_rate"], n_fft=512, hop_length=256, n_mels=64
        )
        level = librosa.power_to_db(mel, ref=1.0)
        image = librosa.display.specshow(
            level, sr=audio["sampling_rate"], hop_length=256, x_axis="time", y_axis="mel", ax=axes, vmin=-60, vmax=20
        )
        damage = [f"{part.replace('_', ' ')}:\n{row[part].lower()}" for part in row["damaged_parts"]]
        axes.set_title("normal" if not damage else "\n".join(damage), fontsize=9)
        axes.set(xlabel="time, s", ylabel="frequency, Hz" if axes is all_axes[0] else "")
    figure.colorbar(image, ax=all_axes, label="dB", pad=0.01)
    figure.savefig(folder / "spectrograms.png", dpi=110)
    plt.close(figure)


def main() -> None:
    dataset, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    draw_path(folder)
    draw_spectrograms(dataset, folder)


if __name__ == "__main__":
    main()
