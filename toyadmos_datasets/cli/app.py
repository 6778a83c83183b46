"""The commands, listed; each is a file of its own and imports what it runs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from toyadmos_datasets.cli import (
    audit_command as audit,
)
from toyadmos_datasets.cli import (
    cache_commands as cache,
)
from toyadmos_datasets.cli import (
    cache_commands as download,
)
from toyadmos_datasets.cli import (
    cache_commands as simulate,
)
from toyadmos_datasets.cli import (
    export_commands as export,
)
from toyadmos_datasets.cli import (
    export_commands as report,
)
from toyadmos_datasets.cli import (
    index_commands as index,
)
from toyadmos_datasets.cli import (
    index_commands as protocols,
)
from toyadmos_datasets.cli import (
    prepare_commands as plan,
)
from toyadmos_datasets.cli import (
    prepare_commands as prepare,
)
from toyadmos_datasets.cli import (
    recipe_commands as recipe,
)
from toyadmos_datasets.cli import (
    share_commands as share,
)
from toyadmos_datasets.cli import (
    training_commands as compare,
)
from toyadmos_datasets.cli import (
    training_commands as evaluate,
)
from toyadmos_datasets.cli import (
    training_commands as train,
)
from toyadmos_datasets.cli import (
    verify_command as verify,
)

app = typer.Typer(
    name="toyadmos",
    help="ToyADMOS as a clean, reproducible dataset for anomalous sound detection.",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("prepare")(prepare.prepare)
app.command("plan")(plan.plan)
app.command("protocols")(protocols.protocols)
app.command("download")(download.download)
app.command("index")(index.index)
app.command("verify")(verify.verify)
app.command("audit")(audit.audit)
app.add_typer(recipe.app, name="recipe")
app.command("simulate")(simulate.simulate)
app.command("cache")(cache.cache)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("share")(share.share)
app.command("export")(export.export)
app.command("fetch-recipe")(share.fetch_recipe)


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
