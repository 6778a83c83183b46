"""What stands in more than one of the project's files agrees."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in pins}


def normal(name: str) -> str:
    """Spell a distribution's name as the packaging specifications compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
