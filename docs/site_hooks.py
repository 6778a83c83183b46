"""Hooks of MkDocs: pages that stand elsewhere in the repository, the tutorial as a page, and the public names.

GitHub shows docs/ as it is, with links to files beside it. In the site, such a link leads to the page that was made of
the file; where there is none, its text stays and the link goes.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
    "docs/tutorial.ipynb": "tutorial.md",
}
"""File of the repository to the page of the site that stands for it."""
GENERATED = ("benchmarks/README.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
NAMES = "<!-- the public names -->"


def on_files(files: Files, *, config: MkDocsConfig, **_: object) -> Files:
    """Add the pages whose text stands outside docs/, and the tutorial."""
    for source in GENERATED:
        files.append(File.generated(config, PAGES[source], content=(ROOT / source).read_text(encoding="utf-8")))
    notebook = json.loads((ROOT / "docs/tutorial.ipynb").read_text(encoding="utf-8"))
    files.append(File.generated(config, "tutorial.md", content="\n".join(notebook_markdown(notebook))))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, **_: object) -> str:
    """Lead links that leave docs/ to pages of the site, and name what the package offers."""
    origin = {made: source for source, made in PAGES.items() if source in GENERATED}
    folder = posixpath.dirname(origin.get(page.file.src_uri, f"docs/{page.file.src_uri}"))

    def led(match: re.Match[str]) -> str:
        mark, text, target, anchor = match.groups()
        path = posixpath.normpath(posixpath.join(folder, target))
        in_site = PAGES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
        if in_site is None or files.get_file_from_path(in_site) is None:
            if (ROOT / path).exists():
                return text
            return match[0]  # leads nowhere: the build fails
        here = posixpath.dirname(page.file.src_uri)
        return f"{mark}[{text}]({posixpath.relpath(in_site, here or '.')}{anchor or ''})"

    return LINK.sub(led, markdown.replace(NAMES, "\n".join(public_names())))


def public_names() -> Iterator[str]:
    """Yield a directive of mkdocstrings for each public name: the functions first, then the classes."""
    tree = ast.parse((ROOT / "toyadmos_datasets/__init__.py").read_text(encoding="utf-8"))
    places = {
        name.value: place.value
        for one in tree.body
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "_PLACES"
        for name, place in zip(one.value.keys, one.value.values, strict=True)  # type: ignore[attr-defined]
    }
    commands = [name for name, place in places.items() if place.startswith("api.")]
    functions = [name for name in places if name.islower() and name not in commands]
    classes = ["ToyAdmosError", *(name for name in places if not name.islower())]
    for title, names in (("Commands", commands), ("Loading and names", functions), ("Classes", classes)):
        yield f"\n## {title}\n"
        yield from (f"::: toyadmos_datasets.{name}\n" for name in names)


def notebook_markdown(notebook: dict[str, Any]) -> Iterator[str]:
    """Yield the cells of a notebook as Markdown: text, code, and what the code gave."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source + "\n"
            continue
        yield f"```python\n{source}\n```\n"
        for output in cell["outputs"]:
            yield from _output_markdown(output)


def _output_markdown(output: dict[str, Any]) -> Iterator[str]:
    if output["output_type"] == "stream":
        yield f"```text\n{''.join(output['text']).rstrip()}\n```\n"
        return
    data = output["data"]
    if "image/png" in data:
        yield f"![plot](data:image/png;base64,{''.join(data['image/png']).strip()})\n"
    else:
        yield f"```text\n{''.join(data['text/plain'])}\n```\n"
