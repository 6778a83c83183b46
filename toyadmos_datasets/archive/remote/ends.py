"""How far a block's packed bytes reach for its decoded ones, where that was found out by reading and checking it."""

from __future__ import annotations

import re
from pathlib import Path

from toyadmos_datasets.archive.remote.journal import MAX_READ_BYTES, NUMBER, append_line, open_line
from toyadmos_datasets.units import Bytes

FILE_NAME = "blocks.read"

_SAID = re.compile(rf"{NUMBER} {NUMBER} {NUMBER}", re.ASCII)


class BlockEnds:
    """What readers of an archive's copies have found out; each line by one of them, safe as those of a journal.

    Args:
        folder: Where the copies are.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._stops: dict[tuple[int, Bytes], Bytes] = {}
        for line in _lines_of(self._path):
            said = _SAID.fullmatch(open_line(line) or "")
            if said is not None:
                block, n_decoded, stop = map(int, said.groups())
                self._stops[block, n_decoded] = stop

    def stop_of(self, block: int, n_decoded: Bytes) -> Bytes | None:
        """Return where in the archive the bytes end that give so many decoded ones; None if nobody knows."""
        return self._stops.get((block, n_decoded))

    def note(self, block: int, n_decoded: Bytes, stop: Bytes) -> None:
        """Write down, durably, that recordings up to there were right."""
        known = self.stop_of(block, n_decoded)
        if known is None or stop < known:
            append_line(self._path, f"{block} {n_decoded} {stop}")
            self._stops[block, n_decoded] = stop


def _lines_of(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return file.read(MAX_READ_BYTES).split(b"\n")
    except FileNotFoundError:
        return []
