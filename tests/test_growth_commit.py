"""An addition that is cut at any step, or taken back after it: plain `datasets` opens the old or the new, always."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from preparing import hashes, options
from test_commit import JOB, KilledError, Snapshots, failing, fresh, judged, without_syncing
from test_folder import finish
from test_plain_datasets import VERSIONS
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import OutputConflictError
from toyadmos_datasets.files import atomic
from toyadmos_datasets.files.lock import LOCK_NAME
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recipe import read_recipe

__all__ = ["without_syncing"]  # a fixture

IN_DRILLS = pytest.mark.skipif(not os.environ.get("TOYADMOS_DRILLS"), reason="It takes long: `make drills` runs it")


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory) -> dict[str, Path]:
    """A dataset, and the same with two configs more."""
    place = tmp_path_factory.mktemp("both")
    tree = write_tree(TinyCorpus(channels=(1,), n_normal=4, n_noise=3).files(), place / "source")
    asked = {"protocols": ("basic",), "out": place / "old"}
    old = prepare(options(tree, place, snrs_db=(6.0,), headroom_db=20.0, **asked))
    shutil.copytree(old.out, place / "new")
    new = prepare(options(tree, place, snrs_db=(0.0, -6.0), **asked | {"out": place / "new", "add": True}))
    return {"old": old.out, "new": new.out}


def run(path: Path, new: Path) -> None:
    """Do what an addition does in its folder, with shards that are rendered elsewhere."""
    manifest = read_manifest(new)
    (addition,) = manifest.additions
    folder = OutputFolder(path=path, request=addition.request, add=True)
    with folder.held():
        if folder.state() == "done":
            folder.discard_partial()
            return
        finished = folder.begin(JOB)
        for shard in manifest.shards:
            if shard.config in addition.configs and shard.path not in finished:
                finish(folder, shard.path, (new / shard.path).read_bytes())
        recipe, card = read_recipe(new / "recipe.parquet"), (new / "README.md").read_text()
        folder.commit(manifest, recipe, card, added=addition.configs)


def cut(path: Path, new: Path, last: int, how: str) -> bool:
    """Run until a step fails; tell whether the run came so far."""
    with failing(last, how) as steps, contextlib.suppress(KilledError, OSError):
        run(path, new)
    return steps.seen >= last


@pytest.fixture(scope="module")
def cuts(old_and_new, tmp_path_factory) -> tuple[Path, Snapshots]:
    """Every state that a folder shows after a run is cut at any step, and after the next run is killed at any step."""
    place = tmp_path_factory.mktemp("cuts")
    old, new, states = old_and_new["old"], old_and_new["new"], Snapshots(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "_is_alive", lambda _: False)  # a process that is killed here lives on
        for how in ("killed", "full", "full from then on"):
            for stopped in cut_at_every_step(place / "out", old, new, states, how):
                if how == "killed":
                    shutil.copytree(place / "out", place / stopped)
        *_, nearly_done = sorted(place.glob("killed*"), key=lambda one: int(one.name.partition("-")[2]))
        list(cut_at_every_step(place / "out", nearly_done, new, states, "killed"))  # while it is taken back
    return place, states


def cut_at_every_step(path: Path, before: Path, new: Path, states: Snapshots, how: str) -> Iterator[str]:
    """Cut a run at each step in turn; after each, the next run must make the whole of it.

    Yields a name for each folder whose commit is cut.
    """
    for last in itertools.count(1):
        fresh(path, before)
        is_cut = cut(path, new, last, how)
        states.take(path)
        if is_cut and is_within_commit(path):
            yield f"{how}-{last}"
        run(path, new)

        assert hashes(path) == hashes(new)
        assert sorted(one.name for one in path.rglob(".*")) == [LOCK_NAME]
        if not is_cut:
            return


def is_within_commit(path: Path) -> bool:
    return (path / ".partial" / "before" / "manifest.json").exists() and (path / ".partial" / "manifest.json").exists()


@pytest.mark.parametrize(
    "version",
    [VERSIONS[0], pytest.param(VERSIONS[1], marks=IN_DRILLS)],
    ids=["newest", "oldest"],
)
def test_plain_datasets_opens_the_old_or_the_new_after_a_cut_at_any_step(cuts, old_and_new, tmp_path, version):
    place, states = cuts
    wholes = judged(list(old_and_new.values()), tmp_path, version)
    seen = judged([place / name for name in states.folders], tmp_path, version)

    assert wholes["old"].items() < wholes["new"].items()
    assert len(list(place.glob("killed*"))) > 4
    assert len(seen) > 4
    for name, opened in seen.items():
        assert opened in wholes.values(), sorted(states.folders[name])
    assert all(whole in seen.values() for whole in wholes.values())


def test_this_package_opens_the_old_or_the_new_after_a_cut_at_any_step(cuts, old_and_new, tmp_path):
    place, states = cuts
    wholes = {name: set(read_manifest(path).configs) for name, path in old_and_new.items()}

    for name in states.folders:
        configs = read_manifest(place / name).configs
        assert set(configs) in wholes.values()
        for config in configs:
            assert len(load_dataset(place / name, config, split="test", cache_dir=tmp_path))


def test_an_addition_that_was_cut_and_is_given_up_leaves_what_was_there(cuts, old_and_new, tmp_path):
    place, _ = cuts
    for stopped in sorted(place.glob("killed*")):
        path = tmp_path / stopped.name
        shutil.copytree(stopped, path)
        folder = OutputFolder(path=path, request=read_manifest(old_and_new["old"]).request)
        state = folder.state()
        with folder.held():
            after = folder.state()
            folder.discard_partial()

        assert (state, after) == ("done", "done")
        assert hashes(path) == hashes(old_and_new["old"])


def test_a_dataset_is_replaced_although_an_addition_to_it_was_cut(cuts, old_and_new, tmp_path):
    place, _ = cuts
    for stopped in sorted(place.glob("killed*")):
        path = tmp_path / stopped.name
        shutil.copytree(stopped, path)
        new = old_and_new["new"]
        manifest = read_manifest(new)
        folder = OutputFolder(path=path, request={"seed": 7})
        with folder.held():
            assert folder.state(overwrite=True) == "replace"
            folder.begin(JOB)
            for shard in manifest.shards:
                finish(folder, shard.path, (new / shard.path).read_bytes())
            folder.commit(manifest, read_recipe(new / "recipe.parquet"), (new / "README.md").read_text())

        assert hashes(path) == hashes(new)


def test_a_disk_that_fills_up_leaves_the_old_dataset_or_the_new(old_and_new, tmp_path):
    path = tmp_path / "out"
    for last in itertools.count(1):
        fresh(path, old_and_new["old"])
        if not cut(path, old_and_new["new"], last, "full"):
            break

        assert hashes(path) in (hashes(old_and_new["old"]), hashes(old_and_new["new"]))


def test_files_in_the_place_of_a_new_config_are_not_touched(old_and_new, tmp_path):
    path = tmp_path / "out"
    shutil.copytree(old_and_new["old"], path)
    stranger = path / "data" / "snr_0db" / "test-00000-of-00001.parquet"
    stranger.parent.mkdir()
    stranger.write_bytes(b"mine")
    before = hashes(path)
    with refused(OutputConflictError) as caught:
        run(path, old_and_new["new"])

    assert str(caught.value.where) == str(stranger.parent)
    assert hashes(path) == before
