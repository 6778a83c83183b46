"""The folder that a dataset is prepared in: its parts, their order, and the finished shards of a cut run."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.atomic import write_text, writing
from toyadmos_datasets.files.checked_json import read_json
from toyadmos_datasets.files.job_folder import JobFolder, State
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

_SHARD = re.compile(rf"{SIDE}/{SIDE}-\d{{5}}-of-\d{{5}}\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFolder(JobFolder):
    """A folder that a dataset is prepared in.

    The card, which tells plain `datasets` where the shards are, is shown first and hidden last.
    """

    parts: tuple[str, ...] = (CARD_NAME, RECIPE_NAME, DATA_NAME, MANIFEST_NAME)
    maker: str = "preparation"
    other: str = "The folder holds a dataset that was prepared with other options."
    remedy: str = "Choose another folder with --out, or replace what is there with --overwrite."

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
        """Tell what is in the folder: nothing, a cut run, the asked-for dataset, or one to be replaced.

        Raises:
            OptionError: It is a file, or would be inside one.
            OutputConflictError: Something else is there; nothing is touched.
            OutputError: The folder cannot be looked at.
            DatasetError: The asked-for dataset is there and damaged.
        """
        state = JobFolder.state(self, overwrite=overwrite)
        if state == "done":
            check_shard_sizes(self.path, read_manifest(self.path).shards)
        return state

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

    def commit(self, manifest: Manifest, recipe: Recipe, card: str) -> None:
        """Put everything in its place, once every shard is there; a dataset that was there before is replaced.

        Raises:
            DatasetError: A shard is missing or has another size; the folder shows what it showed.
            DiskFullError: There is no room for what describes the shards; the folder shows what it showed.
            OutputError: It could not be written; the folder shows what it showed.
        """
        check_shard_sizes(self.files, manifest.shards)  # whatever a worker said, and wherever it wrote
        write_text(self.files / CARD_NAME, card)
        write_recipe(recipe, self.files / RECIPE_NAME)
        write_manifest(self.files, manifest)
        self.put_in_place()
        _LOG.info("Committed the dataset: %s", escaped(self.path))

    def strangers(self) -> list[str]:
        """Name what no preparation left in the folder, shards apart."""
        names = JobFolder.strangers(self)
        if DATA_NAME in names:
            return names
        data = self.path / DATA_NAME
        inside = {path.relative_to(data).as_posix() for path in data.rglob("*") if not path.is_dir()}
        return names + sorted(f"{DATA_NAME}/{name}" for name in inside if not _SHARD.fullmatch(name))
