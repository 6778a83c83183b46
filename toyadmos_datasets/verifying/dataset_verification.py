"""Verifies a prepared folder against its manifest."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, ToyAdmosError
from toyadmos_datasets.files.reading import (
    MAX_CARD_BYTES,
    file_errors,
    is_there,
    raise_shortage,
    read_bounded_file,
    system_fault_of,
)
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import CARD_NAME, MANIFEST_NAME, RECIPE_NAME, Manifest, Shard, read_manifest
from toyadmos_datasets.values.recipe import read_recipe
from toyadmos_datasets.values.report_display import DisplayedReport, Rows

_PIECE_BYTES: Bytes = 8 << 20


def hash_of(path: Path, algorithm: str, watch: Watch) -> str:
    """Return a file's hash, hex, and tell the watch how many bytes were read."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            watch.advance(len(piece), at=str(path))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        what: One sentence that states it.
        path: The file or member that it is about.
        expected: What should be there.
        actual: What is there.
        remedy: What to do about it.
    """

    what: str
    path: str
    expected: str
    actual: str
    remedy: str

    def __str__(self) -> str:
        return str(self.as_error())

    def as_error(self) -> ToyAdmosError:
        """Return the same as an error, which knows how facts are shown."""
        facts = {name: getattr(self, name) or None for name in ("expected", "actual", "remedy")}
        return ToyAdmosError(self.what, where=self.path, **facts)


def problem_of(error: ToyAdmosError, path: str) -> Problem:
    """Take down an error that was met.

    Args:
        error: What was raised.
        path: What was being read, in case that the error does not say.
    """
    return Problem(
        what=error.what,
        path=error.where or path,
        expected=error.expected or "",
        actual=error.actual or "",
        remedy=error.remedy or "",
    )


def problem_rows(problems: Iterable[Problem]) -> Rows:
    """Return a table of problems, a row each."""
    return ["path", "problem", "expected", "actual"], [
        [one.path, one.what, one.expected, one.actual] for one in problems
    ]


_AGAIN = "Prepare the folder again with the same command and --overwrite."
_MOVE = "Move it out of the folder: programs without this package would read it too."


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DatasetVerdict(DisplayedReport):
    """What reading a prepared folder showed.

    Attributes:
        folder: Which, or the address of a shared one.
        toy: ``ToyTrain``, or several.
        n_shards: Shards that the manifest lists.
        n_rows: Examples in them.
        n_bytes: Their size.
        problems: What is wrong, ordered by path; empty for a folder that is what its manifest says.
    """

    displayed = ("folder", "toy", "is_good", "n_rows", "n_bytes", "n_problems")

    folder: Path | str
    toy: str
    n_shards: int
    n_rows: int
    n_bytes: Bytes
    problems: tuple[Problem, ...]

    @property
    def n_problems(self) -> int:
        """How much is wrong."""
        return len(self.problems)

    def display_rows(self) -> Rows:
        """Return a row for each problem, or the facts where there is none."""
        return problem_rows(self.problems) if self.problems else DisplayedReport.display_rows(self)

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def is_prepared(folder: Path) -> bool:
    """Tell a prepared dataset from a source, by its manifest.

    Raises:
        DatasetError: The folder cannot be looked at.
    """
    with file_errors(folder):
        return is_there(folder / MANIFEST_NAME)


def verify_dataset(folder: Path, progress: Progress | None = None, *, workers: int = 1) -> DatasetVerdict:
    """Read every byte of a prepared folder and compare it with the manifest.

    Nothing is raised for what is wrong with the files: all of it is in the verdict.

    Args:
        folder: The prepared folder.
        progress: Told about the work.
        workers: Number of processes.

    Raises:
        DatasetError: There is no manifest, it is damaged, or a newer version wrote it.
    """
    manifest = read_manifest(folder)
    tasks = [_ShardTask(folder=folder, shard=shard) for shard in manifest.shards]
    n_bytes = sum(shard.n_bytes for shard in manifest.shards)
    with (progress or Quiet()).stage(f"Verifying {folder.name}", n_bytes, "bytes") as on_progress:
        found = [one for one in run_tasks(check_shard, tasks, workers=workers, on_progress=on_progress) if one]
    found += [*check_recipe(folder, manifest), *check_card(folder, manifest), *_find_unlisted(folder, manifest)]
    return DatasetVerdict(
        folder=folder,
        toy=manifest.toys_text,
        n_shards=len(manifest.shards),
        n_rows=sum(shard.n_rows for shard in manifest.shards),
        n_bytes=n_bytes,
        problems=tuple(sorted(found, key=lambda one: one.path)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShardTask:
    folder: Path
    shard: Shard


def check_shard(task: _ShardTask, watch: Watch) -> Problem | None:
    """Compare one shard's size, hash and rows with what the manifest says."""
    path, shard = task.folder / task.shard.path, task.shard
    whole = f"{shard.n_bytes} bytes, sha256 {shard.sha256}"
    try:
        n_bytes = _size_of(path)
        if n_bytes != shard.n_bytes:
            what = "A shard is missing." if n_bytes is None else "A shard has another size than it was written with."
            return _problem(what, path, whole, "no file" if n_bytes is None else f"{n_bytes} bytes")
        sha256 = hash_of(path, "sha256", watch)
        if sha256 != shard.sha256:
            return _problem("A shard was changed since it was written.", path, whole, f"sha256 {sha256}")
        with path.open("rb") as file:  # Arrow itself opens no path with bytes that are no UTF-8
            n_rows = pq.read_metadata(file).num_rows
    except (OSError, pa.ArrowException) as error:
        raise_shortage(error, path)
        fault = system_fault_of(error, path)
        return (
            _problem("A shard cannot be read.", path, whole, error) if fault is None else problem_of(fault, str(path))
        )
    if n_rows != shard.n_rows:
        return _problem("A shard and the manifest disagree.", path, f"{shard.n_rows} rows", f"{n_rows} rows")
    return None


