"""A cache that several use and one cleans: who uses it is named, and who needs nothing new writes nothing."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from baselines import NO_TORCH
from preparing import COMMAND, hashes, listing, options, toyadmos, toyadmos_process
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import BusyError
from toyadmos_datasets.files.cache_folder import Lease, exclusive_lease, lease_path
from toyadmos_datasets.jobs import sources
from toyadmos_datasets.jobs.cache import list_cache, remove_entry
from toyadmos_datasets.jobs.prepare import prepare

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")

TOY = "ToyTrain"
NOBODY = 65534
CORPUS = TinyCorpus(n_normal=5, n_noise=3)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return write_tree(CORPUS.files(), tmp_path_factory.mktemp("tree"))


@pytest.fixture
def anyones() -> Iterator[Path]:
    """A folder that every user may look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_several_hold_a_lease_at_once_and_nobody_cleans_meanwhile(tmp_path):
    lease_path(tmp_path, TOY).touch()

    with Lease(tmp_path, TOY), Lease(tmp_path, TOY):
        with pytest.raises(BusyError) as caught, exclusive_lease(tmp_path, TOY):
            pass
        with exclusive_lease(tmp_path, "ToyCar"):
            pass
    with exclusive_lease(tmp_path, TOY):
        pass

    assert caught.value.actual == f"used by process {os.getpid()}"
    assert TOY in caught.value.what


def test_a_process_that_needs_a_cache_waits_while_it_is_cleaned(tmp_path):
    lease_path(tmp_path, TOY).touch()
    held = threading.Event()

    def use() -> None:
        """Hold a lease."""
        with Lease(tmp_path, TOY):
            held.set()

    with exclusive_lease(tmp_path, TOY):
        thread = threading.Thread(target=use)
        thread.start()
        was_held = held.wait(0.5)
    thread.join(timeout=30)

    assert not was_held
    assert held.is_set()


def test_a_lease_of_a_cache_that_is_not_there_makes_nothing_before_something_is_to_be_written(tmp_path):
    cache = tmp_path / "cache"
    with Lease(cache, TOY) as lease:
        was_there = cache.exists()
        lease.take(is_made=True)
        with pytest.raises(BusyError), exclusive_lease(cache, TOY):
            pass

    assert not was_there


def test_a_lease_that_cannot_be_had_hinders_nobody(tmp_path, monkeypatch):
    def refuse(*_args: object) -> int:
        """Open nothing."""
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("toyadmos_datasets.files.cache_folder.os.open", refuse)
    with Lease(tmp_path, TOY) as lease, exclusive_lease(tmp_path, TOY):
        lease.take(is_made=True)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [False, True])
def test_a_cache_is_not_cleaned_while_a_dataset_is_prepared_from_it(tmp_path, tree, kept):
    refused: list[BusyError] = []
    if kept:
        prepare(options(tree, tmp_path, protocols=("basic",), out=tmp_path / "before"))
    rendering = _Cleaning(tmp_path / "cache", refused)

    prepare(options(tree, tmp_path, protocols=("basic",)), rendering)

    assert len(refused) == 1
    assert (tmp_path / "out" / "manifest.json").exists()
    assert len(list_cache(tmp_path / "cache")) == 1
    remove_entry(list_cache(tmp_path / "cache")[0])
    assert list_cache(tmp_path / "cache") == ()


def test_the_command_that_is_refused_names_the_process(tmp_path, capsys, tree):
    prepare(options(tree, tmp_path, protocols=("basic",)))

    with Lease(tmp_path / "cache", TOY):
        ran = toyadmos(capsys, "cache", "--cache", tmp_path / "cache", "--clean")

    assert ran.status == 1
    assert f"used by process {os.getpid()}" in ran.err
    assert len(list_cache(tmp_path / "cache")) == 1
    assert toyadmos(capsys, "cache", "--cache", tmp_path / "cache", "--clean").status == 0


def test_where_locks_are_unknown_a_cache_that_is_cleaned_in_the_middle_is_made_again(tmp_path, tree, monkeypatch):
    prepare(options(tree, tmp_path, protocols=("basic",), out=tmp_path / "undisturbed"))
    monkeypatch.setattr("toyadmos_datasets.files.cache_folder.fcntl", None)
    refused: list[BusyError] = []

    prepare(options(tree, tmp_path, protocols=("basic",), workers=2), _Cleaning(tmp_path / "cache", refused))

    assert refused == []
    assert hashes(tmp_path / "out") == hashes(tmp_path / "undisturbed")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can be another user")
def test_the_cache_of_another_user_can_be_used_if_it_has_everything(anyones):
    write_tree(CORPUS.files(), anyones / "tree")
    prepare(options(anyones / "tree", anyones, protocols=("basic",)))
    before = listing(anyones / "cache")
    mine = anyones / "mine"
    mine.mkdir()
    shutil.chown(mine, NOBODY)

    child = os.fork()
    if not child:
        try:
            os.setuid(NOBODY)
            prepare(options(anyones / "tree", mine, protocols=("basic",), cache=anyones / "cache"))
            os._exit(0)
        finally:
            os._exit(1)

    assert os.waitpid(child, 0)[1] == 0
    assert hashes(mine / "out") == hashes(anyones / "out")
    assert listing(anyones / "cache") == before


