"""The copies of all volumes seen as one archive: which of its bytes are there."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from toyadmos_datasets.archives.remote.byte_ranges import Span
from toyadmos_datasets.archives.remote.copy_journal import Journal, Word
from toyadmos_datasets.archives.remote.volume_copy import JOURNAL_SUFFIX
from toyadmos_datasets.archives.remote.volume_list import VolumeList
from toyadmos_datasets.units import Bytes


class VolumeLayout:
    """Where each volume begins in the joined archive.

    Args:
        sizes: Sizes of the volumes, in order.
    """

    def __init__(self, sizes: Sequence[Bytes]) -> None:
        self.starts = tuple(itertools.accumulate(sizes, initial=0))

    def split(self, start: Bytes, stop: Bytes) -> Iterator[tuple[int, Bytes, Bytes]]:
        """Cut a range of the archive at the borders of volumes: number, and range in that volume."""
        number = self.number_at(start)
        while start < stop:
            base, end = self.starts[number], self.starts[number + 1]
            yield number, start - base, min(stop, end) - base
            start = min(stop, end)
            number += 1

    def number_at(self, position: Bytes) -> int:
        """Return the number of the volume that holds a byte."""
        return bisect.bisect_right(self.starts, position) - 1


class Present:
    """Reads what the journals say, also while another process writes them.

    Args:
        journals: One for each volume, in order.
        layout: Where the volumes begin.
    """

    def __init__(self, journals: Sequence[Journal], layout: VolumeLayout) -> None:
        self._journals = journals
        self._layout = layout

    def refresh(self, position: Bytes) -> None:
        """Take in what was added to the volume that holds a byte."""
        self._journals[self._layout.number_at(position)].refresh()

    def reach(self, position: Bytes) -> Bytes:
        """Return up to where bytes from `position` on are there, at most to the end of its volume."""
        number = self._layout.number_at(position)
        base = self._layout.starts[number]
        return base + self._journals[number].have.reach(position - base)

    def gaps(self, start: Bytes, stop: Bytes) -> list[Span]:
        """Return the parts of a range that are not there."""
        found = []
        for number, a, b in self._layout.split(start, stop):
            base = self._layout.starts[number]
            found += [(base + one, base + other) for one, other in self._journals[number].have.gaps(a, b)]
        return found

    def n_missing(self, start: Bytes, stop: Bytes) -> Bytes:
        """Count the bytes of a range that are not there."""
        return sum(b - a for a, b in self.gaps(start, stop))

    def mark(self, word: Word, start: Bytes, stop: Bytes) -> None:
        """Write down what was found out about a range; volumes that are right as a whole need no such words."""
        for number, a, b in self._layout.split(start, stop):
            if not self._journals[number].is_whole:
                self._journals[number].append(word, a, b)

    def is_settled(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether all volumes of a range are right as a whole."""
        return all(self._journals[number].is_whole for number, _, _ in self._layout.split(start, stop))

    def has_suspects(self, start: Bytes, stop: Bytes) -> bool:
        """Tell whether bytes of a range are to be fetched again because recordings in them were wrong."""
        return any(self._journals[number].bad.meets(a, b) for number, a, b in self._layout.split(start, stop))


def journals_of(folder: Path, manifest: VolumeList) -> tuple[Journal, ...]:
    """Open the journals of an archive's copies."""
    return tuple(Journal(folder / f"{volume.name}{JOURNAL_SUFFIX}") for volume in manifest.volumes)


def present_in(folder: Path, manifest: VolumeList) -> Present:
    """Look at an archive's copies."""
    return Present(journals_of(folder, manifest), VolumeLayout([volume.n_bytes for volume in manifest.volumes]))
