"""The wording of errors: tests name the class and the facts, and one golden file has the sentences."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toyadmos_datasets import __version__
from toyadmos_datasets.errors import ToyAdmosError

GOLDEN = Path(__file__).parents[1] / "golden" / "error_wording.txt"
RENEWING = "TOYADMOS_RENEW_WORDING"
"""Names a folder into which tests write what they saw, in place of comparing it; `renew_wording.py` sets it."""

Wordings = Mapping[str, list[str]]
"""The texts of each test in the order in which it meets them, by its name."""

VARYING = (
    (r"(?<![0-9a-f])(?:[0-9a-f]{32,64}|[0-9a-f]{16})(?![0-9a-f])", "HASH"),
    (r"\bCRC32 [0-9a-f]{8}\b", "CRC32 HASH"),
    (r"\bbytes \d+ to \d+", "bytes N to N"),
    (r"(127\.0\.0\.1|localhost):\d+", r"\1:PORT"),
    (r"(PORT/\S*\.7z\.|: bytes of \S+\.7z\.)\d+", r"\1N"),  # threads fetch volumes at once: any may be the first
    (r"\b\d+-\d+/\d+", "N-N/N"),
    (r"\bbyte \d{4,}", "byte N"),
    (r"(?m)^(  actual: .*?\b[A-Z]\w*(?:Error|Invalid|File|Timeout|Exception)): .*$", r"\1: .."),
    (r"(?m)^(  actual: +).*: line \d+ column \d+ \(char \d+\)$", r"\1.."),
    (r"'[\w-]+' codec can't decode .*", ".."),
    (r"\b\d{4,} ((?:decoded |packed )?bytes)\b", r"N \1"),
    (r"git -C \S+ pull && pip install --editable \S+", "git -C CHECKOUT pull && pip install --editable CHECKOUT"),
    (r"pip install --editable '?[^'\s\[]+\[(\w+)\]'?", r"pip install --editable CHECKOUT[\1]"),
    (r"\bprocess \d+", "process N"),
    (r'ETag was "\d+" and is "\d+"', 'ETag was "N" and is "N"'),
    (r"\bHOST\.\d+\.[0-9a-f]+\b", "HOST.N.HASH"),
    (r"\b\d[\d.]* [kMGT]?B free", "N free"),
)
"""What another machine, run or version of a library says otherwise: numbers of packed bytes, and others' reasons."""


@dataclass(slots=True, kw_only=True)
class _Test:
    """A test that runs, and what errors said in it."""

    name: str
    golden: Wordings | None
    folder: str
    seen: list[str] = field(default_factory=list)


_RUNNING: list[_Test] = []
_NOTED: list[tuple[str, list[str]]] = []


@contextlib.contextmanager
def wording_of(name: str, golden: Wordings | None, folder: str) -> Iterator[_Test]:
    """Compare what errors say in the block with what `golden` has of the test `name`, or only note it without one.

    Args:
        name: The test, as in the golden file.
        golden: What is expected; none where the file is renewed.
        folder: The temporary folder of the whole run; paths in it are the same for every run.
    """
    test = _Test(name=name, golden=golden, folder=folder)
    _RUNNING.append(test)
    try:
        yield test
    finally:
        _RUNNING.remove(test)
    if golden is not None:
        spare = golden.get(name, [])[len(test.seen) :]
        assert not spare, f"No error said what {GOLDEN.name} has of this test. {how_to_renew(name)}\n{spare[0]}"


