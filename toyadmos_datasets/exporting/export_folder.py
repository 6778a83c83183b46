"""The folder of an export: nothing half-made is visible, and a run that was cut goes on."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.atomic import sync_folder, write_file, writing
from toyadmos_datasets.files.checked_json import canonical_json, read_json, write_json
from toyadmos_datasets.files.lock import HOLDER_NAME, LOCK_NAME, folder_lock
from toyadmos_datasets.files.safe_paths import inside
from toyadmos_datasets.units import Bytes

DONE_NAME = "export.json"
"""Says what was exported; written last."""

_PARTIAL = ".partial"
_JOB = "job.json"

State: TypeAlias = Literal["new", "cut", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFolder:
    """Where an export is made.

    Attributes:
        path: The folder.
        job: What is exported, as JSON values; a folder takes one job.
    """

    path: Path
    job: dict[str, Any]

    @property
    def files(self) -> Path:
        """Where files are collected until all are there."""
        return self.path / _PARTIAL / "files"

    def state(self) -> State:
        """Tell what is in the folder.

        Raises:
            OptionError: It is a file.
            OutputConflictError: Something else is there; nothing is touched.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OptionError("The output is a file.", where=self.path, expected="a folder", remedy="Choose another.")
        for place, state in ((self.path / DONE_NAME, "done"), (self.path / _PARTIAL / _JOB, "cut")):
            if place.exists():
                self._require_same(place)
                return state  # type: ignore[return-value]  # one of the two above
        strangers = [one.name for one in self.path.iterdir()] if self.path.exists() else []
        strangers = sorted({*strangers} - {LOCK_NAME, HOLDER_NAME, _PARTIAL})
        if strangers:
            raise OutputConflictError(
                "The output folder holds something that no export left there.",
                where=self.path,
                expected="a new or empty folder",
                actual=", ".join(strangers[:5]),
                remedy="Choose another folder with --out; nothing was touched.",
            )
        return "new"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other processes.

        Raises:
            BusyError: Another process is exporting there.
        """
        with folder_lock(self.path):
            with writing(self.path):
                for path in self.files.rglob(".*.tmp"):
                    path.unlink(missing_ok=True)
                write_json(self.path / _PARTIAL / _JOB, self.job)
            yield

    def place(self, path: str) -> Path:
        """Return where a file is collected.

        Raises:
            DatasetError: The path, which holds names from the dataset, would lead outside.
        """
        return inside(self.files, path)

    def has(self, path: str) -> bool:
        """Whether a file was finished before."""
        return self.place(path).exists()

    def n_bytes_done(self) -> Bytes:
        """Return how much an earlier run finished."""
        return sum(path.stat().st_size for path in self.files.rglob("*") if path.is_file())

    def put(self, path: str, content: bytes) -> None:
        """Write a file that was not finished before."""
        if not self.has(path):
            with write_file(self.place(path)) as file:
                file.write(content)

    def commit(self) -> None:
        """Move everything to its place, and say last what it is."""
        with writing(self.path):
            for entry in sorted(self.files.iterdir()):
                place = self.path / entry.name
                if place.exists():  # of a commit that was cut: the rest of it is here
                    _merge(entry, place)
                else:
                    entry.replace(place)
            sync_folder(self.path)
            write_json(self.path / DONE_NAME, self.job)
            shutil.rmtree(self.path / _PARTIAL)

    def _require_same(self, place: Path) -> None:
        try:
            found = read_json(place)
        except DatasetError:
            found = {}
        names = sorted(found.keys() | self.job.keys())
        differing = [name for name in names if _spelled(found, [name]) != _spelled(self.job, [name])]
        if differing:
            raise OutputConflictError(
                "The folder holds another export, or a part of one.",
                where=self.path,
                expected=_spelled(self.job, differing),
                actual=_spelled(found, differing),
                remedy="Choose another folder with --out, or delete this one; nothing was touched.",
            )


def _spelled(job: dict[str, Any], names: Sequence[str]) -> str:
    """Tell some values of a job; shards are told by their number and a hash over their hashes."""
    told = []
    for name in names:
        value = job.get(name)
        if name == "shards" and isinstance(value, list):
            told.append(f"shards={len(value)} ({hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]})")
        else:
            told.append(f"{name}={canonical_json(value)}")
    return ", ".join(told)


def _merge(source: Path, place: Path) -> None:
    if source.is_dir():
        for entry in sorted(source.iterdir()):
            target = place / entry.name
            _merge(entry, target) if target.is_dir() else entry.replace(target)
    else:
        source.replace(place)
