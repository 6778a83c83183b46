"""The baseline on what protocols make beyond train and test of one channel: domains, draws, stacked microphones."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from baselines import NO_TORCH
from preparing import toyadmos
from tiny import TinyCorpus, write_tree

pytest.importorskip("torch", reason=NO_TORCH)

from wording import hold_printed

from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.presets import PAPER, changed
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import RenderOptions
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import METRICS_NAME, find_evaluation, read_scores
from toyadmos_datasets.runs.trainer import train
from toyadmos_datasets.scores.metrics import auc, harmonic_mean
from toyadmos_datasets.values.shards import open_split

SYSTEM = changed(PAPER, {"offsets": [-1, 0, 1], "n_units": 8, "n_hidden": 1, "n_code": 4, "epochs": 1})


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    corpus = TinyCorpus(cases=(1, 2), n_normal=8, n_anomalous=2, n_noise=4)
    return write_tree(corpus.files(), tmp_path_factory.mktemp("tree"))


def dataset_of(tree: Path, place: Path, **asked: object) -> Path:
    options = PrepareOptions(
        plan=PlanOptions(toy="ToyTrain", snrs_db=(0.0,), **asked),
        render=RenderOptions(),
        source=str(tree),
        out=place / "dataset",
        cache=tree / "cache",
    )
    return prepare(options).out


@pytest.fixture(scope="module")
def left_out(tree, baseline_cache, tmp_path_factory) -> Path:
    """Each case left out in turn, two noise draws of each event."""
    place = tmp_path_factory.mktemp("left-out")
    return dataset_of(tree, place, protocols=("leave-one-case-out",), n_draws=2, channels="1", adapt_events=2)


@pytest.fixture(scope="module")
def run(left_out, tmp_path_factory) -> Path:
    """A run that knows case 1."""
    out = tmp_path_factory.mktemp("run") / "case2"
    train(TrainOptions(dataset=left_out, out=out, config="leave_out_case2_snr_0db", preset=SYSTEM, device="cpu"))
    evaluate(EvaluateOptions(run=out, device="cpu"))
    return out


def test_where_a_case_is_left_out_each_domain_has_its_figures_and_they_are_joined(run):
    found = json.loads((find_evaluation(run) / METRICS_NAME).read_text())
    scores = read_scores(run)
    cases, labels, values = (scores[name].to_numpy() for name in ("case", "label", "score"))
    by_case = {case: auc(labels[cases == case], values[cases == case]) for case in (1, 2)}

    domains = {one["name"]: one["auc"]["value"] for one in found["groups"] if one["by"] == "domain"}
    assert json.loads((run / "run.json").read_text())["cases"] == [1]
    assert domains == {"source": pytest.approx(by_case[1]), "target": pytest.approx(by_case[2])}
    assert found["domains"]["auc"]["value"] == pytest.approx(harmonic_mean(list(by_case.values())))


def test_a_run_is_decided_at_a_threshold_of_its_calibration_clips(tree, baseline_cache, tmp_path, capsys):
    dataset = dataset_of(
        tree, tmp_path, protocols=("basic",), channels="1", validation_share=0.2, calibration_share=0.2
    )
    train(TrainOptions(dataset=dataset, out=tmp_path / "run", config="clean", preset=SYSTEM, device="cpu"))
    found = evaluate(EvaluateOptions(run=tmp_path / "run", device="cpu"))
    held_back, of_labels = found.summary.decisions
    elsewhere = evaluate(EvaluateOptions(run=tmp_path / "run", config="snr_0db", device="cpu"))

    n_calibration = open_split(dataset, "clean", "calibration").n_clips
    assert (held_back.threshold.origin, held_back.threshold.n_clips) == ("calibration", n_calibration)
    assert of_labels.threshold.value == found.summary.threshold
    assert elsewhere.summary.decisions[0].threshold == held_back.threshold
    hits = read_scores(tmp_path / "run", "clean").to_pylist()
    recalled = [row["score"] >= held_back.threshold.value for row in hits if row["label"]]
    assert held_back.recall.value == pytest.approx(np.mean(recalled))


def test_the_domains_are_told_on_the_command_line_and_in_the_report(run, tmp_path, capsys):
    evaluated = toyadmos(capsys, "evaluate", run, "--device", "cpu")
    reported = toyadmos(capsys, "report", run, "-o", tmp_path / "run.html")

    assert evaluated.status == reported.status == 0, evaluated.err + reported.err
    assert "AUC, harmonic mean of source and target domain" in evaluated.out
    assert "By domain, worst first" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_draws_of_one_event_are_one_event(run):
    found = json.loads((find_evaluation(run) / METRICS_NAME).read_text())
    scores = read_scores(run)

    assert set(scores["draw"].to_pylist()) == {0, 1}
    assert found["n_normal"] + found["n_anomalous"] == len(scores) == 2 * found["n_events"]


def test_scores_from_elsewhere_tell_draws_apart(run, left_out, tmp_path, capsys):
    rows = read_scores(run).select(["event_id", "draw", "score"]).to_pylist()
    for name, columns in (("told", ["event_id", "draw", "score"]), ("untold", ["event_id", "score"])):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *([row[column] for column in columns] for row in reversed(rows))])
    command = ("--dataset", left_out, "--config", "leave_out_case2_snr_0db")
    told = toyadmos(capsys, "evaluate", tmp_path / "run", "--scores", tmp_path / "told.csv", *command, "--json")
    untold = toyadmos(capsys, "evaluate", tmp_path / "no", "--scores", tmp_path / "untold.csv", *command)
    paired = toyadmos(capsys, "compare", run, tmp_path / "run", "--json")

    assert json.loads(told.out)["domains"] == json.loads((find_evaluation(run) / METRICS_NAME).read_text())["domains"]
    assert untold.status == 2
    hold_printed(untold.err)
    assert json.loads(paired.out)["pairs"][0]["differences"][0]["difference"]["value"] == 0


def test_a_report_of_the_dataset_counts_every_split(left_out, tmp_path, capsys):
    reported = toyadmos(capsys, "report", left_out, "-o", tmp_path / "data.html")

    assert reported.status == 0, reported.err
    page = (tmp_path / "data.html").read_text(encoding="utf-8")
    counted = [
        split for split in ("train", "adapt", "test") if re.search(rf">{split}</td>\s*<td[^>]*>normal</td>", page)
    ]
    assert counted == ["train", "adapt", "test"]


def test_stacked_microphones_are_averaged_as_the_mix_is(tree, tmp_path, baseline_cache):
    places = {}
    for channels in ("stack", "mix"):
        (tmp_path / channels).mkdir()
        places[channels] = dataset_of(tree, tmp_path / channels, protocols=("basic",), channels=channels, cases=(1,))
    stacked, mixed = (list(open_split(place, "clean", "test").rows()) for place in places.values())
    headroom = 10 ** ((mixed[0]["headroom_db"] - stacked[0]["headroom_db"]) / 20)

    assert len(stacked) == len(mixed) > 0
    for one, other in zip(stacked, mixed, strict=True):
        assert one["event_id"] == other["event_id"]
        mean, mix = decoded(one["audio"], 16_000), decoded(other["audio"], 16_000)
        np.testing.assert_allclose(mean * headroom, mix, atol=3 / 32768)
    train(TrainOptions(dataset=places["stack"], out=tmp_path / "run", config="clean", preset=SYSTEM, device="cpu"))
    assert evaluate(EvaluateOptions(run=tmp_path / "run", device="cpu")).summary.n_anomalous > 0
