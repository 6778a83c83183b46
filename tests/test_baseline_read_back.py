"""Run folders that were damaged: each file gives what was written or an error that names it, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from baselines import EVALUATION, NO_TORCH, SYSTEM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutating import mutated_bytes, mutated_json_bytes
from preparing import toyadmos

torch = pytest.importorskip("torch", reason=NO_TORCH)

from safetensors.torch import load_file, save_file
from wording import refused

from toyadmos_datasets.baseline.autoencoder import Autoencoder
from toyadmos_datasets.baseline.detector import Detector
from toyadmos_datasets.errors import DatasetError, OptionError, ToyAdmosError
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.reports.reported_run import read_evaluated
from toyadmos_datasets.runs.checkpoint import newest_checkpoint
from toyadmos_datasets.runs.comparison import compare
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import FRAME_SCORES_SCHEMA, read_metrics, read_scores
from toyadmos_datasets.runs.run_folder import read_history, read_run, read_table
from toyadmos_datasets.runs.trainer import load_detector

shortly = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

METRICS = f"{EVALUATION}/metrics.json"
READERS = {
    "run.json": read_run,
    "history.json": read_history,
    METRICS: lambda run: read_metrics(run / EVALUATION),
}


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.mark.parametrize("name", READERS)
@shortly
@given(data=st.data())
def test_a_mutated_file_of_a_run_is_valid_or_an_error_that_names_it(run, trained, name, data):
    content = data.draw(mutated_json_bytes(json.loads((trained / name).read_bytes())))
    (run / name).write_bytes(content)
    try:
        found = READERS[name](run)
    except DatasetError as error:
        refusal = error
    else:
        refusal = None
        assert type(found) is type(READERS[name](trained))
        if name == "run.json":
            assert found.preset is None or found.system.epochs >= 1

    assert refusal is None or (name in refusal.where and refusal.remedy)


@shortly
@given(data=st.data())
def test_mutated_weights_are_never_loaded(run, trained, data):
    whole = (trained / "model.safetensors").read_bytes()
    content = data.draw(mutated_bytes(whole))
    (run / "model.safetensors").write_bytes(content)
    if content != whole:
        with pytest.raises(DatasetError) as caught:
            load_detector(run, device="cpu")

        assert caught.value.where == str(run / "model.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights | {"mean": weights["mean"][:-1].clone()},
        lambda weights: weights | {"mean": weights["mean"].double()},
        lambda weights: weights | {"surprise": torch.zeros(3)},
        lambda weights: {name: one for name, one in weights.items() if name != "mean"},
    ],
    ids=["another shape", "another type", "one more", "one less"],
)
def test_weights_of_another_model_are_refused_whatever_their_hash(run, change):
    path = run / "model.safetensors"
    save_file(change(load_file(path)), path)
    history = json.loads((run / "history.json").read_text())
    (run / "history.json").write_text(json.dumps(history | {"weights_sha256": sha256_of(path)}))
    with refused(DatasetError) as caught:
        load_detector(run, device="cpu")

    assert caught.value.where == str(path)


def test_weights_that_are_larger_than_the_model_are_refused_before_they_are_read(run):
    path = run / "model.safetensors"
    with path.open("r+b") as file:
        file.truncate(4 << 30)
    with pytest.raises(DatasetError) as caught:
        load_detector(run, device="cpu")

    assert str(4 << 30) in caught.value.actual


def test_a_checkpoint_that_does_not_fit_is_passed_over_for_the_one_before(run):
    detector = Detector(Autoencoder.of(SYSTEM), SYSTEM)
    before, newest = sorted((run / "checkpoints").glob("epoch-*.json"))
    facts = json.loads(newest.read_text())
    n_epochs = len(newest_checkpoint(run, detector).history)
    weights = newest.with_suffix(".safetensors")
    tensors = load_file(weights)
    for changed in (
        {name: one for name, one in tensors.items() if "exp_avg_sq" not in name},
        tensors | {"optimiser/x/step": torch.zeros(())},
        tensors | {"model/mean": torch.zeros(1)},
    ):
        save_file(changed, weights)
        newest.write_text(json.dumps(facts | {"sha256": sha256_of(weights)}))

        assert len(newest_checkpoint(run, detector).history) == len(json.loads(before.read_text())["history"])
    assert n_epochs == len(facts["history"])


@shortly
@given(data=st.data())
def test_a_mutated_note_of_a_checkpoint_is_the_same_or_passed_over(run, trained, data):
    detector = Detector(Autoencoder.of(SYSTEM), SYSTEM)
    newest = max((trained / "checkpoints").glob("epoch-*.json"))
    content = data.draw(mutated_json_bytes(json.loads(newest.read_bytes())))
    (run / "checkpoints" / newest.name).write_bytes(content)
    found = newest_checkpoint(run, detector)

    assert found is not None
    assert all(isinstance(loss, float) for loss in found.history)


TABLES = {
    f"{EVALUATION}/scores.parquet": read_scores,
    f"{EVALUATION}/frame_scores.parquet": lambda run: read_table(
        run / EVALUATION, "frame_scores.parquet", FRAME_SCORES_SCHEMA
    ),
}


@pytest.mark.parametrize("name", TABLES)
@shortly
@given(data=st.data())
def test_a_mutated_table_of_scores_is_read_or_an_error_that_names_it(run, trained, name, data):
    (run / name).write_bytes(data.draw(mutated_bytes((trained / name).read_bytes())))
    refusal, table = None, None
    try:
        table = TABLES[name](run)
    except ToyAdmosError as error:
        refusal = error

    assert refusal is None or name in refusal.where
    assert table is None or table.column_names == TABLES[name](trained).column_names


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["event_id"]),
        lambda table: _with(table, "score", pa.array(["high"] * len(table))),
        lambda table: _with(table, "score", pa.array([float("nan")] * len(table))),
        lambda table: _with(table, "score", pa.nulls(len(table), pa.float64())),
        lambda table: _with(table, "label", pa.array([7] * len(table))),
        lambda table: _with(table, "damage", pa.array([[None]] * len(table), pa.list_(pa.string()))),
        lambda table: _with(table, "duration_s", pa.array([0.0] * len(table))),
        lambda table: table.slice(1),
        lambda table: table.slice(0, 0),
    ],
    ids=["no event", "text", "NaN", "nulls", "labels", "nameless parts", "no duration", "a row less", "no rows"],
)
def test_scores_of_wrong_types_ranges_or_clips_are_an_error_that_names_the_table(run, trained, tmp_path, change):
    pq.write_table(change(read_scores(trained)), run / EVALUATION / "scores.parquet")
    for read in (lambda: read_evaluated(run), lambda: compare(run, trained)):
        with pytest.raises(ToyAdmosError) as caught:
            read()

        assert str(run) in caught.value.where


@pytest.mark.parametrize("name", ["run.json", "history.json", METRICS, *TABLES])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schema_version": 2}', b"PAR1PAR1", b"\x00" * 64])
def test_no_command_is_surprised_by_a_damaged_run(run, capsys, name, content):
    (run / name).write_bytes(content)
    for command in (("report", run, "-o", run / "x.html"), ("compare", run, run), ("evaluate", run, "--device", "cpu")):
        ran = toyadmos(capsys, *command)

        assert "did not foresee" not in ran.err
        assert "Traceback" not in ran.err
        assert ran.status in {0, 1}
        if ran.status == 1:
            assert str(run) in ran.err


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_scores_of_gigabytes_from_elsewhere_are_refused_before_they_are_read(tmp_path, simulated_train, suffix):
    path = tmp_path / f"theirs{suffix}"
    with path.open("wb") as file:
        file.truncate(4 << 30)
    with pytest.raises(OptionError) as caught:
        evaluate(EvaluateOptions(run=tmp_path / "run", scores=path, dataset=simulated_train))

    assert str(4 << 30) in caught.value.actual
    assert not (tmp_path / "run").exists()
