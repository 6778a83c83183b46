"""How tests prepare: as a library, as a command inside this process, and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from toyadmos_datasets.cli.main import run
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import Encoding, RenderOptions

COMMAND = [sys.executable, "-c", "from toyadmos_datasets.cli import main; main()"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


def options(source: Path, place: Path, **changed: Any) -> PrepareOptions:
    """Ask for `place`/out, by way of `place`/cache; `changed` are attributes of any of the option classes."""
    of_plan = {name: changed.pop(name) for name in PlanOptions.__slots__ if name in changed}
    encoding = Encoding(**{name: changed.pop(name) for name in Encoding.__slots__ if name in changed})
    of_render = {name: changed.pop(name) for name in RenderOptions.__slots__ if name in changed}
    places = {"out": place / "out", "cache": place / "cache"} | changed
    return PrepareOptions(
        plan=PlanOptions(**{"toy": "ToyTrain"} | of_plan),
        render=RenderOptions(encoding=encoding, **of_render),
        source=str(source),
        **places,
    )


def toyadmos(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    """Run a command in this process."""
    capsys.readouterr()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # as `start` does
    status = run([str(one) for one in arguments])
    captured = capsys.readouterr()
    return Ran(status=status, out=captured.out, err=captured.err)


def fields(text: str) -> dict[str, str]:
    """Read the error block that a command printed: the sentence, and the facts by name."""
    sentence, *lines = text.rstrip("\n").split("\n")
    assert sentence.startswith("error: ")
    return {"what": sentence.removeprefix("error: ")} | {
        name.strip(): value.strip() for name, value in (line.split(":", 1) for line in lines)
    }


def toyadmos_process(*arguments: object, env: Mapping[str, str] | None = None) -> Ran:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        env=dict(os.environ) | dict(env or {}),
    )
    return Ran(status=done.returncode, out=done.stdout, err=done.stderr)


def hashes(folder: Path) -> dict[str, str]:
    """Path to SHA-256 of every file in a folder, but for locks and what is hidden."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    visible = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in visible}


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Path to size and time of change of everything in a folder, hidden or not."""
    places = [folder, *sorted(folder.rglob("*"))]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in places}