def test_a_simulated_corpus_is_said_once_with_its_size_and_listed_and_cleaned(tmp_path):
    asked = ("prepare", "--toy", "train", "--source", "simulate:tiny", "--protocol", "basic", "--max-events", "4")
    cache = tmp_path / "cache"
    first, second = (
        toyadmos_process(*asked, "--out", tmp_path / name, "--cache", cache, "--workers", 1) for name in ("a", "b")
    )

    assert first.status == second.status == 0
    said = [line for line in first.err.splitlines() if "Simulated ToyTrain (tiny)" in line]
    assert len(said) == 1
    assert "MB" in said[0]
    assert "toyadmos cache --toy train --kind simulated --clean" in said[0]
    assert "Simulated ToyTrain" not in second.err
    assert [entry.kind for entry in list_cache(cache)] == ["recordings", "simulated"]
    assert toyadmos_process("cache", "--cache", cache, "--kind", "simulated", "--clean").status == 0
    assert [entry.kind for entry in list_cache(cache)] == ["recordings"]


@pytest.mark.parametrize("moment", ["simulate", "open_source"])
def test_a_simulated_corpus_is_not_cleaned_between_its_making_and_its_use(tmp_path, monkeypatch, moment):
    step = getattr(sources, moment)
    refused: list[BusyError] = []

    def refuse() -> None:
        """Try to clean."""
        with pytest.raises(BusyError) as caught, exclusive_lease(tmp_path / "cache", TOY):
            pass
        refused.append(caught.value)

    def with_cleaning(*arguments: object, **named: object) -> object:
        """Do the step, and try to clean right before and after it."""
        refuse()
        done = step(*arguments, **named)
        refuse()
        return done

    monkeypatch.setattr(sources, moment, with_cleaning)
    prepare(options(Path("simulate:tiny"), tmp_path, protocols=("basic",), max_events=4))

    assert [busy.actual for busy in refused] == [f"used by process {os.getpid()}"] * 2


N_MOMENTS = max(3, int(os.environ.get("TOYADMOS_DRILLS", "0")) // 100)
"""How many moments are tried; `make drills` tries more."""


def test_cleaning_at_any_moment_is_refused_or_leaves_the_right_bytes(tmp_path, tree):
    prepare(options(tree, tmp_path, protocols=("basic",), out=tmp_path / "undisturbed"))
    shutil.rmtree(tmp_path / "cache")
    expected, chance = hashes(tmp_path / "undisturbed"), random.Random(20201128)  # noqa: S311  # moments, not secrets
    for number in range(N_MOMENTS):
        place = tmp_path / str(number)
        places = ["--out", place / "out", "--cache", place / "cache"]
        command = [*COMMAND, "prepare", "--toy", "train", "--source", tree, "--protocol", "basic", *places]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        refused: list[BusyError] = []
        while process.poll() is None:
            time.sleep(chance.uniform(0.0, 0.3))
            for entry in list_cache(place / "cache"):
                try:
                    remove_entry(entry)
                except BusyError as busy:
                    refused.append(busy)
        _, err = process.communicate()

        assert process.returncode == 0, err
        assert hashes(place / "out") == expected
        assert {busy.actual for busy in refused} <= {f"used by process {process.pid}"}


@pytest.mark.parametrize("job", ["plan", "train"])
def test_a_plan_and_a_training_keep_the_cache_that_they_read_from(tmp_path, capsys, tree, job, monkeypatch):
    cache = tmp_path / "cache"
    prepare(options(tree, tmp_path, protocols=("basic",)))
    refused: list[BusyError] = []
    monkeypatch.setenv("TOYADMOS_CACHE", str(cache))

    def clean(*_args: object, **_options: object) -> None:
        """Try to clean in the middle."""
        with pytest.raises(BusyError) as caught:
            remove_entry(list_cache(cache)[0])
        refused.append(caught.value)
        raise KeyboardInterrupt

    if job == "plan":
        monkeypatch.setattr("toyadmos_datasets.jobs.preparation.index_source", clean)
        places = ["--source", tree, "--out", tmp_path / "out", "--cache", cache]
        toyadmos(capsys, "plan", "--toy", "train", "--protocol", "basic", *places)
    else:
        pytest.importorskip("torch", reason=NO_TORCH)
        monkeypatch.setattr("toyadmos_datasets.runs.trainer.featured", clean)
        toyadmos(capsys, "train", tmp_path / "out", "--out", tmp_path / "run")

    assert len(refused) == 1


class _Cleaning:
    """Progress that cleans the cache when clips are rendered, or takes note of being refused."""

    def __init__(self, cache: Path, refused: list[BusyError]) -> None:
        self._cache, self._refused = cache, refused

    def stage(self, what: str, total: int, unit: str):
        """Clean at the first rendering."""
        if what == "Rendering" and self._cache is not None:
            cache, self._cache = self._cache, None
            for entry in list_cache(cache):
                try:
                    remove_entry(entry)
                except BusyError as busy:
                    self._refused.append(busy)
        return Quiet().stage(what, total, unit)

    def say(self, text: str) -> None:
        """Ignore a text."""


def test_a_holder_that_has_just_left_does_not_stop_the_cleaning(tmp_path, monkeypatch):
    with Lease(tmp_path, "ToyTrain") as lease:
        lease.take(is_made=True)

        def leave(_path: Path) -> list[str]:
            """Be gone before anybody can name the holder."""
            lease.__exit__(None, None, None)
            return []

        monkeypatch.setattr("toyadmos_datasets.files.cache_folder._holders", leave)
        with exclusive_lease(tmp_path, "ToyTrain"), pytest.raises(BusyError), exclusive_lease(tmp_path, "ToyTrain"):
            pytest.fail("two have it alone")
