"""Train and score every preset on prepared datasets, and write docs/results.md.

    python docs/results.py --work runs/results --corpus "simulated ToyTrain=data/simulated" --quick
    python docs/results.py --work runs/results --archives /data/toyadmos     the paper's experiment, on the archives

Runs that are done in the work folder are not made again, so that the script can be stopped and gone on with, and
called again with more corpora.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from toyadmos_datasets.baseline.evaluation import evaluate
from toyadmos_datasets.baseline.evaluations import (
    FRAME_SCORES_NAME,
    METRICS_NAME,
    evaluation_folders,
    find_evaluation,
    read_scores,
)
from toyadmos_datasets.baseline.trainer import train
from toyadmos_datasets.corpus.facts import PAPER_EXPERIMENTS
from toyadmos_datasets.jobs.prepare import PrepareOptions, prepare
from toyadmos_datasets.options.presets import PRESETS, Preset, changed
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import RenderOptions
from toyadmos_datasets.scores.metrics import auc
from toyadmos_datasets.values.manifest import read_manifest

QUICK: dict[str, dict[str, Any]] = {
    "paper": {"learning_rate": 1e-3, "batch_inputs": 128},
    "code": {"learning_rate": 1e-3, "batch_inputs": 128, "batch_clips": 0},
    "dcase2020": {},
}
"""What is changed with `--quick`, beside the epochs, so that a CPU manages a row in minutes; named in the table."""

QUICK_CLIPS = {"paper": 80, "code": 80, "dcase2020": 1500}
"""How many clips training passes over with `--quick`, each as often as there are epochs, which are at least two."""

PUBLISHED = """\
| | ToyCar | ToyConveyor | ToyTrain |
| --- | --- | --- | --- |
| paper, AUC as its code computes it (`waspaa2019`) | {car:.3f} | {conveyor:.3f} | {train:.3f} |
| DCASE 2020 baseline, AUC / pAUC (its own noise and split) | 0.801 / 0.672 | 0.727 / 0.607 | not in it |
| this package, on the true corpus | not run | not run | not run |
"""

COLUMNS = (
    "preset",
    "changed for speed",
    "noise",
    "AUC",
    "by the mean frame",
    "as published",
    "pAUC, McClish",
    "overlooked",
    "loudness alone",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trained and scored system."""

    corpus: str
    config: str
    preset: Preset
    metrics: dict[str, Any]
    auc_of_means: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--corpus", action="append", default=[], metavar="NAME=DIR", help="a prepared dataset")
    parser.add_argument("--archives", help="folder with the volumes or trees of the true corpus")
    parser.add_argument("--quick", action="store_true", help="few epochs, for a CPU")
    parser.add_argument("--note", action="append", default=[], help="a paragraph on what the corpora are")
    parser.add_argument("--presets", default=",".join(PRESETS), help="some of them, with commas between")
    parser.add_argument("--done", action="store_true", help="train nothing, and write what is there")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.md"))
    arguments = parser.parse_args()
    corpora = dict(one.split("=", 1) for one in arguments.corpus)
    if arguments.archives:
        corpora |= dict(prepared(arguments.archives, arguments.work))
    rows = [row for name, place in corpora.items() for row in rows_of(name, Path(place), arguments)]
    arguments.out.write_text(page(rows, arguments.device, arguments.note), encoding="utf-8")


def prepared(source: str, work: Path) -> Iterator[tuple[str, str]]:
    """Prepare the paper's experiment for each toy."""
    for experiment in PAPER_EXPERIMENTS:
        options = PrepareOptions(
            plan=PlanOptions(toy=experiment.toy, protocols=("waspaa2019",)),
            render=RenderOptions(workers=os.cpu_count() or 1),
            source=source,
            out=work / "data" / experiment.toy,
            cache=work / "cache",
        )
        yield experiment.toy, str(prepare(options).out)


