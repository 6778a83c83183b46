"""What start page, guides, notebook and docstrings show is typed here, on small simulated recordings."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import runpy
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from baselines import NO_TORCH
from preparing import toyadmos
from test_docs import ALL, EVERYWHERE, flags_of

import toyadmos_datasets
from toyadmos_datasets.files.cache_folder import CACHE_VARIABLE

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [DOCS / "index.md", *sorted((DOCS / "guides").glob("*.md"))]
STEP = re.compile(r"^    toyadmos ([^\n]*)$|^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_TYPED = re.compile(r"hf://|s3://|--engine|^download|^train|^report|^evaluate runs/reference|--cache /scratch")
"""Needs the network, a cluster, folders of another machine, or minutes; its options are looked up all the same."""

pytestmark = [pytest.mark.usefixtures("datasets_cache")]


def steps(page: Path) -> list[tuple[str, str]]:
    """Return the commands and blocks of Python of a page, in its order; of each pair one is empty."""
    return [(command, code) for command, code in STEP.findall(page.read_text(encoding="utf-8"))]


def words_of(command: str) -> tuple[str, list[str]]:
    """Return the command's name, of one or two words, and all words."""
    words = shlex.split(command, comments=True)
    name = " ".join(words[:2])
    return (name if name in ALL else words[0]), words


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def user(monkeypatch, tmp_path, simulated, shared_cache) -> Path:
    """An empty folder of a user with the recordings."""
    monkeypatch.setenv(CACHE_VARIABLE, str(shared_cache))
    monkeypatch.setenv("TOYADMOS_SOURCE", str(simulated))
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # processes that other tests started stand in other folders
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_guide_has_commands_that_exist_with_their_options(page):
    commands = [words_of(command) for command, _ in steps(page) if command]

    assert commands
    for name, words in commands:
        assert name in ALL
        assert {word for word in words if word.startswith("--")} <= flags_of(name) | EVERYWHERE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_guide_shows_runs_from_top_to_bottom(page, user, capsys, simulated):
    names: dict[str, Any] = {}
    for command, code in steps(page):
        if code:
            exec(code.replace("simulate:tiny", str(simulated)), names)  # noqa: S102  # the code is our own page's
        elif not NOT_TYPED.search(command):
            words = [str(simulated) if word == "simulate" else word for word in shlex.split(command, comments=True)]
            ran = toyadmos(capsys, *words)
            assert ran.status == 0, f"{command}\n{ran.err}"


def test_the_tutorial_runs_without_jupyter(user, simulated):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    torch.set_num_threads(1)
    for module in ("matplotlib", "PIL"):
        pytest.importorskip(module, reason="matplotlib or pillow is missing: pip install '.[report]'")
    run_cells = runpy.run_path(str(DOCS / "run_tutorial.py"))["run_cells"]
    cells = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        cell["source"] = [line.replace("simulate:tiny", str(simulated)) for line in cell["source"]]
    outputs = list(run_cells(cells))
    kinds = [[one["output_type"] for one in cell["outputs"]] for cell in cells if cell["cell_type"] == "code"]

    assert [[one["output_type"] for one in cell] for cell in outputs] == kinds
    assert (user / "runs" / "tutorial.html").stat().st_size > 10_000


def test_the_notebook_is_small_and_kept_as_it_ran():
    notebook = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))
    code = [one for one in notebook["cells"] if one["cell_type"] == "code"]

    assert len(json.dumps(notebook)) < 100_000
    assert all(cell["outputs"] for cell in code)
    assert "Error" not in json.dumps([cell["outputs"] for cell in code])


def modules_with_examples() -> list[str]:
    package = ROOT / "toyadmos_datasets"
    files = [path for path in sorted(package.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]


@pytest.mark.parametrize("module", modules_with_examples())
def test_the_examples_in_docstrings_give_what_they_say(module, user, prepared, simulated):
    shutil.copytree(prepared, user / "data" / "train")
    found = importlib.import_module(module)
    tests = [one for one in doctest.DocTestFinder(exclude_empty=True).find(found, module) if one.examples]
    failures = []
    for test in tests:
        test.globs |= {"toyadmos": toyadmos_datasets}
        for example in test.examples:
            example.source = example.source.replace("simulate:tiny", str(simulated))
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=failures.append)

    assert tests
    assert "".join(failures) == ""
