"""`toyadmos report RUN RUN ..`: several runs side by side, with the spread over seeds, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.reports.html_page import Head, write_page
from toyadmos_datasets.reports.report_tables import Table
from toyadmos_datasets.runs.comparison import Comparison, RunsCompared, compare_runs
from toyadmos_datasets.runs.run_table import HEADING, cells_of, read_scored

_PAIR_HEADING = ("group", "anomalous", "AUC of A", "AUC of B", "B - A [95 %]", "difference")


def report_runs(
    folders: Iterable[Path], out: Path, *, config: str | None = None, allow_overlap: bool = False
) -> RunsCompared:
    """Write the page of several evaluated runs.

    Args:
        folders: The runs.
        out: The page.
        config: Which config's evaluations; by default all.
        allow_overlap: Whether what was tested may have been trained on; the page says so.

    Raises:
        DatasetError: A run was not evaluated.
        LeakageError: A run was trained on what it was tested on.
        OptionError: Two runs have no config in common, or scored different clips.
    """
    runs = list(folders)
    found = compare_runs(runs, configs=[config] if config else (), allow_overlap=allow_overlap)
    pairs = [(_title_of(one), one, _pair_table(one, number)) for number, one in enumerate(found.pairs, start=1)]
    write_page(
        out,
        "runs.html.j2",
        _head(found, runs, out),
        {
            "table": Table(name="runs", heading=HEADING, rows=[cells_of(row) for row in found.rows]),
            "pairs": pairs,
        },
    )
    return found


def _head(found: RunsCompared, runs: Sequence[Path], out: Path) -> Head:
    toys = ", ".join(dict.fromkeys(row.toy for row in found.rows))
    best = max(found.rows, key=lambda row: row.auc.mean)
    n_clear = sum(pair.differences[0].is_clear for pair in found.pairs)
    clear = f" {n_clear} of {len(found.pairs)} pairs differ clearly over all clips." if found.pairs else ""
    scored = read_scored(runs, allow_overlap=True)
    return Head(
        title=f"{toys}: {len(runs)} runs side by side",
        verdict=f"The highest AUC is {best.auc}, of {best.system} on {best.config}.{clear}",
        totals=f"{len(runs)} runs, {len(found.rows)} rows.",
        commands=[shell_line("toyadmos", "report", *runs, "-o", out)],
        notes=list(dict.fromkeys(mark for row in found.rows for mark in row.marks)),
        kind="runs",
        datasets=sorted({one.evaluated.recipe_sha256 for one in scored}),
    )


def _title_of(pair: Comparison) -> str:
    name_a, name_b = Path(pair.run_a).name, Path(pair.run_b).name
    shown = f"{name_b} against {name_a}" if name_a != name_b else f"{pair.run_b} against {pair.run_a}"
    return f"{shown}, {pair.config}"


def _pair_table(pair: Comparison, number: int) -> Table:
    rows = [
        [one.name, one.n_anomalous, one.auc_a, one.auc_b, one.difference, "clear" if one.is_clear else "-"]
        for one in pair.differences
    ]
    return Table(name=f"pair-{number}", heading=_PAIR_HEADING, rows=rows)
