"""The examples in docs/ run as they stand."""

from __future__ import annotations

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from preparing import options
from tiny import TinyCorpus, write_tree

from toyadmos_datasets import evaluate
from toyadmos_datasets.jobs.prepare import prepare

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"

NEEDED = {
    "train_pytorch.py": ["torch", "sklearn"],
    "train_lightning.py": ["torch", "sklearn", "lightning"],
    "train_keras.py": ["torch", "sklearn", "keras"],
    "train_sklearn.py": ["sklearn"],
    "prepare_in_python.py": [],
    "reduce_noise.py": [],
    "convolutional_autoencoder.py": ["torch"],
    "variational_autoencoder.py": ["torch"],
    "outlier_exposure.py": ["torch"],
    "knn_embeddings.py": ["torch", "sklearn"],
    "published_draws.py": [],
}

# What Lightning, Keras and torch warn of among themselves is no matter of ours.
pytestmark = [pytest.mark.usefixtures("datasets_cache"), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a script in this process, so that what it imports is imported once; return what it prints."""

    def as_main(script: str, *arguments: object) -> str:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out

    return as_main


@pytest.fixture(scope="module")
def machines(tmp_path_factory) -> Path:
    """A small dataset of two cases."""
    place = tmp_path_factory.mktemp("machines")
    tree = write_tree(TinyCorpus(cases=(1, 2), channels=(1,), n_normal=8, clip_s=0.5).files(), place / "source")
    return prepare(options(tree, place, protocols=("basic",), channels="1", cases=(1, 2), out=place / "dataset")).out


def require(script: str) -> None:
    missing = [module for module in NEEDED[script] if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: pip install '.[examples]'")


def auc_in(said: str) -> float:
    return float(re.search(r"AUC (\d\.\d+)", said)[1])


def test_every_example_has_a_test():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(NEEDED)


@pytest.mark.parametrize(("method", "channels"), [("wiener", "1"), ("subtraction", "1"), ("delay-and-sum", "stack")])
def test_noise_is_reduced_and_scored(prepared, run, tmp_path, method, channels):
    asked = {"protocols": ("basic",), "channels": channels, "snrs_db": (-6.0,), "stems": True}
    folder = prepare(options(prepared.parent / "source", tmp_path, cache=prepared.parent / "cache", **asked)).out
    said = run(
        "reduce_noise.py", folder, "--config", "snr_minus_6db", "--method", method, "--out", tmp_path / "enhanced"
    )
    (found,) = evaluate(tmp_path / "run", enhanced=tmp_path / "enhanced", dataset=folder, config="snr_minus_6db")

    assert said == f"{found.groups[0].n_clips} clips enhanced\n"
    assert np.isfinite(found.groups[0].si_sdr_improvement_db.value)


@pytest.mark.parametrize("script", ["train_lightning.py", "train_keras.py", "train_sklearn.py"])
def test_an_example_trains_and_scores(prepared, run, script):
    require(script)
    said = run(script, prepared, *(["--epochs", 2] if "torch" in NEEDED[script] else []))

    assert 0 <= auc_in(said) <= 1


@pytest.mark.parametrize(
    "script",
    ["convolutional_autoencoder.py", "variational_autoencoder.py", "outlier_exposure.py", "knn_embeddings.py"],
)
def test_an_example_of_the_baseline_fits_and_scores(machines, run, script):
    require(script)
    said = run(script, machines, "--config", "clean", "--epochs", 2)

    assert 0 <= auc_in(said) <= 1


def test_the_example_of_outlier_exposure_takes_the_other_machines_as_outliers(machines, run):
    require("outlier_exposure.py")
    said = run("outlier_exposure.py", machines, "--config", "clean", "--case", 2, "--epochs", 1)

    own, outliers = map(int, re.search(r"case 2: (\d+) clips of its own, (\d+) outliers", said).groups())
    assert own == outliers > 0


def test_the_pytorch_example_trains_and_goes_on_from_its_state(prepared, run, tmp_path):
    require("train_pytorch.py")
    arguments = [prepared, "--epochs", 1, "--state", tmp_path / "state"]
    first = run("train_pytorch.py", *arguments)
    again = run("train_pytorch.py", *arguments)

    assert 0 <= auc_in(first) <= 1
    assert again == first
