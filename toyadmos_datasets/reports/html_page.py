"""Pages of HTML from the templates beside: one file each, no script, nothing fetched from anywhere."""

from __future__ import annotations

import contextlib
import datetime as dt
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from toyadmos_datasets.errors import DatasetError, OutputError
from toyadmos_datasets.escaping import escaped
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.files.installing import PACKAGE
from toyadmos_datasets.reports.page_links import Kind, pages_beside, replace_links

SIMULATED = "The corpus is SIMULATED: results on it are not results on ToyADMOS."
LICENCE = (
    "This page holds clips. ToyADMOS is licensed for internal evaluation only, and its audio must not be passed on: "
    "make the report with --no-audio before you share it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands at the top of a page.

    Attributes:
        title: What the page is about.
        verdict: What it comes to, in a sentence.
        totals: How much it is about.
        commands: What makes it again, a line each.
        notes: What a reader must know before anything else.
        kind: What kind of page it is.
        datasets: Recipe hashes of the datasets that it is about; empty where there are none. Pages of one dataset that
            lie in one folder link each other.
    """

    title: str
    verdict: str
    totals: str
    commands: Sequence[str]
    notes: Sequence[str]
    kind: Kind
    datasets: Sequence[str] = ()


def notes(*, is_simulated: bool, has_audio: bool) -> list[str]:
    """Return what a reader must know before anything else."""
    return [SIMULATED] if is_simulated else [LICENCE] if has_audio else []


def page(template: str, head: Head, out: Path | None, values: Mapping[str, object]) -> str:
    """Return a page of HTML; every value that a template shows is text, made visible and escaped.

    Args:
        template: Name of the page's template.
        head: What stands at its top.
        out: Where it will be, for links to the pages beside it; None for none.
        values: What the template shows.
    """
    made = dt.datetime.now(dt.UTC)
    return (
        templates()
        .get_template(template)
        .render(
            head=head,
            made=f"{made:%Y-%m-%d %H:%M} UTC by {PACKAGE} {version(PACKAGE)}",
            pages=[] if out is None else pages_beside(out, head.datasets),
            **values,
        )
    )


def write_page(out: Path, template: str, head: Head, values: Mapping[str, object]) -> None:
    """Write a page, and a link to it into the pages beside it that are about the same dataset.

    Args:
        out: The page.
        template: Name of its template.
        head: What stands at its top.
        values: What the template shows.

    Raises:
        OutputError: The page cannot be written. One beside it that cannot be keeps the links that it has.
    """
    write_text(out, page(template, head, out, values))
    for other in pages_beside(out, head.datasets):
        links = templates().get_template("pages.html.j2").render(pages=pages_beside(other.path, [*other.datasets]))
        with contextlib.suppress(OutputError, DatasetError):
            replace_links(other.path, links.encode())


def headings_of(body: str) -> list[tuple[str, str]]:
    """Return the sections of a page, for its contents: the id of each, and its heading."""
    found = re.findall(r'<section id="([a-z0-9-]+)"><h2>(.*?)</h2>', body)
    return [(name, html.unescape(text)) for name, text in found]


@cache
def templates() -> Environment:
    """Return the templates, which escape whatever they show."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["headings_of"] = headings_of
    return environment


def _source(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _visible(value: object) -> object:
    """Make a text visible before it is escaped; what a macro returned is HTML already."""
    return value if hasattr(value, "__html__") else escaped(value)
