"""Files appear whole or not at all, whatever fails and whenever the process dies."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import DiskFullError, OutputError, SourceNotFoundError
from toyadmos_datasets.files import atomic
from toyadmos_datasets.files.atomic import free_bytes, require_room, write_file, write_text

OLD, NEW = b"old" * 1000, b"new" * 2000

KILLED_AT_EVERY_LINE = """
    import itertools, json, os, pathlib, signal, sys
    from toyadmos_datasets.files import atomic

    path = pathlib.Path(sys.argv[1])
    OLD, NEW = b"old" * 1000, b"new" * 2000

    def write_until(last_line):
        seen = 0
        def trace(frame, event, arg):
            nonlocal seen
            if frame.f_code.co_filename != atomic.__file__:
                return None
            seen += event == "line"
            if seen == last_line:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        with atomic.write_file(path) as file:
            for part in (NEW[:2500], NEW[2500:]):
                file.write(part)
                file.flush()
        os._exit(0)

    rows = []
    for last_line in itertools.count(1):
        path.write_bytes(OLD)
        child = os.fork() or write_until(last_line)
        status = os.waitpid(child, 0)[1]
        content = path.read_bytes()
        rows.append([status, "old" if content == OLD else "new" if content == NEW else "torn"])
        if status == 0:
            break
    print(json.dumps(rows))
"""


def run_python(code: str, *arguments: object) -> str:
    """Run a script in a process of its own; return what it printed."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that holds something good already."""
    path = tmp_path / "shard.parquet"
    path.write_bytes(OLD)
    return path


class FaultyFile(io.FileIO):
    """A file whose write or close fails as a broken disk's does."""

    fault = ("", 0)

    def write(self, data):
        if self.fault[0] == "write":
            raise OSError(self.fault[1], os.strerror(self.fault[1]))
        return super().write(data)

    def close(self):
        was_open = not self.closed
        super().close()
        if was_open and self.fault[0] == "close":
            raise OSError(self.fault[1], os.strerror(self.fault[1]))


