"""The table of options in docs/cli.md, as the declarations give it; run as a script, it renews the page."""

from __future__ import annotations

from itertools import dropwhile
from pathlib import Path

from toyadmos_datasets.cli.command_options import REQUEST, PlaceOptions
from toyadmos_datasets.options.declaration import Option, defaults_of, options_of
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
CLASSES = (PlanOptions, PlaceOptions, Encoding, RenderOptions, LogMel, FetchChoices)
HEAD = "| option | | default | example |\n| --- | --- | --- | --- |\n"


def row(one: Option, default: object) -> str:
    """Return an option as a row of the table."""
    flags = f"`{one.flag}`, `--no-{one.flag[2:]}`" if default is True else f"`{one.flag}`"
    text = " ".join(filter(None, (one.help, one.page))).replace("|", "\\|")
    example = f"`{one.flag} {one.example}`" if one.example else ""
    is_shown = one.typed.get("show_default", True)
    cells = (flags, text, _default(one, default) if is_shown else "", example)
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n"


def _default(one: Option, value: object) -> str:
    match value:
        case True:
            return f"`{one.flag}`"
        case None | False | ():
            return ""
        case tuple():
            return f"`{','.join(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def table() -> str:
    """Return the rows of all options of `toyadmos prepare`, in the order of its ``--help``."""
    rows = {name: row(one, defaults_of(kind).get(name)) for kind in CLASSES for name, one in options_of(kind).items()}
    return "".join(rows[parameter.name] for parameter in REQUEST)


def renewed(page: str) -> str:
    """Return the page with the table as it is declared."""
    before, after = page.split(HEAD)
    lines = after.splitlines(keepends=True)
    rest = dropwhile(lambda line: line.startswith("|"), lines)
    return before + HEAD + table() + "".join(rest)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
