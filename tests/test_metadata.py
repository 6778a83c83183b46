"""What stands in more than one of the project's files agrees."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

import toyadmos_datasets
from toyadmos_datasets.corpus.facts import CITATION, LICENSE_URL, PAPER_URL, RECORD_ID, RECORD_URL
from toyadmos_datasets.rendering.dataset_card import PACKAGE_CITATION

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


def test_the_version_is_that_of_the_tag_alone():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT.keys() | cited.keys()


def test_the_package_is_cited_alike_in_cards_and_in_its_own_file():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (author,) = cited["authors"]

    assert cited["license"] == PROJECT["license"]
    assert PACKAGE_CITATION.startswith("@software{")
    assert PACKAGE_CITATION.count("{") == PACKAGE_CITATION.count("}")
    assert f"{{{author['name']}}}" in PACKAGE_CITATION
    assert f"{{{cited['title']}}}" in PACKAGE_CITATION
    assert [one["name"] for one in PROJECT["authors"]] == [author["name"]]


def test_release_notes_are_the_section_of_the_changelog():
    script = runpy.run_path(str(ROOT / "docs" / "release_notes.py"))
    changes = "# Log\n\n## [Unreleased]\n\n- c\n\n## [0.2.0] - 2027-01-01\n\n- b\n\n## [0.1.0] - 2026-12-01\n\n- a\n"
    released = {name: script["notes_of"](changes, name) for name in ("Unreleased", "0.2.0", "0.1.0")}

    assert released == {"Unreleased": "- c\n", "0.2.0": "- b\n", "0.1.0": "- a\n"}
    with pytest.raises(SystemExit):
        script["notes_of"](changes, "0.3.0")


@pytest.mark.parametrize(
    "page", [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "benchmarks" / "README.md"]
)
def test_no_page_installs_from_where_the_package_is_not(page):
    assert not re.search(r"pip install (?!NEWER)[^`\n]*toyadmos-datasets", page.read_text(encoding="utf-8"))


def test_every_direct_dependency_is_pinned_for_development():
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["test"], *extras["dev"], *extras["report"], *extras["train"]]
    names = {normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted} - {PROJECT["name"]}

    assert names - set(pinned()) == set()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()

    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
