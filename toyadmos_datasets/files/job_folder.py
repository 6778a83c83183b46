"""The folder of a job: one request, one writer, resumed after an interrupt, and shown complete or not at all.

A job collects its files in `.partial/`. A commit then hides what the folder shows, moves the new parts to their places
in a fixed order, and shows last the file that says that all is there. Every step is a rename, so a commit that is cut
can be taken back.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.errors import ClippingError, DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.atomic import remove_leftovers, sync_folder, write_file, writing
from toyadmos_datasets.files.checked_json import canonical_json, read_json, write_json
from toyadmos_datasets.files.lock import HOLDER_NAME, LOCK_NAME, folder_lock
from toyadmos_datasets.files.safe_paths import inside
from toyadmos_datasets.units import Bytes

State: TypeAlias = Literal["new", "cut", "done", "replace", "add"]

_PARTIAL = ".partial"
"""Where a job collects its files; `datasets` does not look into hidden folders."""
_REPLACED = "replaced"
"""In there: what the folder showed before, until the new content is whole."""
_JOB = "job.json"
_LONGEST_SHOWN = 80
_MENDED_BY_OTHER_OPTIONS = (ClippingError, OptionError)
"""Errors that the same request would meet again and again."""


def is_committing(folder: Path, last: str) -> bool:
    """Whether new content is on its way into a folder, or was when its process was killed.

    Args:
        folder: A folder whose job collects its parts directly in `.partial/`.
        last: The part that is shown last.
    """
    return (folder / _PARTIAL / last).exists() and not (folder / last).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFolder:
    """A folder that a job fills.

    Attributes:
        path: Where.
        request: What is asked for, as JSON values; a folder takes one request.
        parts: Names of what the folder shows, in the order of a commit; the last says that all is there.
        maker: The job, as errors call it.
        other: What an error says of a folder that was filled for another request.
        remedy: What to do about that.
    """

    path: Path
    request: dict[str, Any]
    parts: tuple[str, ...]
    maker: str
    other: str
    remedy: str

    @property
    def workplace(self) -> Path:
        """The folder that is locked while the job runs."""
        return self.path

    @property
    def partial(self) -> Path:
        """Where the job leaves what a later run goes on with."""
        return self.workplace / _PARTIAL

    @property
    def files(self) -> Path:
        """Where the parts are collected until all are there."""
        return self.partial / "files"

    @property
    def has_finished(self) -> bool:
        """Whether a cut run left something that the next run can use."""
        return any(path.is_file() for path in self.files.rglob("*"))

    @property
    def has_leftovers(self) -> bool:
        """Whether a run that was cut left anything beside what the folder shows."""
        temporary = self.path.glob(".*.tmp")
        return self.partial.exists() or (self.path / HOLDER_NAME).exists() or any(temporary)

    def read_request(self, path: Path) -> dict[str, Any]:
        """Read which request a folder was filled, or begun, for; a damaged file is of no request.

        Raises:
            DatasetError: The system does not let us read the file.
        """
        try:
            found = read_json(path).get("request")
        except DatasetError as error:
            if isinstance(error.__cause__, OSError):  # which says nothing of what it was filled for
                raise
            return {}
        return found if isinstance(found, dict) else {}

    def state(self, *, overwrite: bool = False) -> State:
        """Tell what is in the folder: nothing, a cut run, what is asked for, or something to be replaced or added to.

        Raises:
            OptionError: It is a file, or would be inside one.
            OutputConflictError: Something else is there; nothing is touched.
            OutputError: The folder cannot be looked at.
        """
        with writing(self.path):
            self.refuse_file()
            is_hidden = self._is_committing  # by a commit that was cut
            done = (self.partial / _REPLACED if is_hidden else self.path) / self.parts[-1]
            is_done = done.exists()
        if is_done and not overwrite:
            state = self.state_of_done(done)
            return "cut" if is_hidden and state == "done" else state
        self._refuse_strangers()
        if is_done:
            return "replace"
        if (self.partial / _JOB).exists() and not overwrite:
            found = self.read_request(self.partial / _JOB)
            self.require_same(found, "The folder holds a run with other options that was cut.")
            return "cut"
        return "new"

    def require_usable(self) -> None:
        """Raise if a folder can hold no result, whatever is asked for; this is known before any work is done.

        Raises:
            OptionError: It is a file, or would be inside one.
            OutputConflictError: Something else is there; nothing is touched.
            OutputError: The folder cannot be looked at.
        """
        with writing(self.path):
            self.refuse_file()
            is_done = (self.path / self.parts[-1]).exists()
        if not is_done:
            self._refuse_strangers()

    def state_of_done(self, done: Path) -> State:
        """Tell what is to do where the folder was filled before.

        Args:
            done: The part that says so.

        Raises:
            OutputConflictError: It was filled for something else.
        """
        self.require_same(self.read_request(done), self.other)
        return "done"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other processes; an error inside leaves nothing new but what was finished.

        A commit that was cut, before or inside, is taken back: what the folder showed is whole again.

        Raises:
            BusyError: Another process is filling it.
            OutputError: A commit that was cut cannot be taken back.
        """
        made = [place for place in (self.workplace, *self.workplace.parents) if not place.exists()]
        with folder_lock(self.workplace):
            try:
                remove_leftovers(self.workplace)
                with writing(self.workplace):
                    self.take_back()
                yield
            except BaseException as error:
                with contextlib.suppress(OSError):  # the next run tries again
                    self.take_back()
                if isinstance(error, _MENDED_BY_OTHER_OPTIONS):  # which are another request, and need a free folder
                    self.discard_partial()
                self._leave(made)
                raise

    def resume(self, **basis: object) -> bool:
        """Go on with what a cut run of the same job left; begin anew, and return False, if there is none.

        Args:
            basis: What the bytes of the files follow from, beside the request.
        """
        job = {"request": self.request, **basis}
        with writing(self.workplace):
            if self._is_begun(job):
                self._remove_unfinished()
                return True
            shutil.rmtree(self.partial, ignore_errors=True)
            write_json(self.partial / _JOB, job)
            return False

    def place(self, path: str) -> Path:
        """Return where a file is collected.

        Raises:
            DatasetError: The path, which holds names from the data, would lead outside.
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

    def put_in_place(self) -> None:
        """Replace what the folder shows by the parts in `files`, of which the last is there too.

        Raises:
            OutputError: A step failed; what was done can be taken back.
        """
        with writing(self.path):
            self._remove_unfinished()
            replaced = self.partial / _REPLACED
            if replaced.exists():  # of a commit that was cut while it cleaned up
                shutil.rmtree(replaced)
            replaced.mkdir()
            for name in reversed(self.parts):
                if (self.path / name).exists():
                    _move(self.path / name, replaced / name)
            for name in self.parts:
                if (self.files / name).exists():
                    _move(self.files / name, self.path / name)
            shutil.rmtree(self.partial)

    def discard_partial(self) -> None:
        """Remove what a run left, but for old content that a commit hid there."""
        if not self._is_committing:
            shutil.rmtree(self.partial, ignore_errors=True)

    def strangers(self) -> list[str]:
        """Name what no job of this kind left in the folder."""
        if not self.path.exists():
            return []
        names = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        is_ours = (self.path / self.parts[-1]).exists() or self.partial.exists()
        return sorted(names - set(self.parts) if is_ours else names)

    def require_same(self, found: dict[str, Any], what: str) -> None:
        """Refuse a folder that was filled, or begun, for another request.

        Args:
            found: The request that it was filled for.
            what: What the error says of the folder.

        Raises:
            OutputConflictError: With the options that differ, and no others.
        """
        if canonical_json(found) != canonical_json(self.request):
            raise OutputConflictError(
                what,
                where=self.path,
                expected=_difference(self.request, found),
                actual=_difference(found, self.request),
                remedy=self.remedy,
            )

    def refuse_file(self) -> None:
        """Refuse an output that is a file, or that would be inside one.

        Raises:
            OptionError: It is.
        """
        there = next((place for place in (self.path, *self.path.parents) if place.exists()), self.path)
        if there.exists() and not there.is_dir():
            raise OptionError(
                "The output is a file." if there == self.path else "The output would be inside a file.",
                where=there,
                expected="a folder, or nothing yet",
                actual="a file",
                remedy="Choose a folder with --out.",
            )

    @property
    def _is_committing(self) -> bool:
        return (self.files / self.parts[-1]).exists() and not (self.path / self.parts[-1]).exists()

    def take_back(self) -> None:
        """Undo a commit that was cut, if one was: the old content is whole again, the new is as finished.

        Raises:
            OSError: A step failed; the next call goes on from there.
        """
        if not self._is_committing:
            return
        for name in reversed(self.parts):
            if (self.path / name).exists() and not (self.files / name).exists():
                _move(self.path / name, self.files / name)
        for name in self.parts:
            hidden = self.partial / _REPLACED / name
            if hidden.exists():
                _move(hidden, self.path / name)

    def _is_begun(self, job: dict[str, Any]) -> bool:
        try:
            return canonical_json(read_json(self.partial / _JOB)) == canonical_json(job)
        except DatasetError:
            return False

    def _remove_unfinished(self) -> None:
        """Remove files that were being written; their process is dead, or has lost the folder to us."""
        for path in self.partial.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _leave(self, made: list[Path]) -> None:
        """Leave the folder after an error: what the next run can use stays, and nothing else that is new."""
        if not self.has_finished:
            self.discard_partial()
        if not made or {path.name for path in self.workplace.iterdir()} - {LOCK_NAME, HOLDER_NAME}:
            return
        with contextlib.suppress(OSError):  # another process may have come in
            for name in (HOLDER_NAME, LOCK_NAME):
                (self.workplace / name).unlink(missing_ok=True)
            for place in made:
                place.rmdir()

    def _refuse_strangers(self) -> None:
        """Refuse a folder that holds what no run of ours left there: it is not ours to change."""
        with writing(self.path):
            strangers = self.strangers()
        if strangers:
            raise OutputConflictError(
                f"The output folder holds something that no {self.maker} left there.",
                where=self.path,
                expected=f"a new or empty folder, or one that a {self.maker} filled before",
                actual=", ".join(strangers[:5]) + (" .." if len(strangers) > 5 else ""),
                remedy="Choose another folder with --out; nothing was touched.",
            )


def _move(path: Path, to: Path) -> None:
    """Move a file or folder, so that a machine without power does not do later steps first."""
    path.replace(to)
    sync_folder(to.parent)
    sync_folder(path.parent)


def _difference(request: dict[str, Any], other: dict[str, Any]) -> str:
    """Spell the options of a request that differ from another's; of an option with settings, only those that do."""
    spelled = []
    for name in sorted(request.keys() | other.keys()):
        value, beside = request.get(name), other.get(name)
        if canonical_json(value) == canonical_json(beside):
            continue
        if isinstance(value, dict) and isinstance(beside, dict):
            spelled.append(f"{name} with {_difference(value, beside)}")
        else:
            spelled.append(f"{name}={_spelled(value)}")
    return ", ".join(spelled)


def _spelled(value: object) -> str:
    """Spell a value; a long list is told by its length and a hash."""
    text = canonical_json(value)
    if isinstance(value, (list, tuple)) and len(text) > _LONGEST_SHOWN:
        return f"{len(value)} values ({hashlib.sha256(text.encode()).hexdigest()[:16]})"
    return text
