"""The section of a run's page that shows in which mel bands the reconstruction fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.corpus.damage import condition_text, has_condition
from toyadmos_datasets.files.installing import require_extra
from toyadmos_datasets.reports.charts import Chart
from toyadmos_datasets.reports.report_tables import Cell, Table
from toyadmos_datasets.reports.reported_run import ReportedRun
from toyadmos_datasets.reports.score_charts import BandErrors, band_chart
from toyadmos_datasets.signal.logmel import band_centres_hz
from toyadmos_datasets.values.columns import LABELS

Array = npt.NDArray[np.float64]

N_CLIPS = 200
"""Clips of each label whose residual is computed anew, evenly from the test split: a few seconds' work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSection:
    """The residual by band.

    Attributes:
        chart: Of normal and anomalous clips.
        table: For each condition, the band whose residual exceeds that of the normal clips most.
        note: How many clips it is of.
    """

    chart: Chart
    table: Table
    note: str


def band_section(found: ReportedRun) -> BandSection | None:
    """Compute the residual by band; None where there is no network that reproduces anything.

    Raises:
        DatasetError: The run has no weights, or a clip is damaged.
    """
    if found.run.preset is None or not found.run.system.is_network:
        return None
    labels, conditions = found.scores["label"].to_numpy(), found.scores["condition"].to_pylist()
    chosen = np.sort(np.concatenate([_evenly(np.flatnonzero(labels == label)) for label in range(len(LABELS))]))
    errors = _errors(found, chosen)
    settings = found.run.system.log_mel
    centres_hz = band_centres_hz(settings)
    groups = [BandErrors(name=name, errors=errors[labels[chosen] == label]) for label, name in enumerate(LABELS)]
    by_condition = defaultdict(list)
    for place, number in enumerate(chosen.tolist()):
        if labels[number] == 1:
            by_condition[conditions[number]].append(place)
    rows = [
        _row(found, condition, errors[places], groups[0].errors, centres_hz)
        for condition, places in sorted(by_condition.items())
    ]
    return BandSection(
        chart=band_chart(groups, centres_hz, settings.top_hz),
        table=Table(
            name="bands", heading=("condition", "what it is", "clips", "most in band, Hz", "ratio, dB"), rows=rows
        ),
        note=f"Of {len(chosen)} of {len(labels)} test clips. Most in band: where the mean residual of the condition "
        "exceeds that of the normal clips most, as a ratio of squared errors.",
    )


def _evenly(numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    if len(numbers) <= N_CLIPS:
        return numbers
    return numbers[np.arange(N_CLIPS) * len(numbers) // N_CLIPS]


def _errors(found: ReportedRun, chosen: Sequence[int] | npt.NDArray[np.intp]) -> Array:
    """Return the squared error of chosen clips in each band, shape (n_clips, n_mels)."""
    require_extra("train")
    from toyadmos_datasets.baseline.band_errors import band_errors  # noqa: PLC0415  (torch, which the others spare)
    from toyadmos_datasets.runs.network_run import load_network  # noqa: PLC0415

    wanted, rate_hz = set(map(int, chosen)), found.run.system.rate_hz
    clips = [decoded(row["audio"], rate_hz) for number, row in enumerate(found.split.rows()) if number in wanted]
    return band_errors(load_network(found.folder, found.run.system), clips).astype(np.float64)


def _row(found: ReportedRun, condition: str, errors: Array, normal: Array, centres_hz: Array) -> list[Cell]:
    floor = np.finfo(np.float64).tiny
    ratios = (errors.mean(axis=0) + floor) / (normal.mean(axis=0) + floor)
    most = int(ratios.argmax())
    toy = found.split.toy
    words = condition_text(toy, condition) if has_condition(toy, condition) else condition
    return [condition, words, len(errors), f"{centres_hz[most]:.0f}", f"{10 * np.log10(ratios[most]):.1f}"]
