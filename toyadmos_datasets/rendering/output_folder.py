"""The output folder of a dataset: its parts, their order, and the finished shards of an interrupted run."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toyadmos_datasets.errors import DatasetError, OutputConflictError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.additive_commit import AdditiveCommit
from toyadmos_datasets.files.atomic import write_text, writing
from toyadmos_datasets.files.checked_json import read_json
from toyadmos_datasets.files.job_folder import JobFolder, State
from toyadmos_datasets.values.dataset_requests import holds, request_of_addition, request_of_toy
from toyadmos_datasets.values.manifest import (
    CARD_NAME,
    DATA_NAME,
    MANIFEST_NAME,
    RECIPE_NAME,
    SIDE,
    Manifest,
    Shard,
    check_shard_sizes,
    read_manifest,
    read_shard_note,
    write_manifest,
)
from toyadmos_datasets.values.recipe import Recipe, write_recipe

_LOG = logging.getLogger(__name__)

_OR_ADD = "Choose another folder with --out, replace what is there with --overwrite, or add to it with --add."

_TOGETHER = "together"
"""What of a request holds several, where they are met in one go."""

_SHARD = re.compile(rf"{SIDE}/{SIDE}-\d{{5}}-of-\d{{5}}\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFolder(JobFolder):
    """A folder that a dataset is prepared in.

    The card, which tells plain `datasets` where the shards are, is shown first and hidden last.

    Attributes:
        add: Whether what is asked for is added to a dataset that is there.
    """

    add: bool = False
    parts: tuple[str, ...] = (CARD_NAME, RECIPE_NAME, DATA_NAME, MANIFEST_NAME)
    maker: str = "preparation"
    other: str = "The folder holds a dataset that was prepared with other options."
    remedy: str = "Choose another folder with --out, or replace what is there with --overwrite."

    @classmethod
    def of(cls, path: Path, requests: Sequence[dict[str, Any]], *, add: bool = False) -> OutputFolder:
        """Return the folder of one request, or of several that are met together, such as one a toy."""
        request = requests[0] if len(requests) == 1 else {_TOGETHER: list(requests)}
        return cls(path=path, request=request, add=add)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What is asked for, one request after the other."""
        together: list[dict[str, Any]] = self.request.get(_TOGETHER, [self.request])
        return together

    @property
    def files(self) -> Path:
        """Where shards are collected until all are there."""
        return self.partial

    @property
    def has_finished(self) -> bool:
        """Whether a cut run left a finished shard."""
        return any((self.partial / "done").glob("*.json"))

    def read_request(self, path: Path) -> dict[str, Any]:
        """Read which request a dataset was prepared, or begun, for.

        Raises:
            DatasetError: The file is damaged.
        """
        if path.name == MANIFEST_NAME:
            return read_manifest(path.parent).request
        remedy = "Start anew with the same command and --overwrite."
        found = read_json(path, remedy=remedy).get("request")
        if not isinstance(found, dict):
            raise DatasetError("A file is damaged.", where=path, expected="a request", actual=found, remedy=remedy)
        return found

    def state(self, *, overwrite: bool = False) -> State:
        """Tell what is in the folder: nothing, a cut run, the asked-for dataset, or one to be replaced or added to.

        Raises:
            OptionError: It is a file, or would be inside one.
            OutputConflictError: Something else is there; nothing is touched.
            OutputError: The folder cannot be looked at.
            DatasetError: The asked-for dataset is there and damaged.
        """
        state = JobFolder.state(self, overwrite=overwrite)
        if self.add and state != "done":
            self._require_dataset(state)
        if state in ("done", "add"):
            check_shard_sizes(self.path, read_manifest(self.path).shards)
        return state

    def state_of_done(self, done: Path) -> State:
        """Tell whether a dataset holds what is asked for, from one preparation or several, or is to be added to.

        Raises:
            OutputConflictError: It is another one, and nothing is to be added, or cannot be.
        """
        manifest = read_manifest(done.parent)
        states = [self._state_of(request, manifest) for request in self.requests]
        return "add" if "add" in states else "done"

    def _state_of(self, request: dict[str, Any], manifest: Manifest) -> State:
        """Tell whether a dataset holds what one request asks for, or is to be added to."""
        if not self.add:
            if not holds(manifest.requests, request):
                remedy = self.remedy if "rebuilt_from" in request else _OR_ADD
                there = request_of_toy(manifest.requests, request.get("toy")) or manifest.request
                replace(self, request=request, remedy=remedy).require_same(dict(there), self.other)
            return "done"
        headroom_db = manifest.headroom_of_toy(request.get("toy", manifest.toy))
        kept = request_of_addition(request, manifest.requests, headroom_db=headroom_db, where=self.path)
        return "done" if holds(manifest.requests, kept) else "add"

    def begin(self, job: dict[str, Any]) -> dict[str, Shard]:
        """Make the folder ready and return the finished shards of a cut run of the same job, by path.

        Args:
            job: What the shards' bytes follow from, beside the request.
        """
        finished: dict[str, Shard] = {}
        if not self.resume(job=job):
            return finished
        with writing(self.path):
            for path in sorted((self.partial / "done").glob("*.json")):
                with contextlib.suppress(DatasetError, OSError):
                    shard = read_shard_note(path)
                    if self.place(shard.path).stat().st_size == shard.n_bytes:
                        finished[shard.path] = shard
        return finished

    def note_for(self, shard_path: str) -> Path:
        """Return where the facts of a finished shard are noted."""
        return self.partial / "done" / (shard_path.replace("/", "+") + ".json")

    def commit(self, manifest: Manifest, recipe: Recipe, card: str, *, added: Sequence[str] = ()) -> None:
        """Put everything in its place, once every shard is there; replace or add to a dataset that was there before.

        Args:
            manifest: Of all that the folder is to show.
            recipe: Of the same.
            card: Of the same.
            added: The configs that are new beside those that are there; none to replace what is there.

        Raises:
            DatasetError: A shard is missing or has another size; the folder shows what it showed.
            DiskFullError: There is no room for what describes the shards; the folder shows what it showed.
            OutputError: It could not be written; the folder shows what it showed.
        """
        new = [shard for shard in manifest.shards if shard.config in added] if added else manifest.shards
        check_shard_sizes(self.files, new)  # whatever a worker said, and wherever it wrote
        if added:
            self._adding.clear()
        write_text(self.files / CARD_NAME, card)
        write_recipe(recipe, self.files / RECIPE_NAME)
        write_manifest(self.files, manifest)
        if added:
            self._adding.run([f"{DATA_NAME}/{config}" for config in added])
        else:
            self.put_in_place()
        _LOG.info("Committed the dataset: %s", escaped(self.path))

    def take_back(self) -> None:
        """Undo a commit that was cut, whether it replaced a dataset or added to it.

        Raises:
            OSError: A step failed; the next call goes on from there.
        """
        self._adding.take_back()
        JobFolder.take_back(self)

    def discard_partial(self) -> None:
        """Remove what a run left, but for what it takes to undo a commit that was cut."""
        if not self._adding.is_cut:
            JobFolder.discard_partial(self)

    @property
    def _adding(self) -> AdditiveCommit:
        described = (CARD_NAME, RECIPE_NAME, MANIFEST_NAME)
        return AdditiveCommit(folder=self.path, working=self.partial, descriptions=described)

    def _require_dataset(self, state: State) -> None:
        if state != "add":
            raise OutputConflictError(
                "There is no dataset to add to.",
                where=self.path,
                expected="a folder that was prepared before",
                actual="a preparation that was cut" if state == "cut" else "none",
                remedy="Prepare it first: leave --add out.",
            )

    def strangers(self) -> list[str]:
        """Name what no preparation left in the folder, shards apart."""
        names = JobFolder.strangers(self)
        if DATA_NAME in names:
            return names
        data = self.path / DATA_NAME
        inside = {path.relative_to(data).as_posix() for path in data.rglob("*") if not path.is_dir()}
        return names + sorted(f"{DATA_NAME}/{name}" for name in inside if not _SHARD.fullmatch(name))
