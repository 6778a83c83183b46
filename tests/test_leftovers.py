"""Temporary files say whose they are; those of the dead go, those of the living stay."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.files import leftovers
from toyadmos_datasets.files.leftovers import STALE_AFTER_S, remove_leftovers, temporary_path


@pytest.fixture(scope="module")
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(folder: Path, *, pid: int, host: str | None = None, age_s: float = 0) -> Path:
    """Leave a temporary file of another process."""
    name = temporary_path(folder).name.replace(f".{os.getpid()}.", f".{pid}.")
    path = folder / (name if host is None else name.replace(leftovers._host(), host))
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
