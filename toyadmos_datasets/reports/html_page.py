"""Pages of HTML from the templates beside: one file each, no script, nothing fetched from anywhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from toyadmos_datasets.escaping import escaped

SIMULATED = "The corpus is SIMULATED: results on it are not results on ToyADMOS."
LICENCE = (
    "This page holds clips. ToyADMOS is licensed for internal evaluation only, and its audio must not be passed on: "
    "make the report with --no-audio before you share it."
)


def notes(*, is_simulated: bool, has_audio: bool) -> list[str]:
    """Return what a reader must know before anything else."""
    return [SIMULATED] if is_simulated else [LICENCE] if has_audio else []


def page(template: str, title: str, **values: object) -> str:
    """Return a page of HTML; every value that a template shows is text, made visible and escaped.

    Args:
        template: Name of the page's template.
        title: Its title.
        **values: What the template shows.
    """
    return templates().get_template(template).render(title=title, **values)


@cache
def templates() -> Environment:
    """Return the templates, which escape whatever they show."""
    return Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _source(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _visible(value: object) -> object:
    """Make a text visible before it is escaped; what a macro returned is HTML already."""
    return value if hasattr(value, "__html__") else escaped(value)
