"""A commit that is cut at any step: plain `datasets` opens the old dataset, the new one, or nothing."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from preparing import hashes, options

from toyadmos_datasets.errors import DiskFullError
from toyadmos_datasets.prepare import prepare
from toyadmos_datasets.render.folder import OutputFolder
from toyadmos_datasets.values.dataset import Manifest, read_manifest
from toyadmos_datasets.values.recipe import Recipe, read_recipe

OPERATIONS = ("replace", "rename", "unlink", "fsync", "mkdir", "rmdir")
"""What changes a folder, or makes a change of it durable."""


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may handle it, and what was not done stays undone."""


@pytest.fixture(scope="module")
def old(prepared: Path) -> Path:
    """A dataset with the configs clean and snr_6db."""
    return prepared


@pytest.fixture(scope="module")
def new(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another of the same source: fewer events, and one config that the old one has not."""
    place = tmp_path_factory.mktemp("new")
    asked = options(prepared.parent / "source", place, protocols=("basic",), snrs_db=(0.0,), max_events=1)
    return prepare(replace(asked, out=place / "dataset")).out


def about_to_commit(out: Path, new: Path, *, replacing: Path | None) -> Callable[[], None]:
    """Bring a folder to the moment before its commit, and return that commit."""
    if replacing is not None:
        shutil.copytree(replacing, out)
    manifest, recipe = read_manifest(new), read_recipe(new / "recipe.parquet")
    card = (new / "README.md").read_text()
    folder = OutputFolder(path=out, request=manifest.request)
    shutil.copytree(new / "data", folder.partial / "data")
    return lambda: commit(folder, manifest, recipe, card)


def commit(folder: OutputFolder, manifest: Manifest, recipe: Recipe, card: str) -> None:
    folder.commit(manifest, recipe, card)


@contextlib.contextmanager
def cut_at(step: int, error: Callable[[], BaseException], patch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let the operation of this number fail, and all after it; a process that is dead does nothing more."""
    count = [0]

    def cutting(real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] >= step:
                raise error()
            return real(*arguments, **named)

        return operation

    with patch.context() as inner:
        for name in OPERATIONS:
            inner.setattr(os, name, cutting(getattr(os, name)))
        yield count


def opened(out: Path, cache: Path) -> dict[str, dict[str, int]] | None:
    """What plain `datasets` opens, by config: the splits and their rows; None for nothing."""
    datasets.disable_progress_bars()
    try:
        names = datasets.get_dataset_config_names(str(out), cache_dir=str(cache))
        found = {name: datasets.load_dataset(str(out), name, cache_dir=str(cache)) for name in names}
    except Exception:  # noqa: BLE001  # however datasets says that there is nothing
        return None
    return {name: {split: len(rows) for split, rows in one.items()} for name, one in found.items()}


@pytest.mark.parametrize("is_replacing", [False, True], ids=["first", "replacing"])
@pytest.mark.parametrize("is_killed", [False, True], ids=["full disk", "killed"])
def test_plain_datasets_never_sees_a_mixture(old, new, tmp_path, monkeypatch, is_replacing, is_killed):
    whole = [opened(old, tmp_path / "old"), opened(new, tmp_path / "new")]
    replacing = old if is_replacing else None
    seen = []
    for step in itertools.count(1):
        out = tmp_path / f"out-{step}"
        run = about_to_commit(out, new, replacing=replacing)
        error = Killed if is_killed else lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with cut_at(step, error, monkeypatch) as count, contextlib.suppress(Killed, DiskFullError):
            run()
        if count[0] < step:
            break
        seen.append(opened(out, tmp_path / f"cache-{step}"))
        shutil.rmtree(out)

    assert len(seen) > 8
    assert [one for one in seen if one not in (None, *whole)] == []
    assert (whole[0] in seen) == is_replacing
    assert whole[1] in seen


@pytest.mark.parametrize("is_replacing", [False, True], ids=["first", "replacing"])
def test_the_same_command_finishes_a_commit_that_was_cut_at_any_step(old, new, tmp_path, monkeypatch, is_replacing):
    expected = hashes(new)
    asked = options(old.parent / "source", new.parent, protocols=("basic",), snrs_db=(0.0,), max_events=1)
    for step in itertools.count(1, 3):
        out = tmp_path / f"out-{step}"
        run = about_to_commit(out, new, replacing=old if is_replacing else None)
        with cut_at(step, Killed, monkeypatch) as count, contextlib.suppress(Killed):
            run()
        if count[0] < step:
            break
        prepare(replace(asked, out=out, is_overwriting=is_replacing))

        assert hashes(out) == expected
        shutil.rmtree(out)
