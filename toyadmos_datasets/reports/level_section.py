"""The audit's level check as a section of a report: does loudness alone tell the label?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from toyadmos_datasets.auditing import LevelCheck
from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.auditing.sound_check import TELLING, check_levels
from toyadmos_datasets.reports.charts import histogram
from toyadmos_datasets.reports.html_page import figure, paragraph, rows_table, section
from toyadmos_datasets.values.manifest import LABELS


def level_section(rows: pa.Table, *, config: str, split: str) -> str:
    """Return the section of one split; nothing for a split that has one label only.

    Args:
        rows: Columns `label` and `level_db`, a row a clip.
        config: Its config.
        split: Its name.
    """
    labels = rows["label"].to_numpy()
    named = {
        "config": [config] * len(rows),
        "split": [split] * len(rows),
        "label": [LABELS[label] for label in labels],
        "level_db": rows["level_db"],
    }
    checks = check_levels(pa.table(named), Findings())
    return "".join(_section(check, labels, rows["level_db"].to_numpy()) for check in checks)


def _section(check: LevelCheck, labels: np.ndarray, levels: np.ndarray) -> str:
    table = rows_table(
        ["split", "median, normal", "median, anomalous", "AUC of level alone", "by its better direction"],
        [
            [
                check.split,
                f"{check.normal_db:.1f} dB",
                f"{check.anomalous_db:.1f} dB",
                f"{check.auc:.3f}",
                f"{check.separation:.3f}",
            ]
        ],
    )
    groups = [(name, name, levels[labels == number]) for number, name in enumerate(LABELS)]
    caption = f"{check.config}, {check.split}: level by label."
    return section(
        "Does loudness alone tell the label?",
        paragraph(_verdict(check)),
        table,
        f'<div class="pair">{figure(histogram(groups, "level, dB re full scale"), caption)}</div>',
    )


def _verdict(check: LevelCheck) -> str:
    if check.separation >= TELLING:
        return (
            "It tells much: a system that only hears how loud a clip is does that well, so a score is worth what it "
            "has above it."
        )
    return "It tells little: what a system tells apart here, it does not owe to loudness."
