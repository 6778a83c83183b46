"""Links between the pages of one dataset that lie in one folder: of the dataset, its audit and its runs.

A page says in its first bytes of what kind it is and which datasets it is about. Who writes a page finds the others by
that, and puts a link to the new one into them. What stands between the two marks is all that is changed of a page.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.reading import file_errors, read_bounded_file
from toyadmos_datasets.units import Bytes

Kind: TypeAlias = Literal["dataset", "audit", "run", "runs"]

BEGIN, END = b"<!-- pages -->", b"<!-- /pages -->"

_HEAD_BYTES = 1 << 15
"""Of a page: what it is about and its links stand in these."""

_MOST_BYTES: Bytes = 1 << 29
_MOST_PAGES = 1000
_FACTS = re.compile(rb'<meta name="toyadmos-page" content="([a-z]+) ([0-9a-f ]*)">')
_TITLE = re.compile(rb"<title>(.*?)</title>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A page beside another.

    Attributes:
        path: The file.
        kind: ``dataset``, ``audit``, ``run`` or ``runs``.
        title: Its title.
        datasets: Recipe hashes of the datasets that it is about.
    """

    path: Path
    kind: str
    title: str
    datasets: frozenset[str]

    @property
    def address(self) -> str:
        """Its address, relative to the folder."""
        return quote(os.fsencode(self.path.name))


def pages_beside(out: Path, datasets: Sequence[str]) -> list[PageLink]:
    """Return the pages in a page's folder that are about one of its datasets, by kind and name.

    Args:
        out: The page, which need not be there.
        datasets: Recipe hashes of the datasets that it is about.
    """
    wanted = frozenset(datasets)
    if not wanted or not out.parent.is_dir():
        return []
    others = islice((one for one in sorted(out.parent.glob("*.html")) if one.name != out.name), _MOST_PAGES)
    found = [link for one in others if (link := page_link(one)) is not None and link.datasets & wanted]
    return sorted(found, key=lambda one: (one.kind, one.path.name))


def page_link(path: Path) -> PageLink | None:
    """Return what a file says that it is; None where it is no page of this package, or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD_BYTES) if path.is_file() else b""
    except OSError:
        return None
    facts, title = _FACTS.search(start), _TITLE.search(start)
    if facts is None or title is None or BEGIN not in start:
        return None
    text = html.unescape(title[1].decode("utf-8", "replace"))
    datasets = frozenset(facts[2].decode().split())
    return PageLink(path=path, kind=facts[1].decode(), title=text, datasets=datasets)


def replace_links(path: Path, links: bytes) -> None:
    """Put links between the marks of a page, unless they stand there.

    Raises:
        OutputError: The page cannot be written.
        DatasetError: It cannot be read.
    """
    with file_errors(path):
        content = read_bounded_file(path, _MOST_BYTES, remedy="Write the page again.")
    before, begin, rest = content.partition(BEGIN)
    old, end, after = rest.partition(END)
    if begin and end and old != links:
        with write_file(path) as file:
            file.write(before + begin + links + end + after)
