"""Many runs and evaluations side by side: seeds, configs, unfinished trainings, changed presets; CSV and LaTeX."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from baselines import EVALUATION, NO_TORCH, SETTINGS, SYSTEM
from preparing import toyadmos
from wording import hold_printed, refused

pytest.importorskip("torch", reason=NO_TORCH)

from toyadmos_datasets.errors import OptionError, OutputConflictError
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.runs.comparison import compare_runs
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import evaluation_folders, find_evaluation, read_metrics, read_scores
from toyadmos_datasets.runs.run_table import Spread, as_csv, as_latex, read_scored, runs_in, table_rows
from toyadmos_datasets.runs.trainer import train
from toyadmos_datasets.scores.metrics import auc


def with_seed(trained: Path, folder: Path, seed: int, **evaluated: object) -> Path:
    """A copy of a run as if it had another seed, with noise on its scores; and other facts of its evaluation."""
    shutil.copytree(trained, folder)
    for path, change in ((folder / "run.json", _seeded), (folder / EVALUATION / "metrics.json", _evaluated)):
        content = json.loads(path.read_text())
        change(content, seed, evaluated)
        path.write_text(json.dumps(content))
    table = read_scores(trained)
    noisy = table["score"].to_numpy() + np.random.default_rng(seed).normal(0, 100, len(table))
    column = table.schema.get_field_index("score")
    pq.write_table(table.set_column(column, "score", pa.array(noisy)), folder / EVALUATION / "scores.parquet")
    return folder


def _seeded(content, seed, _evaluated):
    content["seed"] = seed


def _evaluated(content, seed, evaluated):
    content["evaluated"] |= {"seed": seed} | evaluated


@pytest.fixture
def seeds(trained, tmp_path) -> Path:
    """A folder of three seeds."""
    for seed in (0, 2, 10):
        with_seed(trained, tmp_path / "runs" / f"seed-{seed}", seed)
    return tmp_path / "runs"


def test_a_folder_of_seeds_stands_for_its_runs_and_no_run_counts_twice(seeds, trained):
    found = runs_in([seeds, trained, trained, seeds / "seed-2"])

    assert [one.name for one in found] == ["seed-0", "seed-2", "seed-10", trained.name]


def test_seeds_of_one_system_are_one_row_with_their_spread(seeds):
    runs = runs_in([seeds])
    aucs = [auc(read_scores(run)["label"].to_numpy(), read_scores(run)["score"].to_numpy()) for run in runs]

    (row,) = table_rows(read_scored(runs))

    assert row.seeds == (0, 2, 10)
    assert row.auc.mean == pytest.approx(np.mean(aucs))
    assert row.auc.deviation == pytest.approx(np.std(aucs, ddof=1))
    assert (row.auc.low, row.auc.high) == (min(aucs), max(aucs))
    assert str(row.auc) == f"{np.mean(aucs):.3f} ± {np.std(aucs, ddof=1):.3f}"


def test_a_single_seed_has_no_spread():
    assert Spread.of([0.5]).deviation is None
    assert str(Spread.of([0.5])) == "0.500"


def test_the_table_as_csv_has_every_figure(seeds):
    rows = table_rows(read_scored(runs_in([seeds])))

    (found,) = csv.DictReader(as_csv(rows).splitlines())

    assert (found["toy"], found["config"], found["system"]) == ("ToyTrain", "clean", "paper*")
    assert (found["n_seeds"], found["seeds"]) == ("3", "0 2 10")
    assert float(found["auc_mean"]) == rows[0].auc.mean
    assert float(found["pauc_mcclish_deviation"]) == rows[0].pauc_mcclish.deviation
    assert "epochs=60" in found["marks"]


def test_the_table_as_latex_has_a_line_a_row_and_escapes_what_latex_would_read(seeds):
    text = as_latex(table_rows(read_scored(runs_in([seeds]))))

    (line,) = [one for one in text.splitlines() if one.startswith("ToyTrain")]
    assert line.count(" & ") == 7
    assert line.endswith(r" \\")
    assert "paper$^{*}$" in line
    assert r"$\pm$" in line
    assert r"n\_units=64" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_an_unfinished_training_is_another_row_and_named(seeds, trained, tmp_path, capsys):
    unfinished = with_seed(trained, tmp_path / "unfinished", 3, epochs_done=7)
    compared = toyadmos(capsys, "compare", trained, unfinished)
    reported = toyadmos(capsys, "report", unfinished, "-o", tmp_path / "run.html")

    assert compared.status == reported.status == 0, compared.err + reported.err
    assert "UNFINISHED: epoch 7 of 60" in compared.out
    assert "UNFINISHED: epoch 7 of 60" in (tmp_path / "run.html").read_text()
    assert [len(row.seeds) for row in compare_runs([seeds, unfinished]).rows] == [3, 1]


def test_a_changed_preset_is_marked_with_what_was_changed(trained, tmp_path, capsys):
    evaluated = read_metrics(trained / EVALUATION)
    reported = toyadmos(capsys, "report", trained, "-o", tmp_path / "run.html")

    assert reported.status == 0, reported.err
    assert evaluated.system == SYSTEM.label == "paper*"
    assert set(evaluated.changes) == {f"{name}={value}" for name, value in SETTINGS.items()}
    assert "paper*: " in (tmp_path / "run.html").read_text()


def test_the_first_run_is_compared_with_each_other(seeds, trained, tmp_path, capsys):
    asked = ("--json", "--csv", tmp_path / "t.csv", "--latex", tmp_path / "t.tex")
    ran = toyadmos(capsys, "compare", trained, seeds, *asked)

    found = json.loads(ran.out)
    assert [Path(one["run_b"]).name for one in found["pairs"]] == ["seed-0", "seed-2", "seed-10"]
    assert {one["run_a"] for one in found["pairs"]} == {str(trained)}
    assert (tmp_path / "t.csv").read_text().count("\n") == len(found["rows"]) + 1
    assert "tabular" in (tmp_path / "t.tex").read_text()


def test_a_page_of_several_runs_has_the_table_and_the_pairs(seeds, tmp_path, capsys):
    asked = ("-o", tmp_path / "runs.html", "--csv", tmp_path / "t.csv", "--latex", tmp_path / "t.tex")
    ran = toyadmos(capsys, "report", seeds, *asked)

    assert ran.status == 0, ran.err
    page = (tmp_path / "runs.html").read_text(encoding="utf-8")
    assert str(table_rows(read_scored(runs_in([seeds])))[0].auc) in page
    assert page.count("seed-") >= 4
    assert "SIMULATED" in page
    assert (tmp_path / "t.csv").exists()
    assert (tmp_path / "t.tex").exists()


def test_figures_for_papers_are_of_one_run(seeds, tmp_path, capsys):
    ran = toyadmos(capsys, "report", seeds, "-o", tmp_path / "r.html", "--figures", tmp_path / "figures")

    assert ran.status == 2
    hold_printed(ran.err)


def test_each_clip_score_is_an_evaluation_of_its_own(trained, tmp_path, capsys):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    before = (run / EVALUATION / "metrics.json").read_bytes()
    found = evaluate(EvaluateOptions(run=run, clip_score=SYSTEM, device="cpu"))
    ran = toyadmos(capsys, "evaluate", run, "--clip-score", "mean", "--device", "cpu")

    assert ran.status == 0, ran.err
    assert found.folder == run / EVALUATION
    assert (run / EVALUATION / "metrics.json").read_bytes() == before
    assert [one.name for one in evaluation_folders(run)] == ["clean", "clean+mean"]
    assert "clip_score=mean" in read_metrics(run / "evaluations/clean+mean").changes
    assert find_evaluation(run).name == find_evaluation(run, "clean").name == "clean"
    assert len(compare_runs([run]).rows) == 2


def test_other_scores_do_not_replace_an_evaluation_in_silence(trained, simulated_train, tmp_path):
    scores = read_scores(trained).select(["event_id", "score"])
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    pq.write_table(scores, first)
    pq.write_table(scores.set_column(1, "score", pa.array(range(len(scores)))), second)

    def asked(file: Path, *, overwrite: bool = False) -> EvaluateOptions:
        return EvaluateOptions(run=tmp_path / "run", scores=file, dataset=simulated_train, overwrite=overwrite)

    evaluate(asked(first))
    evaluate(asked(first))
    with refused(OutputConflictError, "--overwrite"):
        evaluate(asked(second))
    assert read_scores(tmp_path / "run")["score"].to_pylist() == scores["score"].to_pylist()

    evaluate(asked(second, overwrite=True))
    assert read_scores(tmp_path / "run")["score"].to_pylist() == list(range(len(scores)))


def test_train_makes_a_run_of_each_seed_and_the_other_commands_take_the_folder(simulated_train, tmp_path, capsys):
    settings = ("--set", "epochs=1", "--set", "n_units=8", "--set", "n_hidden=0", "--device", "cpu")
    out = tmp_path / "runs"
    trained = toyadmos(capsys, "train", simulated_train, "--out", out, "--seeds", "2", "--seed", "5", *settings)
    evaluated = toyadmos(capsys, "evaluate", out, "--device", "cpu", "--json")
    compared = toyadmos(capsys, "compare", out, "--json")

    assert trained.status == evaluated.status == compared.status == 0, trained.err + evaluated.err + compared.err
    assert {one.name for one in out.iterdir()} == {"seed-5", "seed-6"}
    assert "changed     n_hidden=0, n_units=8, epochs=1" in trained.out
    assert [one["evaluated"]["seed"] for one in json.loads(evaluated.out)["evaluations"]] == [5, 6]
    (row,) = json.loads(compared.out)["rows"]
    assert (row["seeds"], row["system"]) == ([5, 6], "paper*")


def test_several_seeds_are_not_one_run(simulated_train, tmp_path):
    with refused(OptionError, "--seeds"):
        train(TrainOptions(dataset=simulated_train, out=tmp_path / "run", seeds=2))
