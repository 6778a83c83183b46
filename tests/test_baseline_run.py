"""Runs: trained, cut off, gone on with, evaluated, compared; as a library and by the command line."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from baselines import EVALUATION, NO_TORCH, SETTINGS, SYSTEM
from preparing import COMMAND, hashes, toyadmos

torch = pytest.importorskip("torch", reason=NO_TORCH)

from safetensors.torch import load_file
from wording import hold_printed, refused

from toyadmos_datasets.baseline import training_loop
from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import DatasetError, OutputConflictError
from toyadmos_datasets.files.installing import install_command
from toyadmos_datasets.options.presets import PAPER, changed
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.runs import evaluation, feature_cache, trainer
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import read_scores
from toyadmos_datasets.runs.trainer import load_detector, train
from toyadmos_datasets.scores.auc_intervals import auc_interval, placements_of
from toyadmos_datasets.values.shards import open_split


def test_the_autoencoder_separates_strong_damage(trained):
    metrics = json.loads((trained / EVALUATION / "metrics.json").read_text())

    assert metrics["auc"]["value"] > 0.9
    assert metrics["auc"]["low"] <= metrics["auc"]["value"] <= metrics["auc"]["high"]


def test_the_scores_have_a_row_for_every_clip_of_the_test_split(trained, simulated_train):
    scores = read_scores(trained)
    test = pq.read_table(next((simulated_train / "data/clean").glob("test-*.parquet")))

    assert scores["event_id"].to_pylist() == test["event_id"].to_pylist()
    assert scores["label"].to_pylist() == test["label"].to_pylist()
    assert {"condition", "channel", "case", "snr_db", "level_db", "score"} <= set(scores.column_names)
    frames = pq.read_table(trained / EVALUATION / "frame_scores.parquet")["frame_scores"].to_pylist()
    assert [max(one) for one in frames] == pytest.approx(scores["score"].to_pylist())


def test_the_selective_score_is_one_of_its_own_beside_the_presets(trained, tmp_path, capsys):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    ran = toyadmos(capsys, "evaluate", run, "--clip-score", "selective-mahalanobis", "--device", "cpu")

    assert ran.status == 0, ran.err
    own, selective = (read_scores(run, name)["score"].to_numpy() for name in ("clean", "clean+selective-mahalanobis"))
    place = run / "evaluations" / "clean+selective-mahalanobis"
    frames = pq.read_table(place / "frame_scores.parquet")["frame_scores"].to_pylist()
    np.testing.assert_allclose(selective, [np.mean(one) for one in frames], rtol=1e-5)
    assert not np.isin(selective, own).any()
    assert np.corrcoef(own, selective)[0, 1] < 0.999


def test_a_second_training_finds_everything_done(trained, simulated_train):
    weights = (trained / "model.safetensors").stat().st_mtime_ns

    report = train(TrainOptions(dataset=simulated_train, out=trained, preset=SYSTEM, device="cpu"))
    assert report.was_done
    assert (trained / "model.safetensors").stat().st_mtime_ns == weights


def test_another_system_does_not_go_into_the_same_folder(trained, simulated_train):
    with refused(OutputConflictError, "--out", "RUN2") as caught:
        train(TrainOptions(dataset=simulated_train, out=trained, preset=changed(SYSTEM, {"epochs": 2}), device="cpu"))

    assert caught.value.expected == "preset with epochs=2"
    assert caught.value.actual == f"preset with epochs={SYSTEM.epochs}"


def test_a_killed_training_goes_on_to_the_same_weights(trained, simulated_train, tmp_path, monkeypatch):
    out = tmp_path / "run"
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    command = [*COMMAND, "train", str(simulated_train), "--out", str(out), "--device", "cpu", *settings]
    slow = "import toyadmos_datasets.runs.network_run as t; t.CHECKPOINT_EVERY_S = 0.0\n"
    slow += "import toyadmos_datasets.baseline.training_loop as l, time\n"
    slow += "step = l._step\ndef late(*a):\n    time.sleep(0.02)\n    return step(*a)\nl._step = late\n"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", slow + command[2], *command[3:]], env=environment)
    while len(list(out.glob("checkpoints/epoch-*.json"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "model.safetensors").exists()
    newest = max((out / "checkpoints").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:1000])  # and the newest checkpoint is cut off

    detector = load_detector(out, device="cpu")
    report = train(TrainOptions(dataset=simulated_train, out=out, preset=SYSTEM, device="cpu"))

    assert len(detector.history) == report.n_resumed > 0
    mine, theirs = load_file(out / "model.safetensors"), load_file(trained / "model.safetensors")
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert report.losses == json.loads((trained / "history.json").read_text())["losses"]


def test_a_pickled_model_in_a_run_is_refused_and_never_executed(trained, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").write_bytes(pickle.dumps(Hostile()))

    with refused(DatasetError):
        load_detector(tmp_path / "run", device="cpu")
    assert not (tmp_path / "executed").exists()


def test_an_interrupted_training_leaves_a_run_that_can_be_scored(simulated_train, tmp_path, monkeypatch):
    step, n_steps = training_loop._step, []

    def interrupted(*arguments):
        n_steps.append(1)
        if len(n_steps) > 20:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(training_loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(dataset=simulated_train, out=tmp_path, preset=SYSTEM, device="cpu"))
    monkeypatch.undo()

    found = evaluate(EvaluateOptions(run=tmp_path, device="cpu"))

    assert found.summary.n_anomalous > 0
    assert 0 < found.evaluated.epochs_done < found.evaluated.epochs == SYSTEM.epochs
    assert found.evaluated.marks[0] == f"UNFINISHED: epoch {found.evaluated.epochs_done} of {SYSTEM.epochs}"


def test_identical_copies_are_not_separated(trained, simulated_train):
    """Normal clips scored again under the other label have the AUC of chance, and intervals of events cover it."""
    rows = [row for row in open_split(simulated_train, "clean", "test").rows() if row["label"] == 0]
    sounds = [decoded(row["audio"], PAPER.rate_hz) for row in rows]
    scores = load_detector(trained, device="cpu").score([*sounds, *sounds])
    labels, events = np.repeat([0, 1], len(rows)), np.arange(2 * len(rows)).astype(str)
    found = auc_interval(placements_of(labels, scores, events))

    assert len(set(scores)) == len(rows) > 1
    assert found.value == 0.5
    assert found.low < 0.5 < found.high


def test_scores_from_elsewhere_get_the_same_tables(trained, simulated_train, tmp_path, capsys):
    scores = read_scores(trained)
    lines = [f"{row['event_id']},{row['score']}" for row in scores.to_pylist()]
    (tmp_path / "theirs.csv").write_text("\n".join(["event_id,score", *reversed(lines)]))

    ran = toyadmos(
        capsys,
        "evaluate",
        tmp_path / "run",
        "--scores",
        tmp_path / "theirs.csv",
        "--dataset",
        simulated_train,
        "--json",
    )

    assert ran.status == 0, ran.err
    ours = json.loads((trained / EVALUATION / "metrics.json").read_text())
    theirs = json.loads(ran.out)
    assert {name: theirs[name] for name in ("auc", "pauc", "groups")} == {
        name: ours[name] for name in ("auc", "pauc", "groups")
    }


def test_scores_from_elsewhere_leave_a_run_that_was_trained_alone(trained, simulated_train, tmp_path, capsys):
    run = shutil.copytree(trained, tmp_path / "run")
    pq.write_table(read_scores(trained).select(["event_id", "score"]), tmp_path / "theirs.parquet")
    ran = toyadmos(capsys, "evaluate", run, "--scores", tmp_path / "theirs.parquet", "--dataset", simulated_train)

    assert ran.status == 1
    assert f"where:    {run}" in ran.err
    hold_printed(ran.err)
    assert hashes(run) == hashes(trained)


def test_scores_from_elsewhere_are_of_clips_already(simulated_train, tmp_path, capsys):
    asked = ["--scores", tmp_path / "theirs.csv", "--dataset", simulated_train, "--clip-score", "max"]
    ran = toyadmos(capsys, "evaluate", tmp_path / "run", *asked)

    assert ran.status == 2
    hold_printed(ran.err)


@pytest.mark.parametrize(("how", "said"), [("1.5", "more than 0 and less than 1"), ("most", "max, mean, quantile")])
def test_an_invalid_clip_score_is_refused(trained, capsys, how, said):
    ran = toyadmos(capsys, "evaluate", trained, "--clip-score", how)

    assert ran.status == 2
    assert said in ran.err
    assert f"actual:   {how}" in ran.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("event_id,score\nx,1\n", "none for"),
        ("clip,score\nx,1\n", "columns event_id and score"),
        ("event_id,score\nx,high\n", "numbers as scores"),
        ("", "CSV or Parquet"),
    ],
)
def test_scores_that_do_not_fit_are_refused(simulated_train, tmp_path, capsys, content, said):
    (tmp_path / "theirs.csv").write_text(content)

    ran = toyadmos(
        capsys, "evaluate", tmp_path / "run", "--scores", tmp_path / "theirs.csv", "--dataset", simulated_train
    )
    assert ran.status == 2
    assert said in ran.err
    hold_printed(ran.err)
    assert not (tmp_path / "run").exists()


def test_scores_of_unknown_clips_are_refused_by_name(trained, simulated_train, tmp_path, capsys):
    scores = read_scores(trained).select(["event_id", "score"])
    more = pa.table({"event_id": ["nobody", "x"], "score": [1.0, 2.0]})
    pq.write_table(pa.concat_tables([scores, more.cast(scores.schema)]), tmp_path / "theirs.parquet")
    asked = ["--scores", tmp_path / "theirs.parquet", "--dataset", simulated_train]
    ran = toyadmos(capsys, "evaluate", tmp_path / "run", *asked)

    assert ran.status == 2
    assert "2 others, as nobody" in ran.err
    assert not (tmp_path / "run").exists()


def test_a_test_split_of_one_class_is_refused_before_it_is_scored(trained, monkeypatch):
    real, before = evaluation.featured, hashes(trained)

    def normal(*arguments):
        found = real(*arguments)
        zeros = pa.array(np.zeros(len(found.rows), np.int64))
        return replace(found, rows=found.rows.set_column(found.rows.column_names.index("label"), "label", zeros))

    monkeypatch.setattr(evaluation, "featured", normal)
    with refused(DatasetError) as caught:
        evaluate(EvaluateOptions(run=trained, device="cpu"))

    assert caught.value.actual.endswith("normal and 0 anomalous clips")
    assert hashes(trained) == before


def test_a_score_that_is_no_number_is_refused_before_anything_is_written(trained, simulated_train, tmp_path, capsys):
    scores = read_scores(trained)
    nothing = pa.array([float("nan")] * len(scores))
    pq.write_table(pa.table({"event_id": scores["event_id"], "score": nothing}), tmp_path / "theirs.parquet")
    asked = ["--scores", tmp_path / "theirs.parquet", "--dataset", simulated_train]
    ran = toyadmos(capsys, "evaluate", tmp_path / "run", *asked)

    assert ran.status == 2
    assert "NaN" in ran.err
    assert not (tmp_path / "run").exists()


def test_train_and_evaluate_by_the_command_line(simulated_train, tmp_path, capsys):
    settings = ("--set", "epochs=1", "--set", "n_units=16", "--device", "cpu")
    trained = toyadmos(capsys, "train", simulated_train, "--config", "clean", "--out", tmp_path / "run", *settings)
    evaluated = toyadmos(capsys, "evaluate", tmp_path / "run", "--clip-score", "0.9", "--device", "cpu")

    assert trained.status == evaluated.status == 0, trained.err + evaluated.err
    assert "SIMULATED" in trained.out
    assert "0.9-quantile of the frame scores" in evaluated.out
    assert "AUC of loudness alone" in evaluated.out


def test_a_run_that_is_not_there_says_how_to_make_it(tmp_path, capsys):
    ran = toyadmos(capsys, "evaluate", tmp_path)

    assert ran.status == 1
    hold_printed(ran.err)
    assert "toyadmos train DIR --config NAME --out" in ran.err


def test_a_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    ran = toyadmos(capsys, "train", tmp_path, "--out", tmp_path / "run")

    assert ran.status == 1
    hold_printed(ran.err)
    assert install_command("train") in ran.err


def test_a_split_with_anomalous_clips_is_not_trained_on(simulated_train, tmp_path, monkeypatch):
    real = trainer.featured

    def swapped(split, preset, progress):
        return real(replace(split, split="test"), preset, progress)

    monkeypatch.setattr(trainer, "featured", swapped)
    with refused(DatasetError):
        train(TrainOptions(dataset=simulated_train, out=tmp_path / "run", preset=SYSTEM, device="cpu"))


def test_features_are_computed_once(simulated_train, tmp_path, monkeypatch):
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path))
    split = open_split(simulated_train, "clean", "train")
    first = feature_cache.featured(split, PAPER)
    monkeypatch.setattr(feature_cache, "log_mel", None)  # nothing is computed any more
    again = feature_cache.featured(split, changed(PAPER, {"n_units": 8}))

    assert isinstance(again.frames.values, np.memmap)
    np.testing.assert_array_equal(first.frames.values, again.frames.values)


@pytest.mark.parametrize("name", ["frames.float32", "bounds.npy", "rows.parquet", "checksums.json"])
def test_features_that_rot_in_the_cache_are_computed_again_and_said_once(simulated_train, tmp_path, monkeypatch, name):
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path))
    split = open_split(simulated_train, "clean", "test")
    before = feature_cache.featured(split, PAPER)
    expected = (np.array(before.frames.values), before.rows)
    (path,) = tmp_path.glob(f"features/*/{name}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    progress = Saying()

    found = feature_cache.featured(split, PAPER, progress)
    feature_cache.featured(split, PAPER, progress)

    assert np.array_equal(found.frames.values, expected[0])
    assert found.rows.equals(expected[1])
    assert len(progress.said) == 1
    assert str(path.parent) in progress.said[0]


class Saying(Quiet):
    """Progress that remembers what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Remember."""
        self.said.append(text)


def test_features_are_listed_and_cleaned_with_the_rest_of_the_cache(simulated_train, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path))
    feature_cache.featured(open_split(simulated_train, "clean", "train"), PAPER)
    listed = toyadmos(capsys, "cache", "--toy", "train", "--json")
    toyadmos(capsys, "cache", "--toy", "train", "--kind", "features", "--clean")

    (entry,) = json.loads(listed.out)["entries"]
    assert (entry["kind"], entry["toy"]) == ("features", "ToyTrain")
    assert not Path(entry["path"]).exists()


def test_what_the_docs_show_of_python_runs(simulated_train, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[1] / "docs" / "baseline.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    shown = code.replace('"data/train", "waspaa2019"', f"{str(simulated_train)!r}, 'clean'").replace(
        "epochs=20", "epochs=1"
    )
    assert shown.count("clean") == shown.count("epochs=1") == 1
    monkeypatch.chdir(tmp_path)
    exec(compile(shown, "docs/baseline.md", "exec"), {})  # noqa: S102  # our own page
    ran = toyadmos(
        capsys, "evaluate", tmp_path / "run", "--scores", tmp_path / "mine.csv", "--dataset", simulated_train
    )
    reported = toyadmos(capsys, "report", tmp_path / "run", "-o", tmp_path / "mine.html")

    assert ran.status == reported.status == 0, ran.err + reported.err
