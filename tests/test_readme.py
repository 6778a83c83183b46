"""What README promises is what there is: commands, files, columns, and code that runs."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preparing import options
from test_docs import ALL, EVERYWHERE, flags_of

from toyadmos_datasets.cli.command_table import COMMANDS
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.values.columns import columns_of

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
CLI_PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
DATASET_PAGE = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Return the words of every command that is shown, without `toyadmos` and comments."""
    lines = re.findall(r"^ {4,}(?:\.venv/bin/)?toyadmos (.*)$", PAGE, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_stands_in_the_table_and_only_those():
    table = CLI_PAGE.split("| command | what it does |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {word for cell in cells for word in re.findall(r"`(?:toyadmos )?([a-z-]+)", cell)}

    assert named == set(COMMANDS)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_that_is_shown_exists_with_its_options(words):
    name = " ".join(words[:2]) if words[0] == "recipe" else words[0]
    assert name in ALL
    assert {word for word in words if word.startswith("--")} <= flags_of(name) | EVERYWHERE


def test_the_demo_is_what_make_runs_and_what_plain_pip_runs():
    (shown,) = re.findall(r"make demo .*runs: (toyadmos .*)$", PAGE, re.MULTILINE)
    (made,) = re.findall(r"^\t\$\(BIN\)/(toyadmos prepare .*)$", MAKEFILE, re.MULTILINE)
    (default,) = re.findall(r"^DEMO \?= (.*)$", MAKEFILE, re.MULTILINE)

    assert made.replace("$(DEMO)", default) == shown
    assert f"\n    .venv/bin/{shown}\n" in PAGE


def test_the_demo_has_the_files_that_are_shown(tmp_path):
    told = preview(options(Path("simulate"), tmp_path))
    tree = DATASET_PAGE.split("Columns:")[0]

    assert {(count.config, count.split) for count in told.counts} == {("waspaa2019", "train"), ("waspaa2019", "test")}
    assert told.n_shards == 2
    assert re.findall(r"[\w./-]+\.(?:parquet|json|md)", tree) == [
        "README.md",
        "train-00000-of-00001.parquet",
        "test-00000-of-00001.parquet",
        "recipe.parquet",
        "manifest.json",
    ]


def test_the_columns_are_named_in_their_order():
    text = DATASET_PAGE.split("\nColumns:")[1].split("; with `--stems`")[0]
    known = [name for name in columns_of("train") if name not in toy_named("train").parts]

    assert re.findall(r"`(\w+)`", text) == ["audio", "label", *known]


def test_the_code_that_is_shown_gives_a_clip(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path / "data" / "demo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    found: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, found)  # noqa: S102  # the code is our own page's

    array = found["clip"]["array"]
    assert list(found["ds"]) == ["train", "test"]
    assert set(found["clip"]) == {"array", "sampling_rate", "path"}
    assert (array.dtype, array.shape) == (np.float32, (found["ds"]["train"][0]["n_samples"],))
    assert 0 < np.abs(array).max() <= 1


def test_links_and_pictures_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE)

    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
