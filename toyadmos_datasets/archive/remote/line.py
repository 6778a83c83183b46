"""What readers of an archive and its fetcher tell each other, from process to process: small files in a folder."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from toyadmos_datasets.errors import FetchError
from toyadmos_datasets.units import Bytes

_PREFIX = ".fetching-"
_OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Readers ask for bytes, the fetcher says when it is over.

    Attributes:
        folder: Where it runs.
        pid: The fetcher's process.
        host: Its machine.
    """

    folder: Path
    pid: int
    host: str

    def ask(self, block: int, position: Bytes, n_decoded: Bytes) -> None:
        """Ask for more of a block: all bytes before `position` were used and gave `n_decoded`."""
        with contextlib.suppress(FileNotFoundError):  # it is over; `require_open` says so
            (self.folder / f"need-{block}").write_text(f"{position} {n_decoded} .", encoding="ascii")

    def asked(self) -> dict[int, tuple[Bytes, Bytes]]:
        """Return what was asked for last, by block."""
        found = {}
        for path in self.folder.glob("need-*"):
            with contextlib.suppress(OSError, ValueError):  # one that is just being written counts at the next look
                position, n_decoded, end = path.read_text(encoding="ascii").split(" ")
                if end == ".":
                    found[int(path.name.removeprefix("need-"))] = (int(position), int(n_decoded))
        return found

    def end(self) -> None:
        """Tell the readers that nothing more will come."""
        (self.folder / _OVER).touch()

    def require_open(self) -> None:
        """Raise if nothing more will come.

        Raises:
            FetchError: The fetch has failed or was stopped, or its process died.
        """
        if (self.folder / _OVER).exists() or not self.folder.exists() or not self._is_alive():
            raise FetchError(
                "The fetch ended before everything was there.",
                where=self.folder.parent,
                remedy="What was fetched is kept: run the same command again.",
            )

    def _is_alive(self) -> bool:
        if self.host != platform.node() or os.name != "posix":
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def open_line(folder: Path) -> Line:
    """Make a line in the folder of an archive's copies; the caller holds the folder's lock, so older ones are dead."""
    for left in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    return Line(folder=Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder)), pid=os.getpid(), host=platform.node())


def close_line(line: Line) -> None:
    """End it and remove it."""
    with contextlib.suppress(OSError):
        line.end()
    shutil.rmtree(line.folder, ignore_errors=True)
