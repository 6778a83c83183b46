"""The output folder: what may be written there, what is kept of a run that was cut, and the last step.

Shards are collected in `.partial/`, which `datasets` does not look into. The last step hides the shards of a dataset
that is replaced, writes the card and the recipe, moves the new shards to their places with one rename, and writes the
manifest at the very end. A card whose shards are not there opens as nothing, so that plain `datasets`, which knows of
no manifest, sees the old dataset, the new one, or none: shards without their card would open with all configs mixed,
and a recipe alone as if it were data. A run that was cut finds its finished shards in `.partial/` again, if it asks for
the same thing.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.errors import ClippingError, DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.atomic import sync_folder, write_text, writing
from toyadmos_datasets.files.json import canonical_json, read_json, write_json
from toyadmos_datasets.files.leftovers import remove_leftovers
from toyadmos_datasets.files.lock import HOLDER_NAME, LOCK_NAME, folder_lock
from toyadmos_datasets.values.dataset import (
    CARD_NAME,
    MANIFEST_NAME,
    RECIPE_NAME,
    Manifest,
    Shard,
    check_shard_sizes,
    read_manifest,
    read_shard_note,
    write_manifest,
)
from toyadmos_datasets.values.recipe import Recipe, write_recipe
from toyadmos_datasets.values.sides import SIDE

State: TypeAlias = Literal["new", "cut", "done", "replace"]

_PARTIAL = ".partial"
_JOB = "job.json"
_DATA = "data"
_OURS = {CARD_NAME, MANIFEST_NAME, RECIPE_NAME, _DATA, _PARTIAL}
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
        return self.path / _PARTIAL

    @property
    def has_leftovers(self) -> bool:
        """Whether a run that was cut left anything beside a dataset."""
        temporary = self.path.glob(".*.tmp")
        return self.partial.exists() or (self.path / HOLDER_NAME).exists() or any(temporary)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other processes; an error inside leaves nothing new but finished shards.

        Raises:
            BusyError: Another process is preparing it.
        """
        made = [place for place in (self.path, *self.path.parents) if not place.exists()]
        with folder_lock(self.path):
            try:
                remove_leftovers(self.path)
                yield
            except BaseException as error:
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
            has_manifest = (self.path / MANIFEST_NAME).exists()
        if has_manifest and not is_overwriting:
            manifest = read_manifest(self.path)
            if canonical_json(manifest.request) != canonical_json(self.request):
                raise self._conflict(
                    "The folder holds a dataset that was prepared with other options.", manifest.request
                )
            check_shard_sizes(self.path, manifest.shards)
            return "done"
        self._refuse_strangers()
        if has_manifest:
            return "replace"
        job = self.partial / _JOB
        if job.exists() and not is_overwriting:
            found = read_json(job, remedy="Start anew with the same command and --overwrite.").get("request") or {}
            if canonical_json(found) != canonical_json(self.request):
                raise self._conflict("The folder holds a run with other options that was cut.", found)
            return "cut"
        return "new"

    def discard_partial(self) -> None:
        """Remove what a run left that was cut after the manifest was written."""
        shutil.rmtree(self.partial, ignore_errors=True)

    def begin(self, job: dict[str, Any]) -> dict[str, Shard]:
        """Make the folder ready and return the finished shards of a cut run of the same job, by path.

        Args:
            job: What the shards' bytes follow from, beside the request.
        """
        with writing(self.path):
            whole = {"request": self.request, "job": job}
            if self._is_same(whole):
                self._take_back()
                self._remove_unfinished()
                return self._finished()
            shutil.rmtree(self.partial, ignore_errors=True)
            write_json(self.partial / _JOB, whole)
            return {}

    def note_for(self, shard_path: str) -> Path:
        """Return where the facts of a finished shard are noted."""
        return self.partial / "done" / (shard_path.replace("/", "+") + ".json")

    def commit(self, manifest: Manifest, recipe: Recipe, card: str) -> None:
        """Put everything in its place, the manifest last; a dataset that was there before is replaced."""
        with writing(self.path):
            self._remove_unfinished()
            (self.path / MANIFEST_NAME).unlink(missing_ok=True)
            sync_folder(self.path)
            if (self.path / _DATA).exists():
                replaced = self.partial / "replaced"
                if replaced.exists():  # of a commit that was cut; `data` has come after it
                    shutil.rmtree(replaced)
                (self.path / _DATA).replace(replaced)
                sync_folder(self.path)
            write_text(self.path / CARD_NAME, card)
            write_recipe(recipe, self.path / RECIPE_NAME)
            self._show(manifest)
            shutil.rmtree(self.partial)

    def _show(self, manifest: Manifest) -> None:
        """Move the shards to their places and say that all are there; where that cannot be said, hide them again."""
        (self.partial / _DATA).replace(self.path / _DATA)
        try:
            sync_folder(self.path)
            write_manifest(self.path, manifest)
        except Exception:
            self._take_back()
            raise

    def _is_same(self, whole: dict[str, Any]) -> bool:
        try:
            return canonical_json(read_json(self.partial / _JOB)) == canonical_json(whole)
        except DatasetError:
            return False

    def _take_back(self) -> None:
        """Undo the first half of a commit that was cut between moving the shards and the manifest."""
        if (self.path / MANIFEST_NAME).exists():  # then the shards belong to a whole dataset
            return
        if (self.path / _DATA).exists() and not (self.partial / _DATA).exists():
            (self.path / _DATA).replace(self.partial / _DATA)

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
        data = self.path / _DATA
        inside = {path.relative_to(data).as_posix() for path in data.rglob("*") if not path.is_dir()}
        return sorted(names - _OURS) + sorted(f"{_DATA}/{name}" for name in inside if not _SHARD.fullmatch(name))

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
