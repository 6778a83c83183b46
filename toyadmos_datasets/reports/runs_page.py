"""`toyadmos report RUN RUN ..`: several runs side by side, with the spread over seeds, on one page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toyadmos_datasets.baseline.comparison import Comparison, RunsCompared, compare_runs
from toyadmos_datasets.baseline.run_table import HEADING, cells_of
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.reports.html_page import page

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
    found = compare_runs(folders, configs=[config] if config else (), allow_overlap=allow_overlap)
    toys = ", ".join(dict.fromkeys(row.toy for row in found.rows))
    html = page(
        "runs.html.j2",
        f"{toys}: {len(found.rows)} results",
        notes=list(dict.fromkeys(mark for row in found.rows for mark in row.marks)),
        heading=HEADING,
        rows=[cells_of(row) for row in found.rows],
        pair_heading=_PAIR_HEADING,
        pairs=[(f"{one.run_b} against {one.run_a}, {one.config}", one.marks, _cells(one)) for one in found.pairs],
    )
    write_text(out, html)
    return found


def _cells(pair: Comparison) -> list[list[str]]:
    return [
        [
            one.name,
            str(one.n_anomalous),
            f"{one.auc_a:.3f}",
            f"{one.auc_b:.3f}",
            str(one.difference),
            "clear" if one.is_clear else "-",
        ]
        for one in pair.differences
    ]
