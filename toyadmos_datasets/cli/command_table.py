"""The table of commands; the module of a command is imported when it is needed, so that every command starts fast."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from toyadmos_datasets.cli.option_groups import GroupedOptions, examples_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCommand:
    """Where a command is.

    Attributes:
        module: Its module, in this room.
        name: Its function there; a program of its own where it has commands.
        group: What it stands under in ``--help``.
    """

    module: str
    name: str
    group: str


def _listed(group: str, module: str, *names: str) -> dict[str, ListedCommand]:
    return {name: ListedCommand(module=module, name=name.replace("-", "_"), group=group) for name in names}


COMMANDS: Mapping[str, ListedCommand] = {
    **_listed("Prepare", "prepare_commands", "prepare", "plan"),
    **_listed("Prepare", "index_commands", "protocols"),
    **_listed("Sources", "index_commands", "index"),
    **_listed("Sources", "cache_commands", "download", "simulate", "cache"),
    **_listed("Check", "verify_command", "verify"),
    **_listed("Check", "audit_command", "audit"),
    **_listed("Share", "share_commands", "share", "fetch-recipe"),
    "recipe": ListedCommand(module="recipe_commands", name="app", group="Share"),
    **_listed("Share", "export_commands", "export"),
    **_listed("Train", "training_commands", "train", "evaluate", "compare"),
    **_listed("Train", "export_commands", "report"),
}
"""By name, in the order of ``--help``."""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 160}
"""Settings of every command; help is as wide as the terminal, up to a readable width."""


class Commands(TyperGroup):
    """The program; it imports a command when it is needed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  # click's, wherever typer has it
        """Name all commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  # the same
        """Return a command; None where there is none of that name."""
        del ctx
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = _made(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # the same
        """Write what the commands do, group by group."""
        for group in dict.fromkeys(one.group for one in COMMANDS.values()):
            names = [name for name, one in COMMANDS.items() if one.group == group]
            with formatter.section(group):
                formatter.write_dl([(name, self.get_command(ctx, name).get_short_help_str(120)) for name in names])


def _made(name: str) -> Any:  # noqa: ANN401  # a command, of whatever version of click
    listed = COMMANDS[name]
    found = getattr(importlib.import_module(f"toyadmos_datasets.cli.{listed.module}"), listed.name)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)
    alone.command(name, cls=GroupedOptions, epilog=examples_of(name))(found)
    return typer.main.get_command(alone)


def nearest_command(word: str) -> str | None:
    """Return the command that a word was probably meant to be."""
    return next(iter(difflib.get_close_matches(word, COMMANDS, n=1)), None)
