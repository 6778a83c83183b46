"""Systems without a network: knn and mahalanobis on the statistics of clips, as a library and as runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutating import mutated_bytes
from preparing import toyadmos
from safetensors.numpy import load_file, save_file
from wording import hold_printed, refused

from toyadmos_datasets.baseline import KNN, MAHALANOBIS, auc, fit
from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.baseline.statistics_detector import clip_statistics
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.options.presets import PAPER, changed, chosen_preset
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import EVALUATIONS_NAME, find_evaluation, read_scores
from toyadmos_datasets.runs.run_folder import read_run
from toyadmos_datasets.runs.trainer import load_detector, train

GMM = changed(KNN, {"detector": "gmm", "n_components": 2})
SYSTEMS = {preset.detector: preset for preset in (KNN, MAHALANOBIS, GMM)}


def clips(n: int, *, seed: int = 0, tone: float = 0.0) -> list[np.ndarray]:
    """Return half-second clips of noise at 16 kHz, with or without a tone."""
    random, time_s = np.random.default_rng(seed), np.arange(8_000) / 16_000
    return [random.normal(0, 0.05, 8_000) + tone * np.sin(2 * np.pi * 1800 * time_s) for _ in range(n)]


@pytest.fixture(scope="module")
def runs(simulated_train, tmp_path_factory) -> dict[str, Path]:
    """An evaluated run of each system; tests that change one take a copy."""
    place = tmp_path_factory.mktemp("statistics")
    for name, preset in SYSTEMS.items():
        train(TrainOptions(dataset=simulated_train, out=place / name, preset=preset))
        evaluate(EvaluateOptions(run=place / name))
    return {name: place / name for name in SYSTEMS}


def test_the_statistics_are_mean_and_deviation_of_each_band_in_each_stretch():
    values = np.random.default_rng(0).normal(0, 1, (15, 128)).astype(np.float32)
    frames = Frames(values=values, bounds=np.array([0, 10, 15]))

    found = clip_statistics(frames, changed(KNN, {"n_stretches": 2}))

    of_first = [part for one in (values[:5], values[5:10]) for part in (one.mean(axis=0), one.std(axis=0))]
    assert found.shape == (2, 2 * 2 * 128)
    np.testing.assert_allclose(found[0], np.concatenate(of_first), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1][:128], values[10:13].mean(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("preset", SYSTEMS.values(), ids=SYSTEMS)
def test_what_was_not_trained_on_scores_higher(preset):
    detector = fit(clips(12), preset)
    scores = detector.score(clips(8, seed=1) + clips(8, seed=2, tone=0.02))

    assert scores.dtype == np.float64
    assert auc([0] * 8 + [1] * 8, scores) == 1


def test_the_nearest_clip_to_a_training_clip_is_itself():
    known = clips(5)

    assert fit(known, KNN).score(known) == pytest.approx(np.zeros(5), abs=1e-6)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_of_each_scores_as_the_library_does(runs, name, simulated_train):
    metrics = json.loads((find_evaluation(runs[name]) / "metrics.json").read_text())
    from_library = fit(_frames(simulated_train, "train"), SYSTEMS[name]).score(_frames(simulated_train, "test"))

    assert metrics["auc"]["value"] == pytest.approx(auc(read_scores(runs[name])["label"].to_numpy(), from_library))
    np.testing.assert_allclose(read_scores(runs[name])["score"].to_numpy(), from_library)
    assert not (find_evaluation(runs[name]) / "frame_scores.parquet").exists()
    assert set(read_run(runs[name]).versions) >= {"scikit-learn", "numpy"}


def _frames(folder: Path, split: str) -> Frames:
    from toyadmos_datasets.runs.feature_cache import featured  # noqa: PLC0415
    from toyadmos_datasets.values.shards import open_split  # noqa: PLC0415

    return featured(open_split(folder, "clean", split), KNN).frames


def test_a_run_has_the_settings_of_its_detector_and_no_others(runs):
    written = json.loads((runs["knn"] / "run.json").read_text())["preset"]

    assert {"n_mels", "n_stretches", "n_neighbours"} <= written.keys()
    assert not {"epochs", "n_units", "offsets", "clip_score", "n_components"} & written.keys()
    assert read_run(runs["knn"]).system == KNN


def test_the_same_tables_comparison_and_report(runs, simulated_train, tmp_path, capsys):
    again = toyadmos(capsys, "train", simulated_train, "--preset", "knn", "--out", runs["knn"])
    evaluated = toyadmos(capsys, "evaluate", runs["knn"])
    compared = toyadmos(capsys, "compare", runs["knn"], runs["mahalanobis"])
    reported = toyadmos(capsys, "report", runs["knn"], "-o", tmp_path / "knn.html")

    assert again.status == evaluated.status == compared.status == reported.status == 0
    assert "Nothing to do" in again.out
    assert "distance to the nearest training clips" in evaluated.out
    assert "distance to the nearest training clips" in (tmp_path / "knn.html").read_text(encoding="utf-8")


def test_no_torch_is_loaded_from_training_to_the_figures(simulated_train, tmp_path):
    code = f"""
