"""Draw the pictures of README.md (the path of the data, spectrograms of what comes out) and of protocols.md.

pip install -c constraints.txt -e '.[docs]'
toyadmos prepare --toy train --source simulate --out data/demo
python docs/pictures.py data/demo docs/images
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import librosa
import matplotlib as mpl
import numpy as np
import soundfile

mpl.use("Agg")
import matplotlib.pyplot as plt

from toyadmos_datasets import load_dataset
from toyadmos_datasets.signal.activity import FRAME_S, find_activity
from toyadmos_datasets.simulation import simulate

STEPS = (
    ("archives", "record, volumes,\na tree, simulated:\nread in place"),
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
    with mpl.rc_context({"svg.hashsalt": "data-path"}):  # the same picture is the same file
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


def draw_activity(folder: Path) -> None:
    """Draw where the machine runs in a continuous recording of a simulated car and of a conveyor."""
    figure, all_axes = plt.subplots(2, 1, figsize=(10.4, 4.4), layout="constrained")
    for axes, toy in zip(all_axes, ("car", "conveyor"), strict=True):
        with tempfile.TemporaryDirectory() as corpus:
            simulate(toy, Path(corpus) / toy, size="small", volumes=False)
            path = min(Path(corpus).rglob("*_normal_CNT_ch1_*.wav"))
            samples, rate_hz = soundfile.read(path, dtype="int16")
        found = find_activity(samples, rate_hz)
        time_s = (np.arange(len(found.levels_db)) + 0.5) * FRAME_S
        axes.plot(time_s, found.levels_db, color=INK, lw=1.2, label="level of 0.1 s")
        for number, run in enumerate(found.runs / rate_hz):
            axes.axvspan(*run, color=ACCENT, alpha=0.18, label=None if number else "runs")
        lines = {"running": found.running_db, "on": found.on_db, "off": found.off_db, "quiet": found.quiet_db}
        for name, level_db in lines.items():
            if level_db is not None:
                axes.axhline(level_db, color=ACCENT, lw=0.9, ls="--" if name in {"on", "off"} else ":")
                above = "bottom" if name != "quiet" else "top"
                axes.annotate(name, (1.003, level_db), xycoords=("axes fraction", "data"), va=above, fontsize=8)
        axes.set(title=f"{toy}, simulated", xlabel="time, s", ylabel="level, dB", xlim=(0, len(samples) / rate_hz))
        axes.set_ylim(found.quiet_db - 12, found.levels_db.max() + 8)
        axes.legend(loc="lower left", fontsize=8)
    figure.savefig(folder / "activity.png", dpi=110)
    plt.close(figure)


def main() -> None:
    dataset, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    draw_path(folder)
    draw_spectrograms(dataset, folder)
    draw_activity(folder)


if __name__ == "__main__":
    main()
