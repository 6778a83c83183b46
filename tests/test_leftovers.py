"""Temporary files say whose they are; those of the dead go, those of the living stay."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.files import atomic
from toyadmos_datasets.files.atomic import (
    STALE_AFTER_S,
    remove_leftovers,
    temporary_folder,
    temporary_path,
    write_text,
)


@pytest.fixture(scope="module")
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(folder: Path, *, pid: int, host: str | None = None, age_s: float = 0) -> Path:
    """Leave a temporary file of another process."""
    name = temporary_path(folder).name.replace(f".{os.getpid()}.", f".{pid}.")
    path = folder / (name if host is None else name.replace(atomic._host(), host))
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_names_differ_and_are_hidden(tmp_path):
    names = {temporary_path(tmp_path).name for _ in range(1000)}

    assert len(names) == 1000
    assert all(name.startswith(".") for name in names)


def test_a_file_of_a_dead_process_is_removed_and_returned(tmp_path, dead_pid):
    left = leave(tmp_path, pid=dead_pid)

    assert remove_leftovers(tmp_path) == [left]
    assert not left.exists()


def test_a_file_of_a_living_process_stays(tmp_path):
    left = leave(tmp_path, pid=os.getppid(), age_s=10 * STALE_AFTER_S)

    assert remove_leftovers(tmp_path) == []
    assert left.exists()


def test_a_file_of_a_process_that_may_not_be_asked_stays(tmp_path, monkeypatch):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    left = leave(tmp_path, pid=1)
    monkeypatch.setattr(os, "kill", refuse)

    assert remove_leftovers(tmp_path) == []
    assert left.exists()


@pytest.mark.parametrize(("age_s", "is_removed"), [(0, False), (STALE_AFTER_S - 60, False), (STALE_AFTER_S + 60, True)])
def test_a_file_of_another_host_stays_for_a_day_whatever_runs_here(tmp_path, dead_pid, age_s, is_removed):
    left = leave(tmp_path, pid=dead_pid, host="elsewhere", age_s=age_s)
    remove_leftovers(tmp_path)

    assert left.exists() != is_removed


@given(name=st.from_regex(r"\A\.?[a-z.0-9-]{0,20}(\.tmp)?\Z"))
def test_files_of_others_are_never_touched(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("folder")
    path = folder / (name if name.strip(".") else f"x{name}")
    path.write_bytes(b"years of work")

    assert remove_leftovers(folder) == []
    assert path.read_bytes() == b"years of work"


def test_a_folder_that_does_not_exist_has_no_leftovers(tmp_path):
    assert remove_leftovers(tmp_path / "nowhere") == []


def test_a_host_with_an_odd_name_still_knows_its_own_files(tmp_path, dead_pid, monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "büro.pc/3 %d")
    left = leave(tmp_path, pid=dead_pid)

    assert left.parent == tmp_path
    assert remove_leftovers(tmp_path) == [left]


KILLED = """
    import os, signal, sys, time
    from pathlib import Path
    from toyadmos_datasets.engine import run_tasks
    from toyadmos_datasets.files.atomic import write_file

    def work(folder, watch):
        watch.advance(1)
        with write_file(folder / "page.html") as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    list(run_tasks(work, [Path(sys.argv[1])]))
"""


def killed_in_a_task(folder: Path, temporary: Path) -> None:
    """Let a process die by kill -9 while a task of it writes a file."""
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(folder)],
        check=False,
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == -signal.SIGKILL


def test_the_next_run_after_a_kill_removes_its_folder_of_reports(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    killed_in_a_task(tmp_path / "out", temporary)
    left = list(temporary.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    list(run_tasks(nothing, [1, 2]))

    assert len(left) == 1
    assert list(temporary.iterdir()) == []


def nothing(task: int, watch: Watch) -> None:
    """Do nothing."""


def test_the_next_file_in_a_folder_takes_away_what_a_killed_process_left_there(tmp_path):
    killed_in_a_task(tmp_path / "out", tmp_path / "temporary")
    left = [path.name for path in (tmp_path / "out").iterdir()]
    write_text(tmp_path / "out" / "page.html", "whole")

    assert [name.endswith(".tmp") for name in left] == [True]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["page.html"]


def test_a_folder_of_a_living_process_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("watch") as first, temporary_folder("watch") as second:
        both = {first.exists(), second.exists()}

    assert both == {True}
    assert list(tmp_path.iterdir()) == []
