"""The journal of fetched ranges: lines appended beside the volumes, each safe against a crash by itself."""

from __future__ import annotations

import os
import re
import threading
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal, TypeAlias

from toyadmos_datasets.archives.remote.block_ranges import ByteRanges
from toyadmos_datasets.files.atomic import sync_folder, writing
from toyadmos_datasets.units import Bytes

Word: TypeAlias = Literal["have", "gone", "good", "bad", "whole"]
"""``have``: these bytes are written and synced. ``gone``: they are not any more. ``good``: recordings in them
had the right CRC32. ``bad``: some had not, so these bytes are fetched again. ``whole``: the MD5 is right."""

MAX_READ_BYTES: Bytes = 1 << 24
"""At most so much of a file is taken in at a look; a volume's journal has a thousandth of it."""

LONGEST_LINE: Bytes = 128
"""What is longer is no line, and is passed over."""

NUMBER = r"(0|[1-9][0-9]{0,17})"
"""A number of bytes, as it is written: neither signed nor beyond what a file system counts to."""

_JOURNAL_LINE = re.compile(rf"(have|gone|good|bad|whole) {NUMBER} {NUMBER}", re.ASCII)
_STOP_LINE = re.compile(rf"{NUMBER} {NUMBER} {NUMBER}", re.ASCII)


class SharedLines(ABC):
    """A file of lines that every process and thread may read and append to.

    A line is one small write to the end of the file. A line that a crash has torn does not match its checksum, and
    counts as not written.

    Args:
        path: The file; need not exist.
    """

    __slots__ = ("_lock", "_offset", "_rest", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._offset = 0
        self._rest = b""
        self._clear()
        self.refresh()

    def refresh(self) -> None:
        """Read the lines that any process appended since the last call."""
        with self._lock:
            for line in self._added():
                text = _intact_text(line)
                if text is not None:
                    self._take(text)

    def _added(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:  # it was begun anew
                    self._begin_anew()
                file.seek(self._offset)
                added = file.read(MAX_READ_BYTES)
        except FileNotFoundError:
            self._begin_anew()
            return []
        self._offset += len(added)
        *lines, rest = (self._rest + added).split(b"\n")
        self._rest = rest[-LONGEST_LINE:]
        return lines

    def _begin_anew(self) -> None:
        self._offset, self._rest = 0, b""
        self._clear()

    @abstractmethod
    def _clear(self) -> None:
        """Forget what lines said."""

    @abstractmethod
    def _take(self, text: str) -> None:
        """Take in an intact line."""


class CopyJournal(SharedLines):
    """The bytes of one volume that are on the disk, and which of them were found right.

    Attributes:
        present: Bytes that are there.
        suspect: Bytes that are fetched again because recordings in them were wrong.
        is_verified: Whether the whole volume was right by its MD5.
    """

    __slots__ = ("is_verified", "present", "suspect")

    present: ByteRanges
    suspect: ByteRanges
    is_verified: bool

    def append(self, word: Word, start: Bytes, stop: Bytes) -> None:
        """Write one line, durably; bytes that it speaks of must be synced before."""
        append_line(self.path, f"{word} {start} {stop}")
        self.refresh()

    def _take(self, text: str) -> None:
        said = _JOURNAL_LINE.fullmatch(text)
        if said is not None:
            word, start, stop = said.groups()
            self._apply(word, int(start), int(stop))

    def _apply(self, word: str, start: Bytes, stop: Bytes) -> None:
        if word == "have":
            self.present.add(start, stop)
        elif word in {"gone", "bad"}:
            self.present.remove(start, stop)
            self.is_verified = False
            if word == "bad":
                self.suspect.add(start, stop)
        elif word == "good":
            self.suspect.remove(start, stop)
        elif word == "whole":
            self.is_verified = True
            self.suspect = ByteRanges()

    def _clear(self) -> None:
        self.present, self.suspect = ByteRanges(), ByteRanges()
        self.is_verified = False


class VerifiedStops(SharedLines):
    """How far in the archive the bytes reach that gave right recordings, as readers have found out."""

    __slots__ = ("_stops",)

    _stops: dict[tuple[int, Bytes], Bytes]

    def stop_of(self, block: int, n_decoded: Bytes) -> Bytes | None:
        """Return where in the archive the bytes end that give so many decoded ones; None if nobody knows."""
        return self._stops.get((block, n_decoded))

    def record(self, block: int, n_decoded: Bytes, stop: Bytes) -> None:
        """Write down, durably, that recordings up to there were right."""
        known = self.stop_of(block, n_decoded)
        if known is None or stop < known:
            append_line(self.path, f"{block} {n_decoded} {stop}")
            self.refresh()

    def _take(self, text: str) -> None:
        said = _STOP_LINE.fullmatch(text)
        if said is not None:
            block, n_decoded, stop = map(int, said.groups())
            self._stops[block, n_decoded] = stop

    def _clear(self) -> None:
        self._stops = {}


def append_line(path: Path, text: str) -> None:
    """Add a line to a file that several processes add to, durably and with its own checksum."""
    content = text.encode()
    is_new = not path.exists()
    # Begins with a line break: should a torn line stand at the end, this one is still whole.
    line = b"\n%s %08x\n" % (content, zlib.crc32(content))
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(path.parent)


def _intact_text(line: bytes) -> str | None:
    """Return what a line says that `append_line` wrote; None for one that is torn, damaged or empty."""
    text, _, crc32 = line.rpartition(b" ")
    is_intact = bool(text) and text.isascii() and crc32 == b"%08x" % zlib.crc32(text)
    return text.decode() if is_intact else None
