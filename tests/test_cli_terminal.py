"""Terminals, pipes, locales and odd names: the program writes to all of them, and no traceback."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest
from preparing import COMMAND, hashes, toyadmos, toyadmos_process
from small import basic
from tiny import TinyCorpus, write_tree, write_volumes

from toyadmos_datasets.values.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("without_surroundings")


def test_progress_is_silent_where_no_terminal_is(small_tree):
    ran = toyadmos_process("prepare", *basic(small_tree))

    assert (ran.status, ran.err) == (0, "")


def in_terminal(*arguments: object) -> str:
    """Run a command with standard error on a terminal; return what was drawn there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=dict(os.environ) | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(theirs)
        drawn = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                drawn += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        assert process.wait(timeout=60) == 0
    os.close(ours)
    return drawn.decode(errors="replace")


def test_progress_is_drawn_on_a_terminal(small_tree):
    drawn = in_terminal("prepare", *basic(small_tree, "--snr", "6"))

    amounts = {"Reading ToyTrain": r"(\S+ kB) of \1", "Measuring levels": r"(\d+) of \1 stretches"}
    amounts |= {"Rendering": r"(12) of \1 clips"}
    assert [stage for stage, amount in amounts.items() if not re.search(f"{stage}.*{amount}", drawn)] == []


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error(small_tree, more):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*COMMAND, "index", str(small_tree), "--toy", "train", *more],
        check=False,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(theirs)

    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_results_that_have_no_room_are_told_in_a_word(small_tree):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "index", str(small_tree), "--toy", "train"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("error: There is no room for what is printed.\n")
    assert "foresee" not in done.stderr


def test_the_first_line_of_a_long_listing_can_be_had_alone(tmp_path):
    corpus = TinyCorpus(channels=(1, 2, 3, 4), n_normal=300, clip_s=0.001, noise_s=0.001)
    source = write_tree(corpus.files(), tmp_path / "many")
    line = f"{' '.join(map(_quoted, [*COMMAND, 'index', str(source), '--toy', 'train', '--rows']))} | head -1"
    done = subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, text=True, timeout=60)

    assert done.stdout.split() == ["recording_id", "sound", "channel", "n_bytes", "crc32", "block", "condition_text"]
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def test_streams_that_are_closed_are_no_error(small_tree, tmp_path):
    words = [*COMMAND, "prepare", *map(str, basic(small_tree))]
    line = f"{' '.join(map(_quoted, words))} >&- 2>&- <&-"
    subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, timeout=60)

    assert read_manifest(tmp_path / "data" / "train-basic").shards


ASCII_ONLY = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

ODD_NAMES = ["Größe ä", "two  words", "newline\nin it", "'quoted\"", "日本", "-dash", os.fsdecode(b"byte \xff")]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_paths_with_odd_characters_are_taken_for_source_and_folder(capsys, tmp_path, small_files, name):
    source = write_tree(small_files, tmp_path / name / "source")
    out = tmp_path / name / "out"
    ran = toyadmos(capsys, "prepare", *basic(source, "--out", out))
    again = toyadmos(capsys, "prepare", *basic(source, "--out", out, "--json"))
    verified = toyadmos(capsys, "verify", out, "--workers", "1")

    assert (ran.status, again.status, verified.status) == (0, 0, 0)
    assert json.loads(again.out)["out"] == str(out)
    assert sorted(hashes(out)) == sorted(
        [*(shard.path for shard in read_manifest(out).shards), "README.md", "manifest.json", "recipe.parquet"]
    )


@pytest.mark.parametrize("name", [ODD_NAMES[0], ODD_NAMES[-1]])
def test_a_terminal_that_knows_ascii_alone_gets_odd_names_in_ascii(tmp_path, name):
    ran = toyadmos_process("index", tmp_path / name, "--toy", "train", env=ASCII_ONLY)

    assert ran.status == 1
    assert ran.err.isascii()
    assert "Traceback" not in ran.err
    assert ran.err.startswith("error: There are no recordings of ToyTrain at this place.\n")


def test_volumes_in_a_folder_with_an_odd_name_are_read_with_workers_too(tmp_path, small_files):
    source = write_volumes(small_files, tmp_path / "Größe \udcff")
    ran = toyadmos_process("prepare", *basic(source)[:-2], "--workers", "2", "--out", "Töy", env=ASCII_ONLY)

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("Prepared T")


def test_a_cache_whose_path_arrow_cannot_open_is_an_invalid_argument(capsys, small_tree, tmp_path):
    ran = toyadmos(capsys, "prepare", *basic(small_tree, "--cache", os.fsdecode(b"cache\xff")))

    assert ran.status == 2
    assert ran.err.startswith("error: The path of the cache cannot be written as UTF-8.\n")
    assert list(tmp_path.iterdir()) == []
