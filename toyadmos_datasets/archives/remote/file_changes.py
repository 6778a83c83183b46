"""What a server's replies say of its files, so that one that changes while it is fetched is told from a damaged one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import httpx2 as httpx

from toyadmos_datasets.archives.remote.http_request import shown_url
from toyadmos_datasets.errors import FetchError

_TOTAL = re.compile(r"bytes (?:[0-9]+-[0-9]+|\*)/([0-9]+)")
_GONE = {404, 410}
_GIVEN = {200, 206}
_NO_RANGE = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMark:
    """What one reply says of the file that it gives bytes of; empty where it says nothing.

    Attributes:
        etag: Its mark.
        modified: When it was last changed.
        size: How many bytes it has.
    """

    etag: str = ""
    modified: str = ""
    size: str = ""

    def differences(self, other: FileMark) -> Iterator[str]:
        """Yield in words what is another now; a strong mark that is the same outweighs a date."""
        is_same = self.etag == other.etag and self.etag.startswith('"')
        for field in fields(self):
            before, now = getattr(self, field.name), getattr(other, field.name)
            if before and now and before != now and not (is_same and field.name == "modified"):
                yield f"its {_NAMES[field.name]} was {before} and is {now}"


_NAMES = {"etag": "ETag", "modified": "Last-Modified", "size": "size"}


class FileMarks:
    """What was said of files during one fetch, by name; safe to use from several threads.

    A date or a weak mark that is another may mean nothing, because several servers often stand behind one address.
    It is remembered all the same: should the bytes turn out to be wrong, it tells why.
    """

    def __init__(self) -> None:
        self._first: dict[str, FileMark] = {}
        self._changes: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def changes(self) -> Mapping[str, str]:
        """How files differ from what was first said of them, in words, by name."""
        return dict(self._changes)

    def note(self, name: str, response: httpx.Response) -> str:
        """Take in a reply; return in words how the file differs from the first reply, nothing if it does not."""
        with self._lock:
            first = self._first.get(name)
            if response.status_code in _GONE:
                change = f"bytes of it came before, and now status {response.status_code}" if first else ""
            else:
                now = _mark_of(response)
                if first is None:
                    if now != FileMark() and response.status_code in _GIVEN:
                        self._first[name] = now
                    return ""
                change = "; ".join(first.differences(now))
            if change:
                self._changes[name] = change
            return change


def changed_file(address: str, expected: str, actual: str) -> FetchError:
    """The error for a file that became another one while it was fetched."""
    return FetchError(
        "The file changed on the server while it was fetched.",
        where=shown_url(address),
        expected=expected,
        actual=actual,
        remedy="Run the same command again when the file is not being replaced any more; what is right of what was "
        "fetched is kept. If it is another file for good, try another --source.",
    )


def _mark_of(response: httpx.Response) -> FileMark:
    """Read a reply's headers; a web page, packed bytes and errors say nothing of the file."""
    headers = response.headers
    total = _TOTAL.fullmatch(headers.get("content-range", "").strip())
    if response.status_code == _NO_RANGE:
        return FileMark(size=total[1] if total else "")
    is_page = headers.get("content-type", "").startswith("text/html")
    is_packed = headers.get("content-encoding", "identity") != "identity"
    if response.status_code not in _GIVEN or is_page or is_packed:
        return FileMark()
    whole = headers.get("content-length", "") if response.status_code == httpx.codes.OK else ""
    return FileMark(
        etag=headers.get("etag", ""), modified=headers.get("last-modified", ""), size=total[1] if total else whole
    )
