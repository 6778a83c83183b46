"""The manners of the command line: how much it tells, what it advises, and what it refuses before any work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from preparing import fields, toyadmos
from small import basic

from toyadmos_datasets.cli import option_groups, terminal

pytestmark = pytest.mark.usefixtures("without_surroundings")


def test_a_quiet_command_prints_nothing_but_what_json_asks_for(capsys, small_tree):
    quiet = toyadmos(capsys, "-q", "prepare", *basic(small_tree))
    asked = toyadmos(capsys, "prepare", *basic(small_tree), "--quiet", "--json")

    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    assert json.loads(asked.out)["was_done"] is True


def test_a_verbose_command_tells_each_step(capsys, small_tree):
    ran = toyadmos(capsys, "prepare", *basic(small_tree), "-v")

    assert re.search(r"^Rendering: done in \S+ s$", ran.err, re.MULTILINE)


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.Lines().stage("Rendering", 100, "clips") as on_progress:
        for now[0], done in ((1.0, 50), (12.0, 60), (23.0, 61), (43.0, 62), (44.0, 99)):
            on_progress(done)

    assert capsys.readouterr().err.splitlines() == [f"Rendering: {n}%, {n} of 100 clips" for n in (60, 62)]


def test_options_that_mean_one_protocol_choose_it_and_say_so(capsys):
    ran = toyadmos(capsys, "plan", "--toy", "train", "--source", "simulate:tiny", "--shots", "1", "--workers", "1")

    assert ran.status == 0
    assert "few-shot" in ran.err
    assert "data/train-few-shot" in ran.out


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        (["--snr", "6", "0", "-6"], "--snr 6,0,-6"),
        (["--protocol", "basc"], "basic"),
        (["--snr", "6"], "--protocol basic"),
    ],
)
def test_what_was_probably_meant_is_advised(capsys, small_tree, typed, advice):
    ran = toyadmos(capsys, "prepare", "--toy", "train", "--source", small_tree, *typed)

    assert ran.status == 2
    assert advice in fields(ran.err)["remedy"]


def test_the_shell_can_complete_commands():
    environment = os.environ | {"_TOYADMOS_COMPLETE": "complete_bash", "COMP_WORDS": "toyadmos pre", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from toyadmos_datasets.cli import main; main()"],
        check=False, capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip

    assert done.stdout.split() == ["prepare"]


def test_every_option_of_prepare_is_in_one_group(capsys):
    grouped = [flag for flags in option_groups.GROUPS.values() for flag in flags]
    shown = toyadmos(capsys, "prepare", "--help").out.split("General:")[1].split("Examples:")[0]

    assert len(grouped) == len(set(grouped))
    assert re.findall(r"^ +(?:-h, )?(--[a-z-]+)", shown, re.MULTILINE) == ["--json", "--help"]


@pytest.mark.parametrize("kind", ["a file", "a thesis"])
def test_a_folder_that_cannot_be_used_is_told_before_anything_is_simulated(capsys, tmp_path, kind):
    if kind == "a file":
        (tmp_path / "out").touch()
    else:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").touch()
    ran = toyadmos(capsys, "prepare", "--toy", "train", "--source", "simulate:tiny", "--out", "out")

    assert ran.status in {1, 2}
    assert not (tmp_path / "cache").exists()
