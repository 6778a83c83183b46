"""Train and score presets, and write docs/results.md; what earlier calls found is kept in docs/results.json.

    python docs/results.py --archives /data/toyadmos --work runs/results --seeds 3       the paper's experiment
    python docs/results.py --archives /data/toyadmos --work runs/results --toy car       one toy at a time
    python docs/results.py --corpus "simulated ToyTrain=data/simulated" --work runs/results --quick
    python docs/results.py                                                               write the page anew

The page is written after every run. A run that is done in the work folder is not trained again, so that the script can
be stopped and called again. A result replaces the earlier one of the same corpus, config, system and seed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from results_page import Result, page

from toyadmos_datasets.corpus.facts import PAPER_EXPERIMENTS
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import SourceError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.presets import PRESETS, Preset, changed
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import RenderOptions
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import (
    FRAME_SCORES_NAME,
    METRICS_NAME,
    evaluation_folders,
    find_evaluation,
    read_scores_of,
)
from toyadmos_datasets.runs.run_folder import read_run
from toyadmos_datasets.runs.trainer import train
from toyadmos_datasets.scores.metrics import auc
from toyadmos_datasets.values.manifest import read_manifest

QUICK: dict[str, dict[str, Any]] = {
    "paper": {"learning_rate": 1e-3, "batch_inputs": 128},
    "code": {"learning_rate": 1e-3, "batch_inputs": 128, "batch_clips": 0},
}
"""What is changed with `--quick`, beside the epochs, so that a CPU manages a row in minutes; named in the table."""

QUICK_CLIPS = {"paper": 80, "code": 80, "dcase2020": 1500}
"""How many clips training passes over with `--quick`, each as often as there are epochs, which are at least two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What is trained and scored on."""

    name: str
    dataset: Path
    is_true: bool


def main() -> None:
    arguments = parsed()
    data = arguments.out.with_suffix(".json")
    kept = [Result(**one) for one in json.loads(data.read_text())["results"]] if data.exists() else []
    notes = json.loads(data.read_text())["notes"] if data.exists() else {}
    notes |= dict(one.split("=", 1) for one in arguments.note)
    save(arguments.out, kept, notes)
    for corpus in corpora(arguments):
        for result in results_of(corpus, arguments):
            print(f"{result.corpus}, {result.config}, {result.system}, seed {result.seed}: AUC {result.auc[0]:.3f}")
            kept = [one for one in kept if one.key != result.key] + [result]
            save(arguments.out, kept, notes)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archives", help="folder with the volumes or trees of the true corpus")
    parser.add_argument("--toy", action="append", help="with --archives: only this toy; can be repeated")
    parser.add_argument("--corpus", action="append", default=[], metavar="NAME=DIR", help="a prepared dataset")
    parser.add_argument("--work", type=Path, default=Path("runs/results"), help="where datasets and runs are kept")
    parser.add_argument("--presets", default=",".join(PRESETS), help="some of them, with commas between")
    parser.add_argument("--configs", help="of a corpus: some of them, with commas between; by default all")
    parser.add_argument("--seeds", type=int, default=1, help="how many runs of each system, from seed 0")
    parser.add_argument("--quick", action="store_true", help="few epochs, for a CPU")
    parser.add_argument(
        "--note", action="append", default=[], metavar="NAME=TEXT", help="a paragraph about a corpus, kept with it"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.md"))
    return parser.parse_args()


def save(out: Path, results: list[Result], notes: dict[str, str]) -> None:
    """Write the results as data and as a page; the data first, and each whole or not at all."""
    data = json.dumps({"results": [asdict(one) for one in results], "notes": notes}, indent=1, ensure_ascii=False)
    for path, text in ((out.with_suffix(".json"), data + "\n"), (out, page(results, notes))):
        temporary = path.with_suffix(f".tmp{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def corpora(arguments: argparse.Namespace) -> Iterator[Corpus]:
    for one in arguments.corpus:
        name, _, place = one.partition("=")
        yield Corpus(name=name, dataset=Path(place), is_true=False)
    wanted = {toy_named(one).name for one in arguments.toy or []}
    for experiment in PAPER_EXPERIMENTS if arguments.archives else ():
        if not wanted or experiment.toy in wanted:
            try:
                yield prepared(experiment.toy, arguments)
            except SourceError as error:
                if wanted:
                    raise
                print(f"{experiment.toy} is left as it was: {error}", file=sys.stderr)


def prepared(toy: str, arguments: argparse.Namespace) -> Corpus:
    """Prepare the paper's experiment for a toy, unless that is done."""
    options = PrepareOptions(
        plan=PlanOptions(toy=toy, protocols=("waspaa2019",)),
        render=RenderOptions(workers=os.cpu_count() or 1),
        source=arguments.archives,
        out=arguments.work / "data" / toy,
        cache=arguments.work / "cache",
    )
    return Corpus(name=toy, dataset=prepare(options).out, is_true=True)


