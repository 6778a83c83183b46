"""What every test file stands on."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from baselines import NO_TORCH, SYSTEM
from hypothesis import settings
from loopback import Loopback, serving
from micro import MICRO
from preparing import hashes, options
from remote import Published, publish
from rewriting import Row, rewritten
from small import SMALL
from tiny import TinyCorpus, write_tree, write_volumes
from transferring import CONTENT, NAME, Fetching, fetching_from
from wording import (  # noqa: F401  # hooks are found by their names here
    pytest_collection_finish,
    pytest_runtest_call,
    pytest_runtest_logfinish,
)

from toyadmos_datasets.archives.remote import fetch_schedule as fetch_estimate
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.files.cache_folder import CACHE_VARIABLE
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.simulation import simulate, simulated_events

# A wall-clock limit an example would fail tests that sync files on a busy disk. Examples derive from the test's
# own name, so that a run in CI can be had again; `--hypothesis-profile=search` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("repeatable")


# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = (
    "benchmarks",
    "derivation_law",
    "baseline_read_back",
    "interruption",
    "commit",
    "mutations",
    "prepare_engines",
)
"""Files of tests that take a minute or two: they begin first, so that no process is left with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny simulated corpus, as a tree."""
    place = tmp_path_factory.mktemp("simulated") / "corpus"
    simulate("train", place, size="tiny", volumes=False)
    return place


@pytest.fixture
def micro(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a size that only tests have."""
    monkeypatch.setattr(simulated_events, "SIZES", {**simulated_events.SIZES, MICRO.name: MICRO})
    return MICRO.name


@pytest.fixture(scope="session")
def small_files() -> dict[str, bytes]:
    """The small corpus: member to its bytes."""
    return SMALL.files()


@pytest.fixture(scope="session")
def small_tree(tmp_path_factory: pytest.TempPathFactory, small_files: dict[str, bytes]) -> Path:
    """The small corpus as a tree."""
    return write_tree(small_files, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_volumes(tmp_path_factory: pytest.TempPathFactory, small_files: dict[str, bytes]) -> Path:
    """The small corpus as volumes."""
    return write_volumes(small_files, tmp_path_factory.mktemp("volumes"), n_blocks=4)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, small_volumes: Path) -> dict[str, str]:
    """What a run over `small_volumes` that nobody disturbs gives, by path and hash."""
    place = tmp_path_factory.mktemp("undisturbed")
    prepare(options(small_volumes, place, protocols=("basic",), snrs_db=(6.0,)))
    return hashes(place / "out")


@pytest.fixture
def without_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, with a cache in it, as if nothing were set."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv("TOYADMOS_SOURCE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A server on this machine that has the volume of `transferring`."""
    with serving({NAME: CONTENT}) as running:
        yield running


@pytest.fixture
def fetching(server: Loopback, tmp_path: Path) -> Iterator[Fetching]:
    """What brings that volume into its copy."""
    with fetching_from(server, tmp_path) as parts:
        yield parts


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset with the configs clean and snr_6db, from `source` beside it; tests that change it take a copy."""
    place = tmp_path_factory.mktemp("prepared")
    tree = write_tree(TinyCorpus(n_normal=8, n_noise=4).files(), place / "source")
    return prepare(options(tree, place, protocols=("basic",), snrs_db=(6.0,), out=place / "dataset")).out


@pytest.fixture
def copy(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared dataset, to be changed."""
    return Path(shutil.copytree(prepared, tmp_path / "dataset"))


@pytest.fixture(scope="session")
def rows_by_split(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """The rows of the prepared dataset, by ``config/split``."""
    seen: dict[str, list[Row]] = {}

    def look(here: str, rows: list[Row]) -> list[Row]:
        seen[here] = rows
        return rows

    rewritten(prepared, tmp_path_factory.mktemp("look") / "copy", look)
    return seen


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
    monkeypatch.setattr(fetch_estimate, "REQUEST_BYTES", 0)
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
    asked = options(Path("simulate:tiny"), place, protocols=("basic",), channels="1", out=place / "dataset")
    return prepare(asked).out


@pytest.fixture(scope="session")
def trained(simulated_train: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated run of the small autoencoder on `simulated_train`; tests that change it take a copy."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    torch.set_num_threads(1)  # so that a process of its own gives the same weights, on a busy machine in good time
    from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
    from toyadmos_datasets.runs.evaluation import evaluate
    from toyadmos_datasets.runs.trainer import train

    out = tmp_path_factory.mktemp("runs") / "run"
    train(TrainOptions(dataset=simulated_train, out=out, preset=SYSTEM, device="cpu"))
    evaluate(EvaluateOptions(run=out, device="cpu"))
    return out
