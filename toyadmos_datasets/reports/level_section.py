"""The section of a page about loudness alone as a detector; needs no extra `report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing import LevelCheck
from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.auditing.sound_check import TELLING, check_levels
from toyadmos_datasets.reports.charts import Chart, histogram
from toyadmos_datasets.reports.report_tables import Cell, Table
from toyadmos_datasets.values.columns import LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSection:
    """The checks of a page.

    Attributes:
        checks: One for each split that has both labels.
        clips: Columns `config`, `split`, `label` by its name, and `level_db`.
    """

    names: ClassVar = (
        *("config", "split", "normal", "anomalous", "median of normal, dB", "median of anomalous, dB"),
        *("AUC of level alone", "within"),
    )

    checks: Sequence[LevelCheck]
    clips: pa.Table

    @property
    def table(self) -> Table:
        """The checks by `names`."""
        rows: list[list[Cell]] = [
            [
                *(one.config, one.split, one.n_normal, one.n_anomalous),
                *(f"{level_db:.1f}" for level_db in (one.normal_db, one.anomalous_db)),
                *(one.auc, one.auc_within),
            ]
            for one in self.checks
        ]
        return Table(name="loudness", heading=self.names, rows=rows)

    @property
    def verdict(self) -> str:
        """What they come to."""
        if any(one.separation >= TELLING for one in self.checks):
            return (
                "Loudness alone tells much: a system that only measures the level does that well, so a score is "
                "worth what it has above it."
            )
        return "Loudness alone tells little: what a system tells apart here, it does not owe to loudness."

    @property
    def figures(self) -> list[tuple[LevelCheck, Chart]]:
        """A histogram for each check."""
        return [(one, histogram(self._groups(one), "level, dB re full scale")) for one in self.checks]

    def _groups(self, check: LevelCheck) -> list[tuple[str, npt.NDArray[np.float64]]]:
        clips = self.clips
        mine = clips.filter(pc.and_(pc.equal(clips["config"], check.config), pc.equal(clips["split"], check.split)))
        mine = mine.filter(mine["level_db"].is_valid())
        return [(name, mine.filter(pc.equal(mine["label"], name))["level_db"].to_numpy()) for name in LABELS]


def level_section(rows: pa.Table, *, config: str, split: str) -> LevelSection:
    """Check one split.

    Args:
        rows: Columns `label`, `case`, `channel` and `level_db`, a row a clip.
        config: Its config.
        split: Its name.
    """
    known: dict[str, object] = {name: rows[name] for name in ("case", "channel", "level_db")}
    named = {"config": [config] * len(rows), "split": [split] * len(rows)}
    clips = pa.table(known | named | {"label": [LABELS[label] for label in rows["label"].to_pylist()]})
    return LevelSection(checks=check_levels(clips, Findings()), clips=clips)
