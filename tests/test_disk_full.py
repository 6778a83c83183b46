"""A disk that fills up, at any byte: the error says so, and the next run takes the rest."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from preparing import hashes, options
from wording import refused

from toyadmos_datasets.errors import DiskFullError
from toyadmos_datasets.jobs.prepare import prepare


class Disk:
    """A file system of a few pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("size=4k")

    def resize(self, n_kib: int) -> None:
        self._mount(f"remount,size={n_kib}k")

    def remove(self) -> None:
        subprocess.run([shutil.which("umount") or "umount", str(self.folder)], check=True)

    def _mount(self, how: str) -> None:
        command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", how, "tmpfs", str(self.folder)]
        if not shutil.which("mount") or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("this user may not mount a tmpfs")


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    small = Disk(tmp_path / "disk")
    yield small
    small.remove()


@pytest.fixture
def hasty(monkeypatch) -> None:
    """Take away the look at the free room that comes before the work, as if somebody filled the disk after it."""
    for module in ("toyadmos_datasets.ingest.recordings", "toyadmos_datasets.rendering.render_job"):
        monkeypatch.setattr(importlib.import_module(module), "require_room", lambda *_, **__: None)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("which", ["out", "cache"])
def test_a_disk_that_fills_up_at_any_byte_loses_nothing_and_takes_the_rest_after_room_is_made(
    tmp_path, small_volumes, undisturbed, disk, which
):
    request = options(small_volumes, tmp_path, protocols=("basic",), snrs_db=(6.0,), **{which: disk.folder / which})
    for n_kib in range(8, 80, 12):
        disk.resize(n_kib)
        with pytest.raises(DiskFullError) as caught:
            prepare(request)

        assert caught.value.code == "disk_full"
        assert disk.folder in Path(caught.value.where).parents
        assert hashes(request.out) == {}

    disk.resize(2000)
    prepare(request)

    assert hashes(request.out) == undisturbed
    assert list(disk.folder.rglob(".*.tmp")) == []


@pytest.mark.usefixtures("hasty")
def test_a_disk_that_fills_up_under_workers_is_the_same_error(tmp_path, small_volumes, disk):
    disk.resize(40)
    request = options(small_volumes, tmp_path, protocols=("basic",), snrs_db=(6.0,), workers=2, out=disk.folder / "out")
    with pytest.raises(DiskFullError) as caught:
        prepare(request)

    # Which of two workers meets the end of the disk, and so which shard is named, is theirs to find out.
    assert disk.folder / "out" / ".partial" in Path(caught.value.where).parents


@pytest.mark.parametrize("which", ["out", "cache"])
def test_a_disk_that_is_too_small_is_noticed_before_it_is_filled(tmp_path, small_volumes, undisturbed, disk, which):
    disk.resize(12)
    request = options(small_volumes, tmp_path, protocols=("basic",), snrs_db=(6.0,), **{which: disk.folder / which})
    with refused(DiskFullError, disk.folder):
        prepare(request)
    disk.resize(2000)
    prepare(request)

    assert hashes(request.out) == undisturbed
