"""Runs of simulate: again, beside another, interrupted, without room, with workers."""

from __future__ import annotations

import errno
import hashlib
import signal
import subprocess
import sys
import time

import pytest
from wording import refused

from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import BusyError, DiskFullError, OptionError, OutputConflictError
from toyadmos_datasets.files import atomic
from toyadmos_datasets.files.lock import folder_lock
from toyadmos_datasets.jobs import sources
from toyadmos_datasets.jobs.cache import list_cache
from toyadmos_datasets.jobs.sources import resolve_source
from toyadmos_datasets.simulation import MODEL_VERSION, corpus_files, simulate, simulated_corpus, simulated_events


def contents(folder):
    """Path to hash of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_workers_change_no_byte_of_tree_and_volumes(tmp_path, micro):
    simulate("car", tmp_path / "one", size=micro)
    simulate("car", tmp_path / "two", size=micro, workers=2)

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_progress_grows_to_the_whole_which_counts_writing_and_packing(tmp_path, micro):
    calls = []

    corpus = simulate("train", tmp_path / "out", size=micro, report=lambda done, total: calls.append((done, total)))

    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (2 * corpus.n_bytes, 2 * corpus.n_bytes)


def test_the_same_command_again_touches_nothing(tmp_path, micro):
    first = simulate("train", tmp_path / "out", size=micro)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    calls = []

    again = simulate("ToyTrain", tmp_path / "out", size=micro, report=lambda *call: calls.append(call))
    tree_only = simulate("train", tmp_path / "out", size=micro, volumes=False)

    assert again == first
    assert tree_only.tree == first.tree
    assert calls == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_empty_folder_is_used(tmp_path, micro):
    (tmp_path / "out").mkdir()

    simulate("train", tmp_path / "out", size=micro, volumes=False)

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "simulated.json").is_file()


def spoil(out, how):
    if how == "record":
        (out / "simulated.json").write_text("{")
    elif how == "volumes":
        (out / "volumes" / "ToyTrain.7z.001").unlink()
    elif how == "foreign":
        (out / "simulated.json").unlink()


@pytest.mark.parametrize(
    ("options", "how", "actual"),
    [
        ({"seed": 1}, None, "seed 0"),
        ({"size": "tiny"}, None, "size micro"),
        ({"toy": "car"}, None, "ToyTrain"),
        ({}, "record", "damaged simulated.json"),
        ({}, "volumes", "ToyTrain.7z.001 is missing"),
        ({}, "foreign", "something that toyadmos simulate did not make"),
    ],
)
def test_another_corpus_in_the_folder_is_left_alone_and_said_so(tmp_path, micro, options, how, actual):
    out = tmp_path / "out"
    simulate("train", out, size=micro)
    spoil(out, how)
    before = contents(out)

    with pytest.raises(OutputConflictError) as caught:
        simulate(**{"toy": "train", "out": out, "size": micro, **options})

    assert actual in caught.value.actual
    assert f"Choose another folder with --out, or delete {out}" in caught.value.remedy
    assert contents(out) == before


def test_a_tree_without_volumes_is_not_enough_for_a_request_with_volumes(tmp_path, micro):
    simulate("train", tmp_path / "out", size=micro, volumes=False)

    with refused(OutputConflictError):
        simulate("train", tmp_path / "out", size=micro)


def test_a_corpus_that_an_older_version_left_in_the_cache_does_not_stop_a_new_one(tmp_path, micro, monkeypatch):
    monkeypatch.setattr(sources, "SIZES", {micro: simulated_events.SIZES[micro]})
    with monkeypatch.context() as older:
        for module in (sources, simulated_corpus, corpus_files):
            older.setattr(module, "MODEL_VERSION", MODEL_VERSION - 1)
        old = resolve_source(f"simulate:{micro}", "ToyTrain", tmp_path, progress=Quiet())
    before = contents(tmp_path)

    new = resolve_source(f"simulate:{micro}", "ToyTrain", tmp_path, progress=Quiet())

    assert new.identity != old.identity
    assert before.items() < contents(tmp_path).items()
    assert {entry.path.name for entry in list_cache(tmp_path)} == {
        f"ToyTrain-micro-model{version}" for version in (MODEL_VERSION - 1, MODEL_VERSION)
    }


def test_a_full_disk_midway_leaves_nothing_and_the_next_run_succeeds(tmp_path, micro, monkeypatch):
    packed = []

    def failing(archive, root, members, *, filters):
        packed.append(members)
        if len(packed) == 3:
            raise DiskFullError("The disk is full.") from OSError(errno.ENOSPC, "No space left on device")
        whole(archive, root, members, filters=filters)

    whole = corpus_files.append_block
    monkeypatch.setattr(corpus_files, "append_block", failing)
    with pytest.raises(DiskFullError):
        simulate("train", tmp_path / "out", size=micro)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    there = (tmp_path / "out").exists()
    monkeypatch.setattr(corpus_files, "append_block", whole)

    simulate("train", tmp_path / "out", size=micro)

    assert left == []
    assert not there
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


SIMULATE = """
import sys
from pathlib import Path
from toyadmos_datasets.simulation import simulate
simulate("train", Path("out"), size=sys.argv[1], workers=int(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("size", "workers", "wait_for"),
    [("small", "1", "*.wav"), ("small", "2", "*.wav"), ("tiny", "1", ".ToyTrain.7z.whole")],
    ids=["writing", "writing by two", "packing"],
)
def test_a_signal_stops_it_within_seconds_and_leaves_nothing(tmp_path, size, workers, wait_for):
    command = [sys.executable, "-c", SIMULATE, size, workers]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: any(tmp_path.rglob(wait_for)), process)

        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)

    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*.wav"))


def wait_until(happened, process):
    while not happened():
        assert process.poll() is None
        time.sleep(0.05)


def test_what_a_killed_run_left_is_replaced(tmp_path, micro):
    leftover = tmp_path / ".out.simulating" / "corpus" / "tree" / "ToyTrain" / "case1"
    leftover.mkdir(parents=True)
    (leftover / "half.wav").write_bytes(b"RIFF")

    simulate("train", tmp_path / "out", size=micro)

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not list(tmp_path.rglob("half.wav"))


def test_two_processes_never_make_one_folder_at_once(tmp_path, micro):
    with folder_lock(tmp_path / ".out.simulating"), refused(BusyError):
        simulate("train", tmp_path / "out", size=micro)


def test_room_is_looked_for_before_anything_is_written(tmp_path, micro, monkeypatch):
    monkeypatch.setattr(atomic, "free_bytes", lambda _path: 1000)

    with refused(DiskFullError):
        simulate("train", tmp_path / "out", size=micro)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"toy": "plane"},
        {"size": "huge"},
        {"seed": -1},
        {"workers": 0},
        {"tree": False, "volumes": False},
    ],
)
def test_invalid_options_are_refused_and_nothing_is_made(tmp_path, options):
    with refused(OptionError):
        simulate(**{"toy": "train", "out": tmp_path / "out", "size": "tiny", **options})

    assert list(tmp_path.iterdir()) == []
