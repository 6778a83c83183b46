"""`toyadmos verify`: whether a prepared dataset or a source is what it should be."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption, WorkersOption, processors
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.verify import DatasetVerdict, SourceVerdict

_SHOWN_PROBLEMS = 20


def verify(
    place: Annotated[
        Path, typer.Argument(help="A prepared dataset, or a folder with volumes or a tree.", metavar="DIR")
    ],
    *,
    toy: Annotated[str | None, typer.Option(help="For a source: car, conveyor or train.", metavar="TOY")] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> int:
    """Read a prepared dataset or a source once through and tell everything that is wrong with it.

    Exit status 1 if anything is.
    """
    from toyadmos_datasets.verify import is_prepared, verify_dataset, verify_source

    progress, n_workers = progress_on_terminal(), workers or processors()
    verdict: DatasetVerdict | SourceVerdict
    if is_prepared(place) and toy is None:
        verdict = verify_dataset(place, progress, workers=n_workers)
        lines = _dataset_lines(verdict)
    else:
        verdict = verify_source(str(place), _required_toy(toy, place), progress, workers=n_workers)
        lines = _source_lines(verdict)
    if as_json:
        typer.echo(json.dumps(asdict(verdict) | {"is_good": verdict.is_good}, indent=2, default=str))
    else:
        typer.echo("\n".join([*lines, *_problem_lines(verdict)]))
    return 0 if verdict.is_good else 1


def _required_toy(toy: str | None, place: Path) -> str:
    if toy is None:
        raise OptionError(
            "There is no prepared dataset here, and for a source it is not said of which toy.",
            where=place,
            expected="a folder with manifest.json, or --toy",
            actual="neither",
            remedy=f"toyadmos verify {place} --toy train",
        )
    return toy_named(toy).name


def _dataset_lines(verdict: DatasetVerdict) -> list[str]:
    amount = f"{verdict.n_rows} clips of {verdict.toy} in {verdict.n_shards} shards"
    return [f"{verdict.folder}: {amount}, {format_bytes(verdict.n_bytes)}"]


def _source_lines(verdict: SourceVerdict) -> list[str]:
    rows = [
        [str(one.case), one.sound, one.recording_type, str(one.n_takes), str(one.n_published)] for one in verdict.counts
    ]
    amount = f"{verdict.n_recordings} recordings of {verdict.toy}, {format_bytes(verdict.n_bytes)} of WAV"
    lines = [
        f"{verdict.location} ({verdict.kind}): {amount}",
        *table_lines(["case", "sound", "type", "takes", "published"], rows),
    ]
    if verdict.kind == "volumes":
        lines.append(f"{verdict.n_volumes_compared} volumes have the published size; their md5 was compared.")
    if verdict.incomplete:
        lines.append(f"{len(verdict.incomplete)} events lack a channel, such as {verdict.incomplete[0].event_id}.")
    if verdict.is_simulated:
        lines.append("The recordings are SIMULATED.")
    return lines


def _problem_lines(verdict: DatasetVerdict | SourceVerdict) -> list[str]:
    if verdict.is_good:
        return ["Everything is as it should be."]
    shown = [str(problem) for problem in verdict.problems[:_SHOWN_PROBLEMS]]
    more = len(verdict.problems) - len(shown)
    return [f"{len(verdict.problems)} problems:", *shown, *([f"and {more} more; see --json"] if more else [])]
