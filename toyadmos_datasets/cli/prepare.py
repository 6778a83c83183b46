"""`toyadmos prepare`: the main job."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from toyadmos_datasets.cli.health import health_lines
from toyadmos_datasets.cli.printing import loading_line, print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption, taking_request
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.units import format_bytes

if TYPE_CHECKING:
    from toyadmos_datasets.prepare import PrepareOptions, PrepareReport


@taking_request
def prepare(request: PrepareOptions, *, as_json: JsonOption = False) -> None:
    """Prepare a dataset that load_dataset opens.

    A run that was interrupted goes on where it stopped; a second run with the same options finds
    everything done.
    """
    from toyadmos_datasets.prepare import prepare as run

    report = run(request, progress_on_terminal())
    if as_json:
        print_json(_as_json(report))
    else:
        print_lines(_lines(report))


def _as_json(report: PrepareReport) -> dict[str, object]:
    ingested = None if report.ingested is None else asdict(report.ingested)
    return {
        "out": str(report.out),
        "was_done": report.was_done,
        "ingested": ingested,
        "manifest": asdict(report.manifest),
        "as_found": None if report.as_found is None else report.as_found.as_json(),
    }


def _lines(report: PrepareReport) -> list[str]:
    manifest = report.manifest
    rows = [
        [config, split, str(sum(one.n_rows for one in shards)), format_bytes(sum(one.n_bytes for one in shards))]
        for config, splits in manifest.configs.items()
        for split, shards in splits.items()
    ]
    lines = [
        f"Nothing to do: {report.out} already holds this dataset." if report.was_done else f"Prepared {report.out}"
    ]
    if manifest.source["is_simulated"]:
        lines.append("The corpus is SIMULATED: results on it are not results on ToyADMOS.")
    lines += table_lines(["config", "split", "clips", "size"], rows)
    n_clipped = sum(shard.n_clipped for shard in manifest.shards)
    if n_clipped:
        lines.append(f"Clips that exceed full scale, and stand at full scale there: {n_clipped}")
    if manifest.skipped:
        lines.append(f"Skipped because they could not be used: {len(manifest.skipped)} (listed in manifest.json)")
        lines += [f"  {one.member}: {one.reason.splitlines()[0]}" for one in manifest.skipped[:10]]
    lines += health_lines(manifest.health)
    if report.ingested and report.ingested.n_reused:
        lines.append(
            f"{report.ingested.n_reused} recordings were in the cache, {report.ingested.n_ingested} were read."
        )
    lines += _as_found(report)
    lines.append(f"Load it with: {loading_line(report.out, next(iter(manifest.configs)))}")
    return lines


def _as_found(report: PrepareReport) -> list[str]:
    """Return what the source was found to hold; of a dataset that was there before, what was tolerated for it."""
    from toyadmos_datasets.index import tolerated_lines

    if report.as_found is not None:
        return report.as_found.lines()
    return [line for line in tolerated_lines(report.manifest.oddities) if report.manifest.oddities]
