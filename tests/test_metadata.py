"""What stands in more than one of the project's files agrees."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml

import toyadmos_datasets
from toyadmos_datasets.corpus.paper import CITATION, LICENSE_URL, PAPER_URL, RECORD_ID, RECORD_URL

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


CORE = {
    "datasets",
    "fsspec",
    "joblib",
    "librosa",
    "msgspec",
    "numpy",
    "py7zr",
    "pyarrow",
    "rich",
    "soundfile",
    "soxr",
    "typer",
}
"""All that a plain install brings, beside what these bring themselves."""

TRAINING_CODE = ("baseline/", "loading/torch_batches.py", "cli/training_commands.py", "cli/training_commands.py")
"""What may import what the extra `train` brings."""


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in pins}


def normal(name: str) -> str:
    """Spell a distribution's name as the packaging specifications compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    return normal(re.split(r"[\[<>=!~; (]", requirement)[0])


def brought_by(names: set[str]) -> set[str]:
    """Return some distributions and all that they need, as far as it is installed; extras do not count."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting |= {name_of(one) for one in needed if "extra ==" not in one} - found
    return found


@functools.cache
def homes_of_modules() -> Mapping[str, list[str]]:
    """Return the distributions that each module of the environment is of; looking takes a while."""
    return importlib.metadata.packages_distributions()


def imported_by(path: Path) -> set[str]:
    """Return the modules of others that a file imports, wherever in it, by the names of their distributions."""
    homes = homes_of_modules()
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    modules = {
        name.partition(".")[0]
        for node in nodes
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    others = modules - sys.stdlib_module_names - {"toyadmos_datasets", "_typeshed"}
    return {normal(home) for module in others for home in homes.get(module, [module])[:1]}


def test_a_plain_install_brings_what_it_needs_and_nothing_else():
    declared = {name_of(requirement) for requirement in PROJECT["dependencies"]}

    assert declared >= CORE
    assert declared <= brought_by(CORE)


def test_what_the_package_imports_is_what_it_declares():
    package = Path(toyadmos_datasets.__file__).parent
    core = brought_by({name_of(requirement) for requirement in PROJECT["dependencies"]})
    train = core | brought_by({name_of(requirement) for requirement in PROJECT["optional-dependencies"]["train"]})
    strangers = {}
    for path in sorted(package.rglob("*.py")):
        shown = path.relative_to(package).as_posix()
        strangers[shown] = imported_by(path) - (train if shown.startswith(TRAINING_CODE) else core)

    assert {shown: names for shown, names in strangers.items() if names} == {}


def test_types_travel_with_the_package():
    assert (Path(toyadmos_datasets.__file__).parent / "py.typed").exists()
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_the_corpus_is_cited_apart_from_the_tool():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper, corpus = cited["references"]

    assert (cited["cff-version"], cited["type"], cited["title"]) == ("1.2.0", "software", PROJECT["name"])
    assert (paper["type"], paper["url"], corpus["type"]) == ("conference-paper", PAPER_URL, "data")
    assert corpus["doi"] == f"10.5281/zenodo.{RECORD_ID}"
    assert (corpus["url"], corpus["license-url"]) == (RECORD_URL, LICENSE_URL)
    for reference in (paper, corpus):
        names = " and ".join(f"{one['family-names']}, {one['given-names']}" for one in reference["authors"])
        assert f"author    = {{{names}}}" in CITATION


def test_the_citation_has_the_version_and_licence_of_the_package():
    cited = dict(re.findall(r"^(version|license): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))

    assert cited == {"version": PROJECT["version"], "license": PROJECT["license"]}


def test_every_direct_dependency_is_pinned_for_development():
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["test"], *extras["dev"]]
    names = {normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted} - {PROJECT["name"]}

    assert names - set(pinned()) == set()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()

    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
