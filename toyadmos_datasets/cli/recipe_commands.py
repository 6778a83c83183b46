"""`toyadmos recipe`: the small file that is shared instead of audio."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toyadmos_datasets.cli.command_options import (
    CacheOption,
    EngineOption,
    IgnoreOption,
    JsonOption,
    OverwriteOption,
    SourceOption,
    TokenOption,
    WorkersOption,
    chosen_workers,
    taking_fetch,
)
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal, table_lines
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.address import RECORD
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.jobs.rebuild import RebuildReport
    from toyadmos_datasets.options.fetch_choices import FetchChoices
    from toyadmos_datasets.sharing import OpenedRecipe, RecipeDiff

_SHOWN = 10

app = typer.Typer(
    help="Share a dataset as a small file without audio.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="A prepared dataset.", metavar="DIR")],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write, such as mine.toyrecipe.", metavar="FILE", dir_okay=False)
    ],
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset's recipe, with the hash of every example, as one small file."""
    from toyadmos_datasets.sharing import export_recipe

    shared = export_recipe(folder, out, workers=chosen_workers(workers), progress=progress_on_terminal())
    n_bytes = out.stat().st_size
    if as_json:
        written = {"written": str(out), "n_bytes": n_bytes, "sha256": shared.sha256, "n_rows": len(shared.digests)}
        print_json(written)
        return
    print_lines([f"Written: {out} ({format_bytes(n_bytes)}, {len(shared.digests)} examples, no audio)"])
    print_lines([f"Users with the recordings render it with: {_rebuild_command(out)}"])


