"""How much memory do the features of many clips take, while they are computed and while they are trained on?

Method: a small prepared dataset whose training split gives its rows again and again, each with ten seconds of noise,
until there are as many clips as asked for. Since the sound is the same, its spectrum is computed once in each process:
more of them take time, and no more memory. For each number, features are made into a cache in one process; another
one trains the paper's autoencoder on them, an epoch of every 50th stack. Memory is looked at twenty times a second:
anonymous pages, of which only swap could rid the machine, and resident ones, among which are those of the features'
file that were read, which the system takes back when it wants them. Linux only.

    python benchmarks/training_memory.py                    1000 and 16 000 clips: five minutes, 2.6 GB of disk
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import print_heading
from process_tree import Peaks, peaks_of

from toyadmos_datasets.baseline.autoencoder import Autoencoder
from toyadmos_datasets.baseline.frames import log_mel
from toyadmos_datasets.baseline.training_loop import begin, go_on
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.presets import PAPER, Preset, changed
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import RenderOptions
from toyadmos_datasets.runs import feature_cache
from toyadmos_datasets.runs.feature_cache import featured
from toyadmos_datasets.signal.clip_codec import encode_clip
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.values.shards import SplitOfConfig, open_split

SYSTEM = changed(PAPER, {"epochs": 1, "every_kth_stack": 50})


class Repeated:
    """A split whose rows come again and again, each with the same sound; all else is the split's own."""

    def __init__(self, split: SplitOfConfig, n_clips: int, seconds: float) -> None:
        self._split, self.n_clips = split, n_clips
        noise = np.random.default_rng(0).normal(0, 0.05, (1, int(seconds * SYSTEM.rate_hz))).astype(np.float32)
        self._audio = {"bytes": encode_clip(noise, SYSTEM.rate_hz, "float32"), "path": None}

    def __getattr__(self, name: str) -> object:
        return getattr(self._split, name)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield as many rows as there are to be clips."""
        known = list(self._split.rows())
        for number in range(self.n_clips):
            yield known[number % len(known)] | {"audio": self._audio}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 16_000])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--smoke", action="store_true", help="a few clips of a second")
    parser.add_argument("--job", nargs=2, metavar=("JOB", "DIR"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.job:
        job, folder = chosen.job
        work(job, Path(folder), chosen.clips[0], chosen.seconds)
        return
    counts, seconds = ([4, 8], 1.0) if chosen.smoke else (chosen.clips, chosen.seconds)
    print_heading(f"Memory of features, clips of {seconds:g} s")
    with tempfile.TemporaryDirectory(dir=chosen.work) as folder:
        place = Path(folder)
        prepare(
            PrepareOptions(
                plan=PlanOptions(toy="train", protocols=("basic",), channels="1"),
                render=RenderOptions(workers=1),
                source="simulate:tiny",
                out=place / "dataset",
                cache=place / "cache",
            )
        )
        tell("one clip (what the process holds anyway)", peaks(place, "training", 1, seconds))
        for n_clips in counts:
            for job in ("features", "training"):
                tell(f"{n_clips} clips, {job}", peaks(place, job, n_clips, seconds))


def peaks(place: Path, job: str, n_clips: int, seconds: float) -> Peaks:
    """Do a job in a process and a cache of its own."""
    os.environ["TOYADMOS_CACHE"] = str(place / f"cache-{n_clips}")
    command = [sys.executable, __file__, "--job", job, str(place / "dataset")]
    return peaks_of([*command, "--clips", str(n_clips), "--seconds", str(seconds)])


def tell(what: str, found: Peaks) -> None:
    of = found.driver
    print(f"{what}: anonymous {of.anonymous / 1e6:.0f} MB, resident {of.rss / 1e6:.0f} MB, {found.wall_s:.0f} s")


def work(job: str, dataset: Path, n_clips: int, seconds: float) -> None:
    """Compute features, or train on them too."""
    split: Any = Repeated(open_split(dataset, "clean", "train"), n_clips, seconds)
    spectra: list[FloatArray] = []

    def once(mono: FloatArray, preset: Preset) -> FloatArray:
        if not spectra:
            spectra.append(log_mel(mono, preset))
        return spectra[0]

    feature_cache.log_mel = once  # type: ignore[assignment,attr-defined]  # as the docstring says
    frames = featured(split, SYSTEM).frames
    if job == "training":
        go_on(begin(Autoencoder.of(SYSTEM), frames, SYSTEM, seed=0, device="cpu"), frames)


if __name__ == "__main__":
    main()