def results_of(corpus: Corpus, arguments: argparse.Namespace) -> Iterator[Result]:
    """Train and score every system on every config of a dataset, with every seed."""
    configs = arguments.configs.split(",") if arguments.configs else list(read_manifest(corpus.dataset).configs)
    for preset in [PRESETS[one] for one in arguments.presets.split(",")]:
        for config in configs:
            system = quick(preset, corpus.dataset, config) if arguments.quick else preset
            for seed in range(arguments.seeds):
                yield result_of(corpus, config, system, seed, arguments)


def result_of(corpus: Corpus, config: str, system: Preset, seed: int, arguments: argparse.Namespace) -> Result:
    recipe = read_manifest(corpus.dataset).recipe_sha256
    settings = "-".join([system.label.rstrip("*"), *(f"{name}={value}" for name, value in system.changes.items())])
    out = arguments.work / "runs" / f"{corpus.name.replace(' ', '-')}-{recipe[:8]}" / config / settings / f"seed-{seed}"
    if not evaluation_folders(out):
        device = arguments.device
        train(TrainOptions(dataset=corpus.dataset, out=out, config=config, preset=system, seed=seed, device=device))
        evaluate(EvaluateOptions(run=out, device=device))
    run, evaluation = read_run(out), find_evaluation(out)
    found = json.loads((evaluation / METRICS_NAME).read_text(encoding="utf-8"))
    return Result(
        corpus=corpus.name,
        is_true=corpus.is_true,
        config=config,
        system=system.name,
        changes=[f"{name} {value}" for name, value in system.changes.items()],
        seed=seed,
        n_normal=found["n_normal"],
        n_anomalous=found["n_anomalous"],
        auc=ends(found["auc"]),
        auc_of_means=auc_of_means(evaluation, found["auc"]["value"]),
        auc_as_published=found["auc_as_published"]["value"],
        pauc_mcclish=ends(found["pauc_mcclish"]),
        share_overlooked=found["share_overlooked"]["value"],
        auc_of_loudness=found["loudness"]["auc"]["value"],
        verdict=found["loudness"]["verdict"],
        recipe=recipe[:12],
        run=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {platform.machine()}, device {run.device}, "
        f"toyadmos-datasets {version('toyadmos-datasets')}",
        command=command(),
    )


def auc_of_means(evaluation: Path, own: float) -> float:
    """Return the AUC where the mean of a clip's frames is its score; its own where the system scores no frames."""
    if not (evaluation / FRAME_SCORES_NAME).exists():
        return own
    frames = pq.read_table(evaluation / FRAME_SCORES_NAME)["frame_scores"].to_pylist()
    return auc(read_scores_of(evaluation)["label"].to_numpy(), [float(np.mean(one)) for one in frames])


def command() -> str:
    """Return what was typed, without where the page is."""
    words = sys.argv[1:]
    kept = [one for at, one in enumerate(words) if one != "--out" and (not at or words[at - 1] != "--out")]
    return shlex.join(["python", "docs/results.py", *kept])


def ends(interval: dict[str, float]) -> list[float]:
    return [interval["value"], interval["low"], interval["high"]]


def quick(preset: Preset, place: Path, config: str) -> Preset:
    """Return a preset that is trained for minutes: fewer epochs, larger and more steps."""
    if preset.name not in QUICK_CLIPS:
        return preset
    n_clips = sum(shard.n_rows for shard in read_manifest(place).configs[config]["train"])
    epochs = min(max(-(-QUICK_CLIPS[preset.name] // n_clips), 2), preset.epochs)
    return changed(preset, QUICK.get(preset.name, {}) | {"epochs": epochs})


if __name__ == "__main__":
    main()
