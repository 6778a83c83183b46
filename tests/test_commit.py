"""A commit that is cut at any step, or taken back after it: plain `datasets` opens the old, the new, or nothing."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from preparing import hashes, options
from test_folder import finish
from test_plain_datasets import VERSIONS
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets.errors import OutputConflictError
from toyadmos_datasets.files import atomic
from toyadmos_datasets.files.job_folder import is_committing
from toyadmos_datasets.files.lock import LOCK_NAME
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recipe import read_recipe

JOB = {"recipe_sha256": "1f"}
STEPS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync")
NEEDING_ROOM = ("replace", "rename", "mkdir", "fsync")


class KilledError(BaseException):
    """What ends a process that is killed; after it no step does anything."""


class Steps:
    """Steps that change a folder, of which one fails.

    Attributes:
        seen: How many there were.
    """

    def __init__(self, last: int, how: str) -> None:
        self.seen = 0
        self._last = last
        self._how = how

    def take(self, step: Any, name: str, *arguments: Any, **named: Any) -> Any:
        """Take a step, or fail."""
        self.seen += 1
        if self._how == "killed" and self.seen >= self._last:
            raise KilledError
        is_hit = self.seen == self._last or (self._how == "full from then on" and self.seen > self._last)
        if is_hit and name in NEEDING_ROOM:
            raise OSError(errno.ENOSPC, "No space left on device", str(arguments[0]))
        return None if name == "fsync" else step(*arguments, **named)


@contextlib.contextmanager
def failing(last: int, how: str) -> Iterator[Steps]:
    """Let a step fail inside the block."""
    steps = Steps(last, how)
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            step = getattr(os, name)

            def call(*arguments: Any, step: Any = step, name: str = name, **named: Any) -> Any:
                return steps.take(step, name, *arguments, **named)

            patch.setattr(os, name, call)
        yield steps


@pytest.fixture(scope="module", autouse=True)
def without_syncing() -> Iterator[None]:
    """Write to the disk when it likes: a killed process, unlike a machine without power, loses no page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory) -> dict[str, Path]:
    """Two datasets that share the names of some files."""
    place = tmp_path_factory.mktemp("both")
    tree = write_tree(TinyCorpus(channels=(1,), n_normal=4, n_noise=3).files(), place / "source")
    old = prepare(options(tree, place, protocols=("basic",), snrs_db=(6.0,), out=place / "old"))
    new = prepare(options(tree, place, protocols=("basic",), snrs_db=(0.0,), seed=1, out=place / "new"))
    return {"old": old.out, "new": new.out}


def run(path: Path, new: Path) -> None:
    """Do what a preparation does in its folder, with shards that are rendered elsewhere."""
    folder = OutputFolder(path=path, request=read_manifest(new).request)
    manifest = read_manifest(new)
    with folder.held():
        if folder.state(overwrite=True) == "done":
            folder.discard_partial()
            return
        finished = folder.begin(JOB)
        for shard in manifest.shards:
            if shard.path not in finished:
                finish(folder, shard.path, (new / shard.path).read_bytes())
        folder.commit(manifest, read_recipe(new / "recipe.parquet"), (new / "README.md").read_text())


def cut(path: Path, new: Path, last: int, how: str) -> bool:
    """Run until a step fails; tell whether the run came so far."""
    with failing(last, how) as steps, contextlib.suppress(KilledError, OSError):
        run(path, new)
    return steps.seen >= last


class Snapshots:
    """Copies of what a folder showed, each state once.

    Attributes:
        folders: What was shown, by the name of the copy.
        nearly_done: The folder of a commit that was cut before its last step.
    """

    def __init__(self, place: Path) -> None:
        self.folders: dict[str, dict[str, str]] = {}
        self.nearly_done = place / "nearly-done"
        self._place = place

    def take(self, path: Path) -> None:
        """Keep a copy, unless one like it is kept."""
        if is_committing(path, "manifest.json"):
            fresh(self.nearly_done, path)
        seen = hashes(path) if path.exists() else {}
        if seen not in self.folders.values():
            name = f"state{len(self.folders)}"
            self.folders[name] = seen
            if path.exists():
                shutil.copytree(path, self._place / name)


def fresh(path: Path, before: Path | None) -> None:
    """Put a folder back to what it was."""
    shutil.rmtree(path, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, path)


JUDGE = """
    import hashlib, json, sys
    from pathlib import Path
    import datasets
    from datasets import Audio, load_dataset
    datasets.disable_progress_bars()
    def opened(folder):
        try:
            configs = datasets.get_dataset_config_names(folder)
            return {config: rows(load_dataset(folder, config)) for config in configs}
        except Exception as error:
            return type(error).__name__
    def rows(splits):
        return {name: [digest(row) for row in one.cast_column("audio", Audio(decode=False))] if "audio" in
                one.column_names else one.column_names for name, one in splits.items()}
    def digest(row):
        return row["event_id"] + hashlib.sha256(row["audio"]["bytes"]).hexdigest()
    print(json.dumps({Path(folder).name: opened(folder) for folder in sys.argv[1:]}))
"""


