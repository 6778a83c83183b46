"""One writer a folder, and a dead one is no obstacle."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wording import refused

from toyadmos_datasets.errors import BusyError, OutputError
from toyadmos_datasets.files.lock import HOLDER_NAME, LOCK_NAME, SOFT_LOCK_NAME, folder_lock

HOLD_UNTIL_TOLD = """
    import errno, fcntl, pathlib, sys
    from toyadmos_datasets.files.lock import folder_lock

    number = int(sys.argv[2])
    if number:
        def refuse(*_):
            raise OSError(number, "no locks here")
        fcntl.flock = refuse
    with folder_lock(pathlib.Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
"""


@contextlib.contextmanager
def holder_of(folder: Path, *, flock_errno: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the folder; where `flock_errno` is set, its file system knows no locks."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(HOLD_UNTIL_TOLD), str(folder), str(flock_errno)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def refuse_locks(monkeypatch: pytest.MonkeyPatch):
    """Make flock fail as on a file system that knows no locks."""

    def refuse_with(number: int) -> None:
        def refuse(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)

    return refuse_with


def lock_and_leave(folder: Path) -> None:
    with folder_lock(folder):
        pass


def test_a_second_process_is_told_who_holds_the_folder_and_what_to_do(tmp_path):
    with holder_of(tmp_path) as process, refused(BusyError) as caught:
        lock_and_leave(tmp_path)

    assert caught.value.where == str(tmp_path)
    assert caught.value.actual == f"held by process {process.pid} on {platform.node()}"
    assert "delete" not in str(caught.value)


def test_the_lock_is_free_again_when_its_holder_is_killed(tmp_path):
    with holder_of(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        left_behind = (tmp_path / HOLDER_NAME).exists()
        lock_and_leave(tmp_path)

    assert left_behind
    assert not (tmp_path / HOLDER_NAME).exists()


def test_two_blocks_of_one_process_exclude_each_other(tmp_path):
    with folder_lock(tmp_path), refused(BusyError, os.getpid()):
        lock_and_leave(tmp_path)


def test_two_threads_exclude_each_other(tmp_path):
    caught: list[BusyError] = []

    def enter() -> None:
        try:
            lock_and_leave(tmp_path)
        except BusyError as error:
            caught.append(error)

    with folder_lock(tmp_path):
        other = threading.Thread(target=enter)
        other.start()
        other.join()

    assert len(caught) == 1


def test_the_lock_is_free_again_after_the_block(tmp_path):
    lock_and_leave(tmp_path)
    lock_and_leave(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]


def test_the_lock_is_free_again_after_an_error_inside(tmp_path):
    with pytest.raises(KeyError), folder_lock(tmp_path):
        raise KeyError
    lock_and_leave(tmp_path)

    assert not (tmp_path / HOLDER_NAME).exists()


def test_the_lock_of_one_folder_leaves_others_free(tmp_path):
    with folder_lock(tmp_path / "a"), folder_lock(tmp_path / "b"):
        held = sorted(path.name for path in tmp_path.iterdir())

    assert held == ["a", "b"]


def test_a_holder_that_has_not_written_its_name_is_called_unknown(tmp_path):
    with folder_lock(tmp_path):
        (tmp_path / HOLDER_NAME).unlink()
        with refused(BusyError):
            lock_and_leave(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_in_the_file_system_a_marker_stands_in(tmp_path, refuse_locks, number):
    refuse_locks(number)
    with folder_lock(tmp_path), refused(BusyError) as caught:
        lock_and_leave(tmp_path)
    lock_and_leave(tmp_path)

    assert f"process {os.getpid()} on {platform.node()}" in str(caught.value)
    assert not (tmp_path / SOFT_LOCK_NAME).exists()


def test_without_locks_a_marker_of_a_dead_process_is_no_obstacle(tmp_path, refuse_locks):
    refuse_locks(errno.ENOLCK)
    with holder_of(tmp_path, flock_errno=errno.ENOLCK) as process:
        with refused(BusyError, process.pid):
            lock_and_leave(tmp_path)
        process.kill()
        process.wait(timeout=10)
        left_behind = (tmp_path / SOFT_LOCK_NAME).exists()
        lock_and_leave(tmp_path)

    assert left_behind


def test_another_failure_of_the_lock_is_an_error_and_no_reason_to_go_on(tmp_path, refuse_locks):
    refuse_locks(errno.EIO)
    with pytest.raises(OutputError, match="EIO"):
        lock_and_leave(tmp_path)

    assert not (tmp_path / SOFT_LOCK_NAME).exists()


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(OutputError) as caught:
        lock_and_leave(tmp_path / "taken")

    assert caught.value.where == str(tmp_path / "taken")
