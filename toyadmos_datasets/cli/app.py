"""The commands, listed; each imports what it runs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from toyadmos_datasets.cli import recipe_commands
from toyadmos_datasets.cli.audit_command import audit
from toyadmos_datasets.cli.cache_commands import cache, download, simulate
from toyadmos_datasets.cli.export_commands import export, report
from toyadmos_datasets.cli.index_commands import index, protocols
from toyadmos_datasets.cli.prepare_commands import plan, prepare
from toyadmos_datasets.cli.share_commands import fetch_recipe, share
from toyadmos_datasets.cli.training_commands import compare, evaluate, train
from toyadmos_datasets.cli.verify_command import verify

app = typer.Typer(
    name="toyadmos",
    help="ToyADMOS as a clean, reproducible dataset for anomalous sound detection.",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("prepare")(prepare)
app.command("plan")(plan)
app.command("protocols")(protocols)
app.command("download")(download)
app.command("index")(index)
app.command("verify")(verify)
app.command("audit")(audit)
app.add_typer(recipe_commands.app, name="recipe")
app.command("simulate")(simulate)
app.command("cache")(cache)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("report")(report)
app.command("share")(share)
app.command("export")(export)
app.command("fetch-recipe")(fetch_recipe)


def _show_version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        from importlib.metadata import version

        typer.echo(f"toyadmos {version('toyadmos-datasets')}")
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error; goes anywhere.")] = False,
) -> None:
    del version, debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)
