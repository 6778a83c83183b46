"""The site of the documentation builds without a warning, and nothing in it is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import toyadmos_datasets

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ELSEWHERE = {"benchmarks.md", "contributing.md", "changelog.md", "tutorial.md"}
"""Pages that are made of files outside docs/, or of the notebook."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="MKDOCS IS MISSING: the site is NOT built; pip install '.[docs]'")
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return place


def test_the_site_has_a_page_for_every_page_of_the_docs(site):
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}

    assert {page for page in pages if not (site / page).is_file()} == set()
    assert {page.replace(".md", ".html") for page in ELSEWHERE} <= {one.name for one in site.iterdir()}


def test_every_public_name_is_in_the_api_reference(site):
    text = (site / "reference.html").read_text(encoding="utf-8")
    named = set(re.findall(r'id="toyadmos_datasets\.(\w+)"', text))

    assert named >= set(toyadmos_datasets.__all__) - {"__version__"}


def test_pages_fetch_nothing_from_elsewhere(site):
    fetched = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=\"?(https?:[^\" >]+)")
    found = {url for page in site.rglob("*.html") for url in fetched.findall(page.read_text(encoding="utf-8"))}

    assert found == set()
    assert not re.search(r"url\(['\"]?https?:", "".join(css.read_text("utf-8") for css in site.rglob("*.css")))


def test_each_term_of_the_glossary_is_short_and_in_its_place():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = dict(re.findall(r"^### (.+)\n\n((?:.+\n)+)", text, re.MULTILINE))

    assert list(terms) == sorted(terms, key=str.lower)
    assert all(len(said.splitlines()) <= 2 for said in terms.values())
    assert len(terms) == text.count("\n### ") >= 25


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "index.md", DOCS / "protocols.md", DOCS / "loading.md"])
def test_main_pages_lead_to_terms_that_the_glossary_has(page):
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    anchors = {re.sub(r"[^a-z0-9]+", "-", term.lower()) for term in re.findall(r"^### (.+)$", glossary, re.MULTILINE)}
    used = re.findall(r"glossary\.md#([a-z0-9-]+)", page.read_text(encoding="utf-8"))

    assert used
    assert set(used) <= anchors


def test_every_page_stands_in_the_navigation_once():
    listed = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}

    assert sorted(listed) == sorted(pages | ELSEWHERE)
