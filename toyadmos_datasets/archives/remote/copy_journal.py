"""What of a volume is on the disk: lines appended to a file beside it, each safe against a crash by itself."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import Literal, TypeAlias

from toyadmos_datasets.archives.remote.byte_ranges import ByteRanges
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

_SAID = re.compile(rf"(have|gone|good|bad|whole) {NUMBER} {NUMBER}", re.ASCII)


class Journal:
    """The bytes of one volume that are on the disk, and which of them were found right.

    Every process may read it and append to it: a line is one small write to the end of the file. A line that
    a crash has torn does not match its checksum, and what it said is taken as not said: the bytes are fetched
    again.

    Args:
        path: The file; need not exist.
    """

    __slots__ = ("_offset", "_rest", "bad", "have", "is_whole", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""
        self.have, self.bad = ByteRanges(), ByteRanges()
        self.is_whole = False
        self.refresh()

    def refresh(self) -> None:
        """Take in what was appended, by whomever, since the last look."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:  # it was begun anew
                    self._offset, self._rest = 0, b""
                    self._forget_all()
                file.seek(self._offset)
                added = file.read(MAX_READ_BYTES)
        except FileNotFoundError:
            self._offset, self._rest = 0, b""
            self._forget_all()
            return
        self._offset += len(added)
        *lines, rest = (self._rest + added).split(b"\n")
        self._rest = rest[-LONGEST_LINE:]
        for line in lines:
            self._take(line)

    def append(self, word: Word, start: Bytes, stop: Bytes) -> None:
        """Write one line, durably; bytes that it speaks of must be synced before."""
        append_line(self.path, f"{word} {start} {stop}")
        self.refresh()

    def _take(self, line: bytes) -> None:
        said = _SAID.fullmatch(open_line(line) or "")
        if said is not None:
            word, start, stop = said.groups()
            self._apply(word, int(start), int(stop))

    def _apply(self, word: str, start: Bytes, stop: Bytes) -> None:
        if word == "have":
            self.have.add(start, stop)
        elif word in {"gone", "bad"}:
            self.have.remove(start, stop)
            self.is_whole = False
            if word == "bad":
                self.bad.add(start, stop)
        elif word == "good":
            self.bad.remove(start, stop)
        elif word == "whole":
            self.is_whole = True
            self.bad = ByteRanges()

    def _forget_all(self) -> None:
        self.have, self.bad = ByteRanges(), ByteRanges()
        self.is_whole = False


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


def open_line(line: bytes) -> str | None:
    """Return what a line says that `append_line` wrote; None for one that is torn, damaged or empty."""
    text, _, crc32 = line.rpartition(b" ")
    is_whole = bool(text) and text.isascii() and crc32 == b"%08x" % zlib.crc32(text)
    return text.decode() if is_whole else None