def _size_of(path: Path) -> Bytes | None:
    """Return the size of a file; None where there is none."""
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def check_recipe(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Tell what is wrong with the recipe in a folder."""
    path = folder / RECIPE_NAME
    try:
        actual = read_recipe(path).sha256
    except DatasetError as error:
        yield problem_of(error, str(path))
        return
    if actual != manifest.recipe_sha256:
        expected = f"the recipe {manifest.recipe_sha256}"
        yield _problem("This is the recipe of another dataset.", path, expected, f"the recipe {actual}")


def check_card(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Tell what is wrong with the card in a folder."""
    path = folder / CARD_NAME
    named = [*manifest.configs, *manifest.joint_configs]
    expected = f"front matter with the configs {', '.join(named)}"
    if not path.is_file():
        yield _problem("The card is missing: datasets would not find the configs.", path, expected, "no file")
        return
    try:
        configs = [one["config_name"] for one in _front_matter(path)["configs"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise_shortage(error, path)
        fault = system_fault_of(error, path)
        if fault is not None:
            yield problem_of(fault, str(path))
            return
        yield _problem("The card is damaged.", path, expected, f"{type(error).__name__}: {error}")
        return
    if configs != named:
        found = ", ".join(map(str, configs))
        yield _problem("This is the card of another dataset.", path, expected, f"the configs {found}")


def _front_matter(path: Path) -> dict[str, Any]:
    text = read_bounded_file(path, MAX_CARD_BYTES, remedy=_AGAIN).decode()
    before, front, _ = text.replace("\r\n", "\n").split("---\n", 2)
    if before:
        raise ValueError("it does not begin with front matter")
    content: dict[str, Any] = yaml.safe_load(front)
    return content


def _find_unlisted(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Find Parquet files that `datasets` might take for shards; it passes over hidden ones."""
    listed = {RECIPE_NAME, *(shard.path for shard in manifest.shards)}
    for path in folder.rglob("*.parquet"):
        inside = path.relative_to(folder)
        if inside.as_posix() not in listed and not any(part.startswith(".") for part in inside.parts):
            yield Problem(
                what="There is a shard that the manifest does not list.",
                path=str(path),
                expected=f"the {len(manifest.shards)} shards in {MANIFEST_NAME}",
                actual="one more",
                remedy=_MOVE,
            )


def _problem(what: str, path: Path, expected: str, actual: object) -> Problem:
    return Problem(what=what, path=str(path), expected=expected, actual=str(actual), remedy=_AGAIN)