def rows_of(name: str, place: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    """Train and score every preset on every config of a dataset."""
    for preset in [PRESETS[one] for one in arguments.presets.split(",")]:
        for config in read_manifest(place).configs:
            system = quick(preset, place, config) if arguments.quick else preset
            out = arguments.work / name.replace(" ", "-") / f"{config}-{preset.name}-{system.epochs}"
            if not evaluation_folders(out):
                if arguments.done:
                    continue
                train(TrainOptions(dataset=place, out=out, config=config, preset=system, device=arguments.device))
                evaluate(EvaluateOptions(run=out, device=arguments.device))
            metrics = json.loads((find_evaluation(out) / METRICS_NAME).read_text(encoding="utf-8"))
            print(name, config, preset.name, shown(metrics["auc"]), flush=True)
            yield Row(corpus=name, config=config, preset=system, metrics=metrics, auc_of_means=auc_of_means(out))


def auc_of_means(run: Path) -> float:
    """Return the AUC where the mean of a clip's frames is its score, whatever the preset takes."""
    frames = pq.read_table(find_evaluation(run) / FRAME_SCORES_NAME)["frame_scores"].to_pylist()
    return auc(read_scores(run)["label"].to_numpy(), [float(np.mean(one)) for one in frames])


def quick(preset: Preset, place: Path, config: str) -> Preset:
    """Return a preset that is trained for minutes: fewer epochs, larger and more steps."""
    n_clips = sum(shard.n_rows for shard in read_manifest(place).configs[config]["train"])
    epochs = min(max(-(-QUICK_CLIPS[preset.name] // n_clips), 2), preset.epochs)
    return changed(preset, QUICK[preset.name] | {"epochs": epochs})


def shown(interval: dict[str, float]) -> str:
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def page(rows: list[Row], device: str, notes: list[str]) -> str:
    experiments = {one.toy.removeprefix("Toy").lower(): one.auc for one in PAPER_EXPERIMENTS}
    lines = [
        "# Results",
        "",
        "Written by [results.py](results.py). Intervals: 95 %. What each figure and its interval is:",
        "[baseline.md](baseline.md).",
        "",
        "## The true corpus",
        "",
        "**Nobody who works on this package could reach the archives: no row here is a result on ToyADMOS.** The",
        "published figures:",
        "",
        PUBLISHED.format(**experiments),
        "If you have the archives, fill the last row (200 epochs, a GPU is advisable) with",
        "",
        "    python docs/results.py --work runs/results --archives /data/toyadmos",
        "",
        "## What could be run here",
        "",
        f"{platform.machine()}, device {device}, one seed. With `--quick` the training is cut short as the table says;",
        "these rows show that the pipeline works and what it tells apart, not how good the systems are. A system that",
        "does not beat loudness (in its better direction) has shown nothing.",
        "Rows that are missing were not run. The published system takes a clip's largest frame as its score, DCASE's",
        "the mean; *by the mean frame* is the AUC of the same frames' mean, for comparison. Noise `waspaa2019` is the",
        "paper's experiment with its gains; a level in dB is the protocol `basic` at that SNR. The AUC as published is",
        "the AUC wherever there are at least as many anomalous as normal clips and no ties, as here.",
        *(line for note in notes for line in ("", *textwrap.wrap(note, 118))),
    ]
    for corpus in dict.fromkeys(row.corpus for row in rows):
        mine = [row for row in rows if row.corpus == corpus]
        first = mine[0].metrics
        lines += [
            "",
            f"### {corpus}",
            "",
            f"Test: {first['n_normal']} normal and {first['n_anomalous']} anomalous clips.",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"|{' --- |' * len(COLUMNS)}",
            *(line(row) for row in mine),
        ]
    return "\n".join(lines) + "\n"


def line(row: Row) -> str:
    found, default = row.metrics, PRESETS[row.preset.name]
    names = ("epochs", "learning_rate", "batch_inputs", "batch_clips")
    changes = [
        f"{name} {getattr(row.preset, name):g}" for name in names if getattr(row.preset, name) != getattr(default, name)
    ]
    snr = row.config.removeprefix("snr_").replace("minus_", "-").replace("db", " dB")
    cells = [
        row.preset.name,
        ", ".join(changes) or "none",
        snr,
        shown(found["auc"]),
        f"{row.auc_of_means:.3f}",
        f"{found['auc_as_published']['value']:.3f}",
        shown(found["pauc_mcclish"]),
        f"{found['share_overlooked']['value']:.0%}",
        f"{found['loudness']['auc']['value']:.3f}, {found['loudness']['verdict']}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
