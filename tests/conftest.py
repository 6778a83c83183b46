"""What every test file stands on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from baselines import NO_TORCH, SYSTEM
from hypothesis import settings
from loopback import Loopback, serving
from remote import Published, publish
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.archive.remote import estimate as estimate_module
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.files.cache import CACHE_VARIABLE
from toyadmos_datasets.plan import PlanOptions
from toyadmos_datasets.prepare import PrepareOptions, prepare
from toyadmos_datasets.render import RenderOptions
from toyadmos_datasets.simulate import simulate

# A wall-clock limit an example would fail tests that sync files on a busy disk. Examples derive from the test's
# own name, so that a run in CI can be had again; `--hypothesis-profile=search` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("repeatable")


# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny simulated corpus, as a tree."""
    place = tmp_path_factory.mktemp("simulated") / "corpus"
    simulate("train", place, size="tiny", volumes=False)
    return place


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset with the configs clean and snr_6db, from `source` beside it; tests that change it take a copy."""
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


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A tiny corpus as volumes that a server can give; no test changes it."""
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def volume_server(published: Published) -> Iterator[Loopback]:
    """A server that has the volumes of `published`."""
    with serving(published.files) as server:
        yield server


@pytest.fixture
def fetch_options(
    published: Published, volume_server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FetchOptions:
    """Fetch from `volume_server`, by bytes alone: the corpus is smaller than a request is worth."""
    monkeypatch.setattr(estimate_module, "REQUEST_BYTES", 0)
    return published.options(volume_server, tmp_path / "archives" / "tiny")


@pytest.fixture(scope="module")
def datasets_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give `datasets` a cache of its own, and no progress bars."""
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("datasets")
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", place)
        datasets.disable_progress_bars()
        yield place
        datasets.enable_progress_bars()


@pytest.fixture(scope="session")
def baseline_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep features out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("baseline-cache")))
        yield


@pytest.fixture(scope="session")
def simulated_train(baseline_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny simulated ToyTrain, clean."""
    place = tmp_path_factory.mktemp("simulated")
    options = PrepareOptions(
        plan=PlanOptions(toy="ToyTrain", protocols=("basic",), channels="1"),
        render=RenderOptions(),
        source="simulate:tiny",
        out=place / "dataset",
        cache=place / "cache",
    )
    return prepare(options).out


@pytest.fixture(scope="session")
def trained(simulated_train: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated run of the small autoencoder on `simulated_train`; tests that change it take a copy."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    torch.set_num_threads(1)  # so that a process of its own gives the same weights, on a busy machine in good time
    from toyadmos_datasets.baseline.evaluate import evaluate
    from toyadmos_datasets.baseline.trainer import TrainOptions, train

    out = tmp_path_factory.mktemp("runs") / "run"
    train(TrainOptions(dataset=simulated_train, out=out, preset=SYSTEM, device="cpu"))
    evaluate(out, device="cpu")
    return out
