"""The output folder: what may be written there, what is kept of a run that was cut, and the commit that shows it."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.errors import ClippingError, DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.atomic import remove_leftovers, sync_folder, write_text, writing
from toyadmos_datasets.files.checked_json import canonical_json, read_json, write_json
from toyadmos_datasets.files.lock import HOLDER_NAME, LOCK_NAME, folder_lock
from toyadmos_datasets.values.manifest import (
    CARD_NAME,
    DATA_NAME,
    MANIFEST_NAME,
    PARTIAL_NAME,
    READY_NAME,
    RECIPE_NAME,
    REPLACED_NAME,
    SIDE,
    Manifest,
    Shard,
    check_shard_sizes,
    is_committing,
    read_manifest,
    read_shard_note,
    write_manifest,
)
from toyadmos_datasets.values.recipe import Recipe, write_recipe

_LOG = logging.getLogger(__name__)

_HIDDEN_IN_ORDER = (MANIFEST_NAME, RECIPE_NAME, DATA_NAME, CARD_NAME)
_SHOWN_IN_ORDER = (CARD_NAME, RECIPE_NAME, DATA_NAME, MANIFEST_NAME)


def put_in_place(folder: Path, manifest: Manifest, recipe: Recipe, card: str) -> None:
    """Replace what a folder shows by the shards in its `.partial/data/` and what describes them.

    Raises:
        OSError: A step failed; what was done can be taken back.
        DiskFullError: There is no room for what describes the shards; the folder shows what it showed.
        OutputError: It could not be written; the folder shows what it showed.
    """
    partial = folder / PARTIAL_NAME
    replaced = partial / REPLACED_NAME
    if replaced.exists():  # of a commit that was cut while it cleaned up
        shutil.rmtree(replaced)
    ready = partial / READY_NAME
    write_text(ready / CARD_NAME, card)
    write_recipe(recipe, ready / RECIPE_NAME)
    write_manifest(ready, manifest)
    replaced.mkdir()
    for name in _HIDDEN_IN_ORDER:
        if (folder / name).exists():
            _move(folder / name, replaced / name)
    for name in _SHOWN_IN_ORDER:
        _move(_made(folder, name), folder / name)
    shutil.rmtree(partial)


def take_back(folder: Path) -> None:
    """Undo a commit that was cut, if one was: the old dataset is whole again, the new one's shards are as finished.

    Raises:
        OSError: A step failed; the next call goes on from there.
    """
    if not is_committing(folder):
        return
    for name in reversed(_SHOWN_IN_ORDER):
        if (folder / name).exists() and not _made(folder, name).exists():
            _move(folder / name, _made(folder, name))
    for name in reversed(_HIDDEN_IN_ORDER):
        hidden = folder / PARTIAL_NAME / REPLACED_NAME / name
        if hidden.exists():
            _move(hidden, folder / name)


def _made(folder: Path, name: str) -> Path:
    """Return where a part of the new dataset lies until it is shown."""
    partial = folder / PARTIAL_NAME
    return partial / name if name == DATA_NAME else partial / READY_NAME / name


def _move(path: Path, to: Path) -> None:
    """Move a file or folder, so that a machine without power does not do later steps first."""
    path.replace(to)
    sync_folder(to.parent)
    sync_folder(path.parent)


State: TypeAlias = Literal["new", "cut", "done", "replace"]

_JOB = "job.json"
_OURS = {CARD_NAME, MANIFEST_NAME, RECIPE_NAME, DATA_NAME, PARTIAL_NAME}
_MENDED_BY_OTHER_OPTIONS = (ClippingError, OptionError)
"""Errors that the same request would meet again and again."""
_SHARD = re.compile(rf"{SIDE}/{SIDE}-\d{{5}}-of-\d{{5}}\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFolder:
    """A folder that a dataset is prepared in.

    Attributes:
        path: Where.
        request: What is asked for, as JSON values; a folder takes one request.
    """

    path: Path
    request: dict[str, Any]

    @property
    def partial(self) -> Path:
        """Where shards are collected until all are there."""
        return self.path / PARTIAL_NAME

    @property
    def has_leftovers(self) -> bool:
        """Whether a run that was cut left anything beside a dataset."""
        temporary = self.path.glob(".*.tmp")
        return self.partial.exists() or (self.path / HOLDER_NAME).exists() or any(temporary)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other processes; an error inside leaves nothing new but finished shards.

        A commit that was cut, before or inside, is taken back: the old dataset is whole again.

        Raises:
            BusyError: Another process is preparing it.
            OutputError: A commit that was cut cannot be taken back.
        """
        made = [place for place in (self.path, *self.path.parents) if not place.exists()]
        with folder_lock(self.path):
            try:
                remove_leftovers(self.path)
                with writing(self.path):
                    take_back(self.path)
                yield
            except BaseException as error:
                with contextlib.suppress(OSError):  # the next run tries again
                    take_back(self.path)
                if isinstance(error, _MENDED_BY_OTHER_OPTIONS):  # which are another request, and need a free folder
                    self.discard_partial()
                self._leave(made)
                raise

    def state(self, *, is_overwriting: bool) -> State:
        """Tell what is in the folder: nothing, a cut run, the asked-for dataset, or one to be replaced.

        Raises:
            OutputConflictError: Something else is there; nothing is touched.
            OutputError: The folder cannot be looked at.
            DatasetError: The asked-for dataset is there and damaged.
        """
        with writing(self.path):
            self._refuse_file()
            is_hidden = is_committing(self.path)  # by a commit that was cut
            there = self.partial / REPLACED_NAME if is_hidden else self.path
            has_manifest = (there / MANIFEST_NAME).exists()
        if has_manifest and not is_overwriting:
            manifest = read_manifest(there)
            if canonical_json(manifest.request) != canonical_json(self.request):
                raise self._conflict(
                    "The folder holds a dataset that was prepared with other options.", manifest.request
                )
            if is_hidden:
                return "cut"
            check_shard_sizes(self.path, manifest.shards)
            return "done"
        self._refuse_strangers()
        if has_manifest:
            return "replace"
        job = self.partial / _JOB
        if job.exists() and not is_overwriting:
            remedy = "Start anew with the same command and --overwrite."
            found = read_json(job, remedy=remedy).get("request")
            if not isinstance(found, dict):
                raise DatasetError("A file is damaged.", where=job, expected="a request", actual=found, remedy=remedy)
            if canonical_json(found) != canonical_json(self.request):
                raise self._conflict("The folder holds a run with other options that was cut.", found)
            return "cut"
        return "new"

    def discard_partial(self) -> None:
        """Remove what a run left, but for an old dataset that a commit hid there."""
        if is_committing(self.path):
            return
        shutil.rmtree(self.partial, ignore_errors=True)

    def begin(self, job: dict[str, Any]) -> dict[str, Shard]:
        """Make the folder ready and return the finished shards of a cut run of the same job, by path.

        Args:
            job: What the shards' bytes follow from, beside the request.
        """
        with writing(self.path):
            whole = {"request": self.request, "job": job}
            if self._is_same(whole):
                self._remove_unfinished()
                return self._finished()
            shutil.rmtree(self.partial, ignore_errors=True)
            write_json(self.partial / _JOB, whole)
            return {}

    def note_for(self, shard_path: str) -> Path:
        """Return where the facts of a finished shard are noted."""
        return self.partial / "done" / (shard_path.replace("/", "+") + ".json")

    def commit(self, manifest: Manifest, recipe: Recipe, card: str) -> None:
        """Put everything in its place; a dataset that was there before is replaced."""
        with writing(self.path):
            self._remove_unfinished()
            put_in_place(self.path, manifest, recipe, card)
        _LOG.info("Committed the dataset: %s", escaped(self.path))

    def _is_same(self, whole: dict[str, Any]) -> bool:
        try:
            return canonical_json(read_json(self.partial / _JOB)) == canonical_json(whole)
        except DatasetError:
            return False

    def _finished(self) -> dict[str, Shard]:
        finished = {}
        for path in sorted((self.partial / "done").glob("*.json")):
            with contextlib.suppress(DatasetError, OSError):
                shard = read_shard_note(path)
                if (self.partial / shard.path).stat().st_size == shard.n_bytes:
                    finished[shard.path] = shard
        return finished

    def _remove_unfinished(self) -> None:
        """Remove files that were being written; whoever did that is dead, or has lost the folder to us."""
        for path in self.partial.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _leave(self, made: list[Path]) -> None:
        """Leave the folder after an error: what the next run can use stays, and nothing else that is new."""
        if not any((self.partial / "done").glob("*.json")):
            self.discard_partial()
        if not made or {path.name for path in self.path.iterdir()} - {LOCK_NAME, HOLDER_NAME}:
            return
        with contextlib.suppress(OSError):  # another process may have come in
            for name in (HOLDER_NAME, LOCK_NAME):
                (self.path / name).unlink(missing_ok=True)
            for place in made:
                place.rmdir()

    def _refuse_file(self) -> None:
        there = next((place for place in (self.path, *self.path.parents) if place.exists()), self.path)
        if there.exists() and not there.is_dir():
            raise OptionError(
                "The output is a file." if there == self.path else "The output would be inside a file.",
                where=there,
                expected="a folder, or nothing yet",
                actual="a file",
                remedy="Choose a folder with --out.",
            )

    def _refuse_strangers(self) -> None:
        """Refuse a folder that holds what no run of ours left there: it is not ours to change."""
        with writing(self.path):
            strangers = self._strangers()
        if strangers:
            raise OutputConflictError(
                "The output folder holds something that no preparation left there.",
                where=self.path,
                expected="a new or empty folder, or one that was prepared before",
                actual=", ".join(strangers[:5]) + (" .." if len(strangers) > 5 else ""),
                remedy="Choose another folder with --out; nothing was touched.",
            )

    def _strangers(self) -> list[str]:
        if not self.path.exists():
            return []
        names = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        if not (self.path / MANIFEST_NAME).exists() and not self.partial.exists():
            return sorted(names)
        data = self.path / DATA_NAME
        inside = {path.relative_to(data).as_posix() for path in data.rglob("*") if not path.is_dir()}
        return sorted(names - _OURS) + sorted(f"{DATA_NAME}/{name}" for name in inside if not _SHARD.fullmatch(name))

    def _conflict(self, what: str, found: dict[str, Any]) -> OutputConflictError:
        names = sorted(found.keys() | self.request.keys())
        differing = [name for name in names if _spelled(found, [name]) != _spelled(self.request, [name])]
        return OutputConflictError(
            what,
            where=self.path,
            expected=_spelled(self.request, differing),
            actual=_spelled(found, differing),
            remedy="Choose another folder with --out, or replace what is there with --overwrite.",
        )


def _spelled(request: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}={canonical_json(request.get(name))}" for name in names)