def judged(folders: list[Path], place: Path, version: Path | None) -> dict[str, Any]:
    """Open folders with plain `datasets`: what is in each, or the name of the error."""
    paths = [] if version is None else [str(version)]
    environment = os.environ | {
        "HF_DATASETS_CACHE": str(place),
        "HF_HUB_OFFLINE": "1",
        "USE_TORCH": "0",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    command = [sys.executable, "-c", textwrap.dedent(JUDGE), *map(str, folders)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=environment)
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module", params=["first", "replacing"])
def cuts(request, old_and_new, tmp_path_factory) -> tuple[Path, Snapshots]:
    """Every state that a folder shows after a run is cut at any step, and after the next run is killed at any step."""
    place = tmp_path_factory.mktemp("cuts")
    before = old_and_new["old"] if request.param == "replacing" else None
    new, states = old_and_new["new"], Snapshots(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "_is_alive", lambda _: False)  # a process that is killed here lives on
        for how in ("killed", "full", "full from then on"):
            cut_at_every_step(place / "out", before, new, states, how)
        cut_at_every_step(place / "out", states.nearly_done, new, states, "killed")  # while it is taken back
    return place, states


def cut_at_every_step(path: Path, before: Path | None, new: Path, states: Snapshots, how: str) -> None:
    """Cut a run at each step in turn; after each, the next run must make the whole of it."""
    is_cut = True
    for last in itertools.takewhile(lambda _: is_cut, itertools.count(1)):  # noqa: B023
        fresh(path, before)
        is_cut = cut(path, new, last, how)
        states.take(path)
        run(path, new)

        assert hashes(path) == hashes(new)
        assert sorted(one.name for one in path.rglob(".*")) == [LOCK_NAME]


@pytest.mark.parametrize("version", VERSIONS, ids=["newest", "oldest"])
def test_plain_datasets_opens_the_old_the_new_or_nothing_after_a_cut_at_any_step(cuts, old_and_new, tmp_path, version):
    place, states = cuts
    wholes = judged(list(old_and_new.values()), tmp_path, version)
    seen = judged([place / name for name in states.folders], tmp_path, version)

    assert wholes["old"] != wholes["new"]
    assert len(seen) > 4
    for name, opened in seen.items():
        assert isinstance(opened, str) or opened in wholes.values(), sorted(states.folders[name])
    assert wholes["new"] in seen.values()


@pytest.fixture(scope="module")
def stopped(old_and_new, tmp_path_factory) -> Path:
    """A folder as a kill leaves it after the old card was hidden and before the new one is there."""
    path = tmp_path_factory.mktemp("stopped") / "out"
    for last in itertools.count(1):
        fresh(path, old_and_new["old"])
        cut(path, old_and_new["new"], last, "killed")
        if is_committing(path, "manifest.json") and not (path / "README.md").exists():
            return path
    raise AssertionError


def test_an_old_dataset_is_whole_again_when_its_replacement_was_cut_and_is_given_up(old_and_new, stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / "out")
    request = read_manifest(old_and_new["old"]).request
    folder = OutputFolder(path=tmp_path / "out", request=request)
    state = folder.state(overwrite=False)
    with folder.held():
        after = folder.state(overwrite=False)

    assert (state, after) == ("cut", "done")
    assert hashes(tmp_path / "out") == hashes(old_and_new["old"])


def test_a_replacement_that_was_cut_asks_for_overwrite_again(old_and_new, stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / "out")
    folder = OutputFolder(path=tmp_path / "out", request=read_manifest(old_and_new["new"]).request)

    with refused(OutputConflictError) as caught:
        folder.state(overwrite=False)

    assert "--overwrite" in caught.value.remedy


def test_a_disk_that_fills_up_in_a_commit_leaves_the_old_dataset(old_and_new, tmp_path):
    path = tmp_path / "out"
    for last in itertools.count(1):
        fresh(path, old_and_new["old"])
        if not cut(path, old_and_new["new"], last, "full"):
            break

        assert hashes(path) in (hashes(old_and_new["old"]), hashes(old_and_new["new"]))


def test_a_commit_that_was_cut_is_no_stranger_to_another_run_that_is_cut_as_it_begins(stopped, tmp_path):
    path = tmp_path / "out"
    for last in itertools.count(1):
        fresh(path, stopped)
        folder = OutputFolder(path=path, request={"seed": 7})
        with failing(last, "killed") as steps, contextlib.suppress(KilledError), folder.held():
            folder.begin({"recipe_sha256": "2e"})
        if steps.seen < last:
            break

        assert folder.state(overwrite=True) in ("replace", "new")
