"""`toyadmos verify`: whether a prepared dataset or a source is complete and correct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import (
    CacheOption,
    IgnoreOption,
    JsonOption,
    ManifestOption,
    SourceOption,
    StrictOption,
    WorkersOption,
    chosen_workers,
    fetch_choices,
)
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal, table_lines
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.address import RECORD
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.verifying import DatasetVerdict, Problem, SourceVerdict

_SHOWN_PROBLEMS = 20
_SOUND = {
    "complete": "Everything is as it should be.",
    "simulated": "Everything is as it should be.",
    "partial": "PARTIAL: nothing is wrong with what is there, but recordings are missing.",
}
"""Sentences for a source without errors."""
_STATUS = {"complete": 0, "simulated": 0, "partial": 3, "wrong": 1}
"""Exit status by the verdict about a source."""


def verify(
    location: Annotated[
        str | None,
        typer.Argument(
            help="A prepared dataset, the address of a shared one, or a folder with volumes or a tree; by default the "
            "downloads of --toy.",
            metavar="DIR",
        ),
    ] = None,
    *,
    source: SourceOption = RECORD,
    ignore: IgnoreOption = None,
    strict: StrictOption = False,
    manifest: ManifestOption = None,
    cache: CacheOption = None,
    write_manifest: Annotated[
        Path | None,
        typer.Option(help="Write the size and md5 of each volume in DIR to FILE, for a mirror.", metavar="FILE"),
    ] = None,
    toy: Annotated[str | None, typer.Option(help="For a source: car, conveyor or train.", metavar="TOY")] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check a dataset or a source for errors.

    Reads everything once. The exit status is 1 if anything is wrong, and 3 if the corpus is correct but incomplete.
    """
    if write_manifest is not None:
        return _list_volumes(location, toy, write_manifest, as_json=as_json)
    if location is None:
        return _verify_copies(toy, tuple(ignore or ()), as_json=as_json, options=(source, manifest, cache))
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out
    from toyadmos_datasets.verifying import SourceVerdict, verify_place

    keep_pandas_out()
    n_workers = chosen_workers(workers)
    verdict = verify_place(
        location, progress_on_terminal(), toy=toy, workers=n_workers, ignore=ignore or (), strict=strict
    )
    if isinstance(verdict, SourceVerdict):
        return _tell_source(verdict, as_json=as_json)
    if as_json:
        print_json(asdict(verdict) | {"is_good": verdict.is_good})
    else:
        print_lines([*_dataset_lines(verdict), *_problem_lines(verdict.problems)])
    return 0 if verdict.is_good else 1


def _tell_source(verdict: SourceVerdict, *, as_json: bool) -> int:
    if as_json:
        told = {"is_good": verdict.is_good, "state": verdict.state, "as_found": verdict.as_found.as_json()}
        print_json(asdict(verdict) | told)
    else:
        sound = _SOUND.get(verdict.state, "")
        print_lines([*_source_lines(verdict), *_problem_lines(verdict.problems, sound)])
    return _STATUS[verdict.state]


def _list_volumes(location: str | None, toy: str | None, table: Path, *, as_json: bool) -> int:
    from toyadmos_datasets.archives.remote.volume_list import describe_volumes, write_manifest
    from toyadmos_datasets.files.address import is_address, shown_address
    from toyadmos_datasets.verifying import required_toy

    if location is None or is_address(location):
        raise OptionError(
            "It is not said where the volumes are that are to be listed.",
            where="--write-manifest",
            expected="a folder with volumes",
            actual="none" if location is None else shown_address(location),
            remedy=f"toyadmos verify FOLDER --toy {toy or 'train'} --write-manifest {shell_word(table)}",
        )
    name = required_toy(toy, Path(location))
    volumes = describe_volumes(Path(location), name)
    write_manifest(table, volumes)
    if as_json:
        print_json({"path": str(table), "volumes": [asdict(one) for one in volumes]})
    else:
        print_lines([f"{len(volumes)} volumes of {name} are listed in {table}"])
    return 0


def _verify_copies(
    toy: str | None, ignore: tuple[str, ...], *, as_json: bool, options: tuple[str, Path | None, Path | None]
) -> int:
    from toyadmos_datasets.jobs.download import verify_copies
    from toyadmos_datasets.options.fetch_choices import DownloadOptions
    from toyadmos_datasets.verifying import required_toy

    source, manifest, cache = options
    verdict = verify_copies(
        DownloadOptions(
            toy=required_toy(toy, None),
            source=source,
            cache=cache or default_cache(),
            fetch=fetch_choices(manifest=manifest),
            ignore=ignore,
        ),
        progress_on_terminal(),
    )
    if as_json:
        print_json(asdict(verdict) | {"is_good": verdict.is_good})
        return 0 if verdict.is_good else 1
    rows = [[one.name, format_bytes(one.n_present), format_bytes(one.n_bytes), one.state] for one in verdict.copies]
    print_lines(table_lines(["volume", "here", "of", "state"], rows))
    print_lines([f"{verdict.n_recordings} recordings in parts of volumes have the right CRC32 ({verdict.folder})"])
    for path in verdict.wrong:
        print_lines([f"wrong: {path}; its block is fetched again when it is wanted"])
    return 0 if verdict.is_good else 1


def _dataset_lines(verdict: DatasetVerdict) -> list[str]:
    amount = f"{verdict.n_rows} clips of {verdict.toy} in {verdict.n_shards} shards"
    return [f"{verdict.folder}: {amount}, {format_bytes(verdict.n_bytes)}"]


def _source_lines(verdict: SourceVerdict) -> list[str]:
    rows = [
        [str(one.case), one.sound, one.recording_type, str(one.n_takes), str(one.n_published)]
        for one in verdict.as_found.counts
    ]
    amount = f"{verdict.n_recordings} recordings of {verdict.toy}, {format_bytes(verdict.n_bytes)} of WAV"
    lines = [
        f"{verdict.location} ({verdict.kind}): {amount}",
        *table_lines(["case", "sound", "type", "takes", "published"], rows),
    ]
    if verdict.kind == "volumes":
        n = verdict.n_volumes_compared
        compared = f"{n} volumes have the published size, and their md5 was compared"
        lines.append(f"{compared if n else 'No volume has the published size, and no md5 was compared'}.")
    lines += verdict.as_found.lines()
    if verdict.is_simulated:
        lines.append("The recordings are SIMULATED.")
    return lines


def _problem_lines(problems: Sequence[Problem], sound: str = _SOUND["complete"]) -> list[str]:
    if not problems:
        return [sound]
    n = len(problems)
    shown = [line for problem in problems[:_SHOWN_PROBLEMS] for line in str(problem).split("\n")]
    n_more = n - len(problems[:_SHOWN_PROBLEMS])
    more = [f"and {n_more} more; see --json"] if n_more else []
    return [f"{n} {'problem' if n == 1 else 'problems'}:", *shown, *more]