import importlib.util, sys
class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from toyadmos_datasets.cli import main
for words in (["train", {str(simulated_train)!r}, "--preset", "knn", "--out", {str(tmp_path / "run")!r}],
              ["evaluate", {str(tmp_path / "run")!r}]):
    sys.argv = ["toyadmos", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / EVALUATIONS_NAME / "clean" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("evaluate", "--clip-score", "mean"), "--clip-score"),
        (("evaluate", "--clip-score", "selective-mahalanobis"), "--clip-score"),
        (("train", "--preset", "knn", "--device", "cuda"), "--device"),
        (("train", "--preset", "knn", "--set", "epochs=3"), "epochs"),
        (("train", "--preset", "paper", "--set", "n_neighbours=3"), "n_neighbours"),
        (("train", "--preset", "knn", "--set", "n_neighbours=1000"), "n_neighbours"),
    ],
)
def test_what_a_system_does_not_have_is_refused(runs, simulated_train, tmp_path, capsys, command, option):
    name, *asked = command
    places = [runs["knn"]] if name == "evaluate" else [simulated_train, "--out", tmp_path / "run"]
    ran = toyadmos(capsys, name, *places, *asked)

    assert ran.status == 2
    assert f"where:    {option}" in ran.err
    hold_printed(ran.err)


@pytest.mark.parametrize("argument", ["model", "loss", "validation"])
def test_arguments_that_only_networks_take_are_refused(argument):
    with refused(OptionError) as caught:
        fit(clips(3), KNN, **{argument: [1]})

    assert caught.value.where == argument


def test_a_clip_with_fewer_frames_than_stretches_is_refused():
    with pytest.raises(DatasetError) as caught:
        fit(clips(3), changed(KNN, {"n_stretches": 17}))

    assert caught.value.actual == "one of 16 frames"


def test_presets_of_files_may_be_of_clip_statistics(tmp_path):
    (tmp_path / "mine.toml").write_text('base = "knn"\nn_neighbours = 3\n')

    mine = chosen_preset(str(tmp_path / "mine.toml"), ["n_stretches=2"])

    assert (mine.detector, mine.n_neighbours, mine.n_stretches, mine.n_mels) == ("knn", 3, 2, 128)
    assert PAPER.detector == "autoencoder"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_weights_are_never_loaded(runs, tmp_path, data):
    run = tmp_path / "run"
    shutil.copytree(runs["mahalanobis"], run, dirs_exist_ok=True)
    whole = (runs["mahalanobis"] / "model.safetensors").read_bytes()
    content = data.draw(mutated_bytes(whole))
    (run / "model.safetensors").write_bytes(content)
    if content != whole:
        with pytest.raises(DatasetError) as caught:
            load_detector(run)

        assert caught.value.where == str(run / "model.safetensors")


CHANGES = {
    "another shape": ("knn", lambda one: one | {"scaling/mean": one["scaling/mean"][:-1].copy()}),
    "another type": ("knn", lambda one: one | {"scaling/mean": one["scaling/mean"].astype("f4")}),
    "one more": ("gmm", lambda one: one | {"surprise": np.zeros(3)}),
    "one less": ("mahalanobis", lambda one: {name: one[name] for name in one if name != "backend/precision"}),
    "no clips": ("knn", lambda one: one | {"backend/reference": np.zeros((0, 256))}),
    "no reference": ("knn", lambda one: one | {"backend/reference": np.float64(1)}),
    "NaN": ("mahalanobis", lambda one: one | {"backend/centre": np.full(256, np.nan)}),
    "a deviation of zero": ("knn", lambda one: one | {"scaling/deviation": np.zeros(256)}),
    "a negative variance": ("gmm", lambda one: one | {"backend/variances": np.full((2, 256), -1.0)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_weights_that_cannot_be_these_are_refused_whatever_their_hash(runs, tmp_path, name):
    system, change = CHANGES[name]
    run = Path(shutil.copytree(runs[system], tmp_path / "run"))
    path = run / "model.safetensors"
    save_file({key: np.asarray(one) for key, one in change(load_file(path)).items()}, path)
    history = json.loads((run / "history.json").read_text())
    (run / "history.json").write_text(json.dumps(history | {"weights_sha256": sha256_of(path)}))
    with refused(DatasetError) as caught:
        load_detector(run)

    assert caught.value.where == str(path)