@app.command("show")
def show(
    file: Annotated[
        str,
        typer.Argument(
            help="A shared or plain recipe, a prepared dataset, or an address of one (hf://, s3://, https://).",
            metavar="FILE|DIR|URL",
        ),
    ],
    *,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a recipe."""
    from toyadmos_datasets.sharing import open_recipe

    opened = open_recipe(file, token=token)
    if as_json:
        print_json(_as_json(opened))
    else:
        print_lines(_lines(opened))


@app.command("rebuild")
@taking_fetch()
def rebuild(
    file: Annotated[
        str, typer.Argument(help="A shared recipe, or the address where it was shared.", metavar="FILE|URL")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the dataset.", metavar="DIR", file_okay=False)],
    source: SourceOption = RECORD,
    ignore: IgnoreOption = None,
    cache: CacheOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    overwrite: OverwriteOption = False,
    token: TokenOption = None,
    fetch: FetchChoices,
    as_json: JsonOption = False,
) -> int:
    """Render a shared recipe, and compare the result with the original.

    If a byte of a shard differs, the exit status is 1 and the command names the stage that differs.
    """
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out
    from toyadmos_datasets.jobs.rebuild import RebuildOptions
    from toyadmos_datasets.jobs.rebuild import rebuild as run

    keep_pandas_out()
    options = RebuildOptions(
        file=file,
        source=source,
        out=out,
        cache=cache or default_cache(),
        workers=chosen_workers(workers),
        engine=engine,
        overwrite=overwrite,
        fetch=fetch,
        ignore=tuple(ignore or ()),
        token=token,
    )
    report = run(options, progress_on_terminal())
    if as_json:
        moved = None if report.moved is None else asdict(report.moved)
        found = {"out": str(out), "is_same": report.is_same, "n_shards": report.n_shards, "moved": moved}
        print_json(found | {"was_done": report.prepared.was_done})
    else:
        print_lines(_rebuilt_lines(report))
    return 0 if report.is_same else 1


@app.command("diff")
def diff(
    a: Annotated[
        str, typer.Argument(help="A recipe, shared or plain, a prepared dataset, or an address of one.", metavar="A")
    ],
    b: Annotated[str, typer.Argument(help="Another recipe or dataset.", metavar="B")],
    *,
    as_json: JsonOption = False,
) -> int:
    """Show the differences between two recipes.

    The exit status is 1 if they differ in more than versions.
    """
    from toyadmos_datasets.sharing import diff_recipes

    found = diff_recipes(a, b)
    if as_json:
        print_json(asdict(found) | {"is_same": found.is_same})
    else:
        print_lines(_diff_lines(found))
    return 0 if found.is_same else 1


def _rebuild_command(file: Path | str) -> str:
    return f"toyadmos recipe rebuild {shell_word(file)} --source SRC --out DIR"


def _as_json(opened: OpenedRecipe) -> dict[str, Any]:
    from toyadmos_datasets.values.recipe import header_of

    recipe, shared = opened.recipe, opened.shared
    known = {"file": str(opened.path), "is_shared": shared is not None, "n_rows": len(recipe.examples)}
    plain = header_of(recipe) | {"recipe_sha256": recipe.sha256}
    counts = [
        dict(zip(("config", "split", "label", "n_rows", "n_events"), row, strict=True)) for row in _counts(opened)
    ]
    return known | (plain if shared is None else shared.header() | {"sha256": shared.sha256}) | {"counts": counts}


def _counts(opened: OpenedRecipe) -> list[list[Any]]:
    keys = ["config", "split", "label"]
    grouped = opened.recipe.examples.group_by(keys, use_threads=False)
    counted = grouped.aggregate([("event_id", "count"), ("event_id", "count_distinct")]).to_pylist()
    return [[*(row[key] for key in keys), row["event_id_count"], row["event_id_count_distinct"]] for row in counted]


def _lines(opened: OpenedRecipe) -> list[str]:
    recipe, shared = opened.recipe, opened.shared
    lines = [
        f"{opened.path}: {len(recipe.examples)} examples of {', '.join(recipe.toys)}",
        f"recipe      {recipe.sha256}",
        f"planned     {_spelled(_asked(recipe.parameters))}",
        *(f"added       {', '.join(one.configs)}: {_spelled(_asked(one.parameters))}" for one in recipe.added),
    ]
    if shared is not None:
        lines += [
            f"source      {_spelled(shared.source)}",
            f"rendered    {_spelled({k: v for k, v in shared.request.items() if k not in recipe.parameters})}",
            f"            headroom {shared.headroom_db:g} dB; {_spelled(shared.versions)}",
            *(
                f"            {', '.join((*one.configs, *one.feature_configs))}: headroom {one.headroom_db:g} dB"
                for one in shared.additions
            ),
            f"gave        {len(shared.shards)} shards, {format_bytes(sum(one.n_bytes for one in shared.shards))}",
            "            their hashes, and those of the samples of every example, are in the file",
        ]
        if shared.skipped:
            lines.append(f"without     {len(shared.skipped)} recordings that could not be read")
    rows = [[str(cell) for cell in row] for row in _counts(opened)]
    lines += ["", *table_lines(["config", "split", "label", "examples", "events"], rows)]
    lines += ["", *recipe.notes] if recipe.notes else []
    if shared is not None:
        lines += ["", f"Render it with: {_rebuild_command(opened.path)}"]
    return lines


def _asked(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value not in (None, False, [], ())}


def _spelled(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _rebuilt_lines(report: RebuildReport) -> list[str]:
    out, moved = report.prepared.out, report.moved
    did = "Nothing to render: it is there already." if report.prepared.was_done else f"Rendered {out}"
    if moved is None:
        return [did, f"All {report.n_shards} shards have the hashes that the recipe promises."]
    lines = [did, f"{len(moved.shards)} of {report.n_shards} shards differ from what the recipe promises.", moved.what]
    lines += [f"  {name}: {then} then, {now} now" for name, then, now in moved.versions]
    if moved.n_examples:
        lines += [f"The samples of {moved.n_examples} examples differ:", *_some(moved.examples, moved.n_examples)]
    return lines


def _diff_lines(found: RecipeDiff) -> list[str]:
    lines = []
    for title, places in (
        ("Settings that differ", [f"{one.name}: {one.a} -> {one.b}" for one in found.settings]),
        ("Examples only in B", found.added),
        ("Examples only in A", found.removed),
        ("Examples in another split", found.moved),
        ("Examples with other columns", found.changed_examples),
        ("Examples with other samples", found.other_samples),
        ("Versions that differ", [f"{one.name}: {one.a} -> {one.b}" for one in found.versions]),
    ):
        if places:
            lines += [f"{title} ({len(places)}):", *_some(places, len(places))]
    if found.changed:
        lines.append("Columns that differ: " + ", ".join(f"{name} in {n}" for name, n in found.changed.items()))
    hashed = f", {found.n_compared_samples} examples by their samples" if found.n_compared_samples else ""
    return [*lines, f"The recipes {'are the same' if found.is_same else 'differ'}{hashed}."]


def _some(places: Any, n: int) -> list[str]:  # noqa: ANN401  # tuples and lists alike
    shown = [f"  {place}" for place in places[:_SHOWN]]
    return [*shown, *([f"  and {n - len(shown)} more"] if n > len(shown) else [])]
