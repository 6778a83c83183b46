"""The options that `prepare` and `plan` share: where from and where to, what, how rendered, how fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toyadmos_datasets.cli.fetching_options import RECORD, IgnoreOption, SourceOption, StrictOption, fetch_choices
from toyadmos_datasets.cli.option_groups import parameters_of, with_options
from toyadmos_datasets.cli.planning_options import plan_choices, protocol_choices
from toyadmos_datasets.cli.rendering_options import render_choices
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.cache_folder import CACHE_VARIABLE, default_cache

if TYPE_CHECKING:
    from toyadmos_datasets.jobs.prepare import PrepareOptions

CacheOption = Annotated[
    Path | None,
    typer.Option(
        help=f"Where recordings are kept between runs [env: {CACHE_VARIABLE}].", metavar="DIR", file_okay=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value for machines.")]


def _place_choices(
    *,
    source: SourceOption = RECORD,
    ignore: IgnoreOption = None,
    strict: StrictOption = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the dataset; by default data/TOY.", metavar="DIR", file_okay=False)
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="A table of your own (Parquet or CSV) in the place of a protocol.",
            metavar="FILE",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    cache: CacheOption = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out and list recordings that cannot be read.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave out events with these flags, such as near_silent,clipped, or those that a text file names.",
            metavar="FLAGS|FILE",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a dataset that was prepared in the folder before.")
    ] = False,
) -> dict[str, Any]:
    """Gather where a dataset comes from and goes to and what stays out of it, by the names of `PrepareOptions`.

    Raises:
        OptionError: An option cannot be meant.
    """
    from toyadmos_datasets.values.health import exclusion_of

    if not source:
        raise OptionError(
            "It is not said where the recordings are.",
            where="--source",
            expected="record, an address, a folder with the volumes or the extracted tree, or simulate",
            actual="nothing",
            remedy="Leave --source out for the official record, or type: --source simulate",
        )
    return {
        "source": source,
        "ignore": tuple(ignore or ()),
        "recipe": recipe,
        "out": out,
        "cache": cache or default_cache(),
        "skip_bad": skip_bad,
        "is_strict": strict,
        "exclude": exclusion_of(exclude or []),
        "is_overwriting": overwrite,
    }


_GATHERERS: tuple[Callable[..., Any], ...] = (
    plan_choices,
    protocol_choices,
    _place_choices,
    render_choices,
    fetch_choices,
)


def _read_request(**typed: Any) -> PrepareOptions:  # noqa: ANN401  # each option by its own type
    """Gather what was typed.

    Raises:
        OptionError: An option cannot be meant.
    """
    plan, protocol, place, render, fetch = (
        gather(**{one.name: typed[one.name] for one in parameters_of(gather)}) for gather in _GATHERERS
    )
    from toyadmos_datasets.engine.memory import keep_pandas_out
    from toyadmos_datasets.jobs.prepare import PrepareOptions
    from toyadmos_datasets.planning import PlanOptions

    keep_pandas_out()
    place["out"] = place["out"] or Path("data") / toy_named(plan["toy"]).short
    return PrepareOptions(plan=PlanOptions(**plan, **protocol), render=render, fetch=fetch, **place)


taking_request = with_options("request", [one for gather in _GATHERERS for one in parameters_of(gather)], _read_request)
"""Gives a command the shared options in the place of `request`, the `PrepareOptions` that they make."""
