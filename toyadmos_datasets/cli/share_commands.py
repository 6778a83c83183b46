"""`toyadmos share` and `toyadmos fetch-recipe`: to a bucket or the Hub, and back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import JsonOption, TokenOption, WorkersOption, chosen_workers
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.sharing import ShareReport

_SHOWN_FILES = 10


def share(
    folder: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    destination: Annotated[
        str,
        typer.Argument(
            help="hf://datasets/user/name, s3://bucket/folder or another address that fsspec can write to.",
            metavar="DEST",
        ),
    ],
    *,
    with_audio: Annotated[
        bool,
        typer.Option(
            "--with-audio",
            help="Send the dataset with its audio. Default for a bucket; on the Hub only for private repositories.",
        ),
    ] = False,
    recipe_only: Annotated[
        bool, typer.Option("--recipe-only", help="Send card, recipe and hashes, but no audio. Default for the Hub.")
    ] = False,
    i_may_share_audio: Annotated[
        bool,
        typer.Option(
            "--i-may-share-audio", help="Confirm that only people who may have the recordings can read the bucket."
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another dataset that was shared there.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, without sending it.")] = False,
    token: TokenOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a dataset, or only its recipe, to a bucket or the Hub.

    Files that are already there are not sent again; the manifest comes last. The corpus's licence forbids passing the
    audio on: nothing of it goes to a public place.
    """
    if with_audio and recipe_only:
        raise OptionError(
            "Two options contradict each other.",
            where="--with-audio, --recipe-only",
            expected="one of them, or neither",
            remedy="toyadmos share --help",
        )
    from toyadmos_datasets.sharing import ShareOptions
    from toyadmos_datasets.sharing.share_job import share_dataset

    options = ShareOptions(
        folder=folder,
        destination=destination,
        with_audio=True if with_audio else False if recipe_only else None,
        may_share_audio=i_may_share_audio,
        dry_run=dry_run,
        overwrite=overwrite,
        token=token,
    )
    report = share_dataset(options, progress_on_terminal(), workers=chosen_workers(workers))
    if as_json:
        print_json(asdict(report) | {"was_done": report.was_done})
    else:
        print_lines(_lines(report))


def fetch_recipe(
    address: Annotated[
        str, typer.Argument(help="Address of a shared recipe, such as hf://datasets/user/name.", metavar="URL")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.", metavar="FILE")] = Path(
        "dataset.toyrecipe"
    ),
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a shared recipe, and compare it with its hashes."""
    from toyadmos_datasets.sharing import fetch_recipe as run

    fetched = run(address, out, token=token)
    recipe = fetched.recipe
    if as_json:
        facts = {
            "out": str(fetched.path),
            "recipe_sha256": recipe.sha256,
            "n_examples": len(recipe.examples),
            "configs": list(recipe.configs),
            "has_hashes": fetched.has_hashes,
            "was_there": fetched.was_there,
        }
        print_json(facts)
        return
    what = f"recipe {recipe.sha256[:16]}, {len(recipe.examples)} examples of {', '.join(recipe.configs)}"
    print_lines([f"{'Already there' if fetched.was_there else 'Fetched'}: {fetched.path}, {what}"])
    toy = recipe.parameters["toy"]
    command = "recipe rebuild" if fetched.has_hashes else f"prepare --toy {toy} --recipe"
    print_lines([f"Make the dataset with: toyadmos {command} {shell_word(fetched.path)} --out DIR"])


def _lines(report: ShareReport) -> list[str]:
    what = "the dataset with its audio" if report.has_audio else "the recipe, without audio"
    if report.was_done:
        return [f"Nothing to do: {report.destination} already holds {what}."]
    amount = f"{len(report.sent)} files, {format_bytes(report.n_bytes_sent)}"
    held = f"{report.n_held} files, {format_bytes(report.n_bytes_held)}, are there already."
    if report.is_dry_run:
        more = len(report.sent) - _SHOWN_FILES
        files = [*report.sent[:_SHOWN_FILES], *([f"and {more} more"] if more > 0 else [])]
        removed = [f"would be removed: {path}" for path in report.removed]
        return [f"Would send {what} to {report.destination}: {amount}. {held}", *files, *removed]
    return [f"Shared {what}: {report.destination}", f"Sent {amount}. {held}"]
