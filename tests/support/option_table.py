"""The tables of options in the docs, as the commands and declarations give them; run as a script, it renews the pages.

docs/cli.md has one for each command with options, docs/baseline.md one of the settings of presets, and docs/corpus.md
some of the facts of the corpus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

import typer
from corpus_tables import TABLES

from toyadmos_datasets.cli.main import app
from toyadmos_datasets.options.declaration import Option, defaults_of, options_of
from toyadmos_datasets.options.fetch_choices import DownloadOptions, FetchChoices
from toyadmos_datasets.options.place_options import PlaceOptions
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.presets import PRESETS, Preset, settings_of
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions

DOCS = Path(__file__).parents[2] / "docs"
CLASSES = (
    PlanOptions,
    PlaceOptions,
    Encoding,
    RenderOptions,
    LogMel,
    FetchChoices,
    DownloadOptions,
    TrainOptions,
    EvaluateOptions,
)
HEAD = "| option | | default | example |\n| --- | --- | --- | --- |\n"
SETTINGS_HEAD = (
    f"| setting | | {' | '.join(f'`{name}`' for name in PRESETS)} |\n| --- | --- {'| --- ' * len(PRESETS)}|\n"
)
CODE = re.compile(r"--[a-z-]+|[A-Z]+_[A-Z_]+")
"""What is typed, in the help of options that are declared on their command alone."""
EVERYWHERE = {"--help", "--json"}
"""Options that every command has; the page says so once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An option as it is declared, and its default."""

    option: Option
    default: object


DECLARED = {
    (one.flag, one.help.replace("`", "")): Declared(option=one, default=defaults_of(kind).get(name))
    for kind in CLASSES
    for name, one in options_of(kind).items()
}
"""By flag and by what ``--help`` says: two commands may have different options with one flag."""


def commands_of(program: Any, prefix: str = "") -> dict[str, Any]:  # click's, of whatever version
    """Return every command by its name; one of a group behind the group's."""
    found = {}
    for name in program.list_commands(None):
        command = program.get_command(None, name)
        is_group = hasattr(command, "commands")
        found |= commands_of(command, f"{name} ") if is_group else {f"{prefix}{name}": command}
    return found


def table_of(command: Any) -> str:
    """Return the rows of a command's own options, in the order of its ``--help``."""
    options = [one for one in command.params if one.param_type_name == "option" and not EVERYWHERE & set(one.opts)]
    return "".join(map(_row, options))


def _row(parameter: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    found = DECLARED.get((parameter.opts[0], parameter.help))
    if found is None:
        is_shown = parameter.show_default is not False
        return _cells(
            flags, CODE.sub(r"`\g<0>`", parameter.help), _default(flags, parameter.default) if is_shown else "", ""
        )
    one = found.option
    text = " ".join(filter(None, (one.help, one.page)))
    example = f"`{one.flag} {one.example}`" if one.example else ""
    told = one.typed.get("show_default", True)
    default = f"`{told}`" if isinstance(told, str) else _default(flags, found.default) if told else ""
    return _cells(flags, text, default, example)


def _default(flags: str, value: object) -> str:
    match value:
        case True:
            return flags.split(", ", maxsplit=1)[0]
        case None | False | () | []:
            return ""
        case tuple():
            return f"`{','.join(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def settings_table() -> str:
    """Return a row for each setting of a preset, with its value in each known one."""
    return "".join(
        _cells(f"`{name}`", one.help, *(_setting(preset, name) for preset in PRESETS.values()))
        for name, one in options_of(Preset).items()
    )


def _setting(preset: Preset, name: str) -> str:
    """Return a preset's value of a setting; nothing where its kind of detector has no such."""
    return _written(getattr(preset, name)) if name in settings_of(preset.detector) else ""


def _written(value: object) -> str:
    """Return a value as it is typed after ``--set NAME=``; a tuple by its ends."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return f"`[{value[0]}, .., {value[-1]}]`, {len(value)} of them"
    return f"`{value}`"


def _cells(*cells: str) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in (one.replace("|", "\\|") for one in cells)) + "|\n"


def with_table(text: str, head: str, rows: str) -> str:
    """Return a text with other rows under the head of its table."""
    before, after = text.split(head)
    rest = dropwhile(lambda line: line.startswith("|"), after.splitlines(keepends=True))
    return before + head + rows + "".join(rest)


def renewed_commands(page: str) -> str:
    """Return docs/cli.md with the tables as the commands have them; `plan` takes the options of `prepare`."""
    start = "\n## toyadmos "
    commands = commands_of(typer.main.get_command(app))
    first, *sections = page.split(start)
    renewed = [first]
    for section in sections:
        name = section.partition("\n")[0]
        rows = "" if name == "plan" else table_of(commands[name])
        renewed.append(with_table(section, HEAD, rows) if rows else section)
    return start.join(renewed)


def renewed_settings(page: str) -> str:
    """Return docs/baseline.md with the table of settings as they are declared."""
    return with_table(page, SETTINGS_HEAD, settings_table())


def renewed_facts(page: str) -> str:
    """Return docs/corpus.md with its tables as the facts of the corpus have them."""
    for head, rows in TABLES.items():
        page = with_table(page, head, "".join(_cells(*map(str, row)) for row in rows()))
    return page


RENEWED = {"cli.md": renewed_commands, "baseline.md": renewed_settings, "corpus.md": renewed_facts}

if __name__ == "__main__":
    for name, renewed in RENEWED.items():
        path = DOCS / name
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