def break_step(monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> list[str]:
    """Make one step of a write fail with an errno; return a list that the step's calls are noted in."""
    calls: list[str] = []

    def fail(*_: object, **__: object) -> None:
        calls.append(step)
        raise OSError(number, os.strerror(number))

    if step in {"write", "close"}:
        monkeypatch.setattr(FaultyFile, "fault", (step, number))
        monkeypatch.setattr(Path, "open", lambda path, mode: io.BufferedWriter(FaultyFile(path, mode)))
    elif step == "fsync":
        monkeypatch.setattr(atomic.os, "fsync", fail)
    elif step == "rename":
        monkeypatch.setattr(Path, "replace", fail)
    elif step == "sync_folder":
        monkeypatch.setattr(atomic, "sync_folder", fail)
    return calls


def test_a_kill_between_any_two_steps_leaves_the_old_or_the_new(target):
    rows = json.loads(run_python(KILLED_AT_EVERY_LINE, target))
    states = [state for _, state in rows]

    assert len(rows) > 10
    assert [state for state, _ in itertools.groupby(states)] == ["old", "new"]
    assert {status for status, _ in rows[:-1]} == {9}
    assert rows[-1] == [0, "new"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write", "fsync", "close", "rename"])
def test_a_step_that_fails_is_an_error_and_keeps_the_original(target, monkeypatch, step, number):
    break_step(monkeypatch, step, number)
    with pytest.raises(OutputError), write_file(target) as file:
        file.write(NEW)
    monkeypatch.undo()

    assert target.read_bytes() == OLD
    assert names_in(target.parent) == [target.name]


def test_a_folder_that_cannot_be_synced_is_an_error_though_the_file_is_whole(target, monkeypatch):
    break_step(monkeypatch, "sync_folder", errno.EIO)
    with pytest.raises(OutputError, match="EIO"), write_file(target) as file:
        file.write(NEW)

    assert target.read_bytes() == NEW
    assert names_in(target.parent) == [target.name]


def test_a_failed_sync_is_not_tried_again(target, monkeypatch):
    # After a failed fsync the kernel may have dropped the dirty pages: a second one would report success.
    calls = break_step(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(OutputError), write_file(target) as file:
        file.write(NEW)

    assert calls == ["fsync"]


def test_a_full_disk_says_how_much_is_free_and_how_to_go_on(target, monkeypatch):
    break_step(monkeypatch, "write", errno.ENOSPC)
    with refused(DiskFullError) as caught, write_file(target) as file:
        file.write(NEW)

    assert caught.value.where == str(target)
    assert caught.value.actual.endswith(" free")


def test_a_broken_disk_names_the_file_the_reason_and_what_to_check(target, monkeypatch):
    break_step(monkeypatch, "fsync", errno.EIO)
    with refused(OutputError) as caught, write_file(target) as file:
        file.write(NEW)

    assert not isinstance(caught.value, DiskFullError)
    assert caught.value.where == str(target)
    assert "EIO" in caught.value.actual


def test_a_limit_that_the_system_sets_on_a_file_keeps_the_original(target):
    # The kernel itself refuses the bytes past the limit, with EFBIG, in the middle of a write.
    printed = run_python(
        """
        import pathlib, resource, signal, sys
        from toyadmos_datasets.errors import OutputError
        from toyadmos_datasets.files.atomic import write_file

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            with write_file(pathlib.Path(sys.argv[1])) as file:
                file.write(b"new" * 2000)
        except OutputError as error:
            print(error)
        """,
        target,
    )

    assert "EFBIG" in printed
    assert target.read_bytes() == OLD
    assert names_in(target.parent) == [target.name]


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A file system of 64 KiB, where this process may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount:
        pytest.skip("mount is not installed")
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a tmpfs")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_disk_that_fills_up_keeps_the_original_and_takes_the_new_after_room_is_made(tiny_disk):
    path, ballast = tiny_disk / "shard.parquet", tiny_disk / "ballast"
    path.write_bytes(OLD)
    ballast.write_bytes(bytes(56_000))
    with refused(DiskFullError):
        write_text(path, "new" * 10_000)
    left = path.read_bytes(), names_in(tiny_disk)
    ballast.unlink()
    write_text(path, "new" * 10_000)

    assert left == (OLD, ["ballast", "shard.parquet"])
    assert path.read_text() == "new" * 10_000


@pytest.mark.parametrize("raised", [KeyError("x"), KeyboardInterrupt(), SourceNotFoundError("No volumes.")])
def test_an_error_of_the_caller_passes_unchanged_and_leaves_no_trace(target, raised):
    def write_half() -> None:
        with write_file(target) as file:
            file.write(NEW)
            raise raised

    with pytest.raises(type(raised)) as caught:
        write_half()

    assert caught.value is raised
    assert target.read_bytes() == OLD
    assert names_in(target.parent) == [target.name]


def test_a_reader_sees_the_old_or_the_new_while_a_file_is_replaced(target):
    seen, done = set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for content in [NEW, OLD] * 50:
        with write_file(target) as file:
            for start in range(0, len(content), 700):
                file.write(content[start : start + 700])
    done.set()
    reader.join()

    assert seen <= {OLD, NEW}


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "README.md", "Größe\n")

    assert (tmp_path / "a" / "b" / "README.md").read_bytes() == "Größe\n".encode()
    assert names_in(tmp_path / "a" / "b") == ["README.md"]


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with refused(OutputError) as caught:
        write_text(tmp_path / "taken" / "README.md", "")

    assert caught.value.where == str(tmp_path / "taken" / "README.md")


@given(parts=st.lists(st.binary(max_size=100), max_size=5))
def test_what_is_written_is_what_is_read(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("bytes") / "file"
    with write_file(path) as file:
        for part in parts:
            file.write(part)

    assert path.read_bytes() == b"".join(parts)


def test_room_is_asked_for_before_the_work_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "free_bytes", lambda _: 1_000_000)
    require_room(tmp_path, 1_000_000, purpose="the shards")
    with refused(DiskFullError) as caught:
        require_room(tmp_path, 2_500_000, purpose="the shards")

    assert (caught.value.expected, caught.value.actual) == ("2.5 MB free", "1.0 MB free")
    assert "another disk with --out or --cache" in str(caught.value)


def test_room_is_known_for_a_folder_that_does_not_exist_yet(tmp_path):
    free = free_bytes(tmp_path / "not" / "yet")

    assert free == pytest.approx(free_bytes(tmp_path), rel=0.05)