@contextlib.contextmanager
def refused(kind: type[Exception], *facts: object) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect an error of a class, with facts in its text, in the words that the golden file has.

    Args:
        kind: The class of the error, or a base of it.
        facts: What the text has to name, whatever its words are: options, files, numbers.
    """
    __tracebackhide__ = True
    with pytest.raises(kind) as caught:
        yield caught
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for fact in facts:
        assert str(fact) in text
    code = f" ({caught.value.code})" if isinstance(caught.value, ToyAdmosError) else ""
    hold(f"{type(caught.value).__name__}{code}: {text}")


@contextlib.contextmanager
def warned(kind: type[Warning]) -> Iterator[pytest.WarningsRecorder]:
    """Expect warnings of a class in the words that the golden file has."""
    __tracebackhide__ = True
    with pytest.warns(kind) as caught:
        yield caught
    for one in caught:
        hold(f"{one.category.__name__}: {one.message}")


def hold(text: str) -> None:
    """Compare a text with the next one that the golden file has of the running test."""
    __tracebackhide__ = True
    test = _RUNNING[-1]
    said = alike(text, test.folder)
    if test.golden is not None:
        expected = test.golden.get(test.name, [])[len(test.seen) :][:1]
        if [said] != expected:
            was = expected[0] if expected else "nothing"
            pytest.fail(
                f"An error has other words.\n{how_to_renew(test.name)}\nwas:\n{was}\nis:\n{said}", pytrace=False
            )
    test.seen.append(said)


def hold_printed(text: str) -> None:
    """Compare the error that a command printed, without the lines before it, with the golden file."""
    __tracebackhide__ = True
    before, sign, error = text.partition("error: ")
    assert sign, before
    hold(sign + error)


def how_to_renew(name: str) -> str:
    """Say how the golden file is renewed after the wording was changed on purpose."""
    return f"If it should: python tests/support/renew_wording.py tests/{name.partition('::')[0]}"


def alike(text: str, folder: str) -> str:
    """Return a text without what differs between runs and machines, with no blanks at the ends of lines."""
    for place in sorted({folder, os.path.realpath(folder)}, key=len, reverse=True):
        text = re.sub(rf"{re.escape(place)}/[\w.-]+", "TMP", text)
    places = {str(Path(__file__).parents[2]): "REPOSITORY", str(Path.home()): "HOME", tempfile.gettempdir(): "TEMP"}
    for place, name in places.items():
        text = re.sub(rf"{re.escape(place)}(?![\w.-])", name, text)
    text = text.replace(platform.node(), "HOST").replace(__version__, "VERSION")
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()


def read_golden(path: Path = GOLDEN) -> dict[str, list[str]]:
    """Read the golden file: a test's name, then each of its texts, the first line by 2 blanks, the others by 4."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").split("\n") if path.exists() else ():
        if line.startswith("    ") or (not line and name):
            found[name][-1] += "\n" + line[4:]
        elif line.startswith("  "):
            found[name].append(line[2:])
        elif line:
            name = line
            found[name] = []
    return {name: [text.rstrip("\n") for text in texts] for name, texts in found.items()}


def write_golden(wordings: Wordings, path: Path = GOLDEN) -> None:
    """Write the golden file, sorted by the tests' names."""
    lines: list[str] = []
    for name, texts in sorted(wordings.items()):
        if texts:
            lines += [name, *("  " + text.replace("\n", "\n    ") for text in texts)]
    text = "\n".join(line.rstrip() for line in "\n".join(lines).split("\n"))
    path.write_text(text + "\n", encoding="utf-8")


def name_of(item: pytest.Item) -> str:
    """Return the name that the golden file has for a test: its file, its function and its parameters."""
    return f"{item.path.name}::{item.nodeid.partition('::')[2]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Compare the errors of each test with the golden file, or note them where that is renewed."""
    noted = os.environ.get(RENEWING)
    name, folder = name_of(item), str(item.config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]
    with wording_of(name, None if noted else _golden_once(), folder) as test:
        result = yield
    if noted:
        _NOTED.append((test.name, test.seen))
    return result


def pytest_runtest_logfinish() -> None:
    """Write what a test noted, once its own changes to the system are undone."""
    if _NOTED:
        _note(Path(os.environ[RENEWING]), "seen", _NOTED)
        _NOTED.clear()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which tests there are, where the golden file is renewed."""
    if noted := os.environ.get(RENEWING):
        _note(Path(noted), "collected", [name_of(item) for item in session.items])


def _note(folder: Path, kind: str, rows: list[Any]) -> None:
    with (folder / f"{os.getpid()}.{kind}").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@functools.cache
def _golden_once() -> dict[str, list[str]]:
    return read_golden()
