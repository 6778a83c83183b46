"""`toyadmos compare`: two runs on the same clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.request import JsonOption
from toyadmos_datasets.cli.table import table_lines


def compare(
    run_a: Annotated[Path, typer.Argument(help="An evaluated run.", metavar="RUN_A")],
    run_b: Annotated[Path, typer.Argument(help="Another, of the same test clips.", metavar="RUN_B")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Compare two evaluated runs, paired clip by clip.

    The interval is of B's AUC minus A's; where it leaves out zero, the difference is more than chance.
    """
    from toyadmos_datasets.baseline.compare import compare as run

    found = run(run_a, run_b)
    if as_json:
        print_json(found.as_json())
        return
    rows = []
    for one in found.differences:
        difference = one.difference
        ends = f"[{difference.low:+.3f}, {difference.high:+.3f}]"
        aucs = (f"{one.auc_a:.3f}", f"{one.auc_b:.3f}", f"{difference.value:+.3f}")
        rows.append([one.name, str(one.n_anomalous), *aucs, ends, "clear" if one.is_clear else "-"])
    heading = ["group", "anomalous", "AUC of A", "AUC of B", "B - A", "95 % interval", "difference"]
    print_lines([f"A  {run_a}", f"B  {run_b}", "", *table_lines(heading, rows)])
