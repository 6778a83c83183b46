"""What every test file stands on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.plan import PlanOptions
from toyadmos_datasets.prepare import PrepareOptions, prepare
from toyadmos_datasets.render import RenderOptions
from toyadmos_datasets.simulate import simulate

# A wall-clock limit an example would fail tests that sync files on a busy disk. Examples derive from the test's
# own name, so that a run in CI can be had again; `--hypothesis-profile=search` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny simulated corpus, as a tree."""
    place = tmp_path_factory.mktemp("simulated") / "corpus"
    simulate("train", place, size="tiny", volumes=False)
    return place


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset with the configs clean and snr_6db, prepared once; tests that change it take a copy."""
    place = tmp_path_factory.mktemp("prepared")
    tree = write_tree(TinyCorpus(n_normal=8, n_noise=4).files(), place / "source")
    options = PrepareOptions(
        plan=PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0,)),
        render=RenderOptions(),
        source=str(tree),
        out=place / "dataset",
        cache=place / "cache",
    )
    return prepare(options).out
