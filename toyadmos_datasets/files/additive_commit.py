"""Adding to a visible folder: existing files stay, and one rename shows the new ones.

Some files describe the content, the last of which says what belongs to it. New content goes to places that no
description names; then the descriptions are replaced, one after the other, the last one last. Until then, copies of the
old ones allow to take everything back.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.errors import OutputConflictError
from toyadmos_datasets.files.atomic import sync_folder, write_file, writing
from toyadmos_datasets.files.checked_json import read_json, write_json
from toyadmos_datasets.files.safe_paths import inside

_BEFORE = "before"
"""In the working folder: the descriptions that are replaced."""
_NAMES = "added.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveCommit:
    """The last step of a job that adds to a folder.

    Attributes:
        folder: What is shown.
        working: Where the job has collected what is new, at the same places as in `folder`.
        descriptions: Names of the files that describe the content, in the order in which they are replaced.
    """

    folder: Path
    working: Path
    descriptions: tuple[str, ...]

    @property
    def is_cut(self) -> bool:
        """Whether it was begun and not finished."""
        last = self.descriptions[-1]
        return (self.working / last).exists() and (self._before / last).exists()

    def clear(self) -> None:
        """Remove what a finished one left, because it was cut while it cleaned up; call it before `run` is prepared."""
        with writing(self.folder):
            if self._before.exists():
                shutil.rmtree(self._before)

    def run(self, new: Sequence[str]) -> None:
        """Show some new files or folders, and the descriptions that name them.

        Args:
            new: Their names, relative to the folder, which has nothing there.

        Raises:
            OutputConflictError: It has.
            OutputError: A step failed; `take_back` undoes what was done.
        """
        for name in new:
            if (self.folder / name).exists():
                raise _occupied(self.folder / name)
        with writing(self.folder):
            write_json(self._before / _NAMES, {"added": list(new)})
            for name in self.descriptions:
                with write_file(self._before / name) as file:
                    file.write((self.folder / name).read_bytes())
            for name in new:
                _move(self.working / name, self.folder / name)
            for name in self.descriptions:
                _move(self.working / name, self.folder / name)
            shutil.rmtree(self.working)

    def take_back(self) -> None:
        """Undo one that was cut: the old descriptions first, and what they do not name after them.

        Raises:
            DatasetError: What it takes to undo it is damaged.
            OSError: A step failed; the next call goes on from there.
        """
        if not self.is_cut:
            return
        *others, last = self.descriptions
        for name in others:
            if (self._before / name).exists():
                _move(self._before / name, self.folder / name)
        for name in read_json(self._before / _NAMES)["added"]:
            shown, collected = inside(self.folder, name), inside(self.working, name)
            if shown.exists() and not collected.exists():
                _move(shown, collected)
        _move(self._before / last, self.folder / last)

    @property
    def _before(self) -> Path:
        return self.working / _BEFORE


def _move(path: Path, to: Path) -> None:
    """Move a file or folder, in the place of a file that is there, and sync what has changed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    path.replace(to)
    sync_folder(to.parent)
    sync_folder(path.parent)


def _occupied(place: Path) -> OutputConflictError:
    return OutputConflictError(
        "There is something in the place of a new config.",
        where=place,
        expected="nothing yet",
        actual="files that the manifest does not list",
        remedy="Move it out of the folder, then run the same command again; toyadmos verify DIR lists such files.",
    )
