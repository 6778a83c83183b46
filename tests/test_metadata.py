"""What stands in more than one of the project's files agrees."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import toyadmos_datasets
from toyadmos_datasets.corpus.facts import CITATION, LICENSE_URL, PAPER_URL, RECORD_ID, RECORD_URL

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in pins}


def normal(name: str) -> str:
    """Spell a distribution's name as the packaging specifications compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
    wanted = [*PROJECT["dependencies"], *extras["test"], *extras["dev"], *extras["report"], *extras["train"]]
    names = {normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted} - {PROJECT["name"]}

    assert names - set(pinned()) == set()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()

    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
