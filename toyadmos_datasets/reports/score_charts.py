"""The charts of scores: ROC, precision and recall, DET, and the residual by band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from toyadmos_datasets.reports.charts import Axes, Chart
from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.scores.metrics import PrecisionRecall, Roc, equal_error_rate

Array = npt.NDArray[np.float64]

DET_ENDS = (0.002, 0.95)
"""Rates between which a DET chart is drawn; 0 and 1 have no place on its axes."""

DET_MARKS = (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


def roc_chart(curve: Roc, band: tuple[Array, Array, Array], auc: Interval) -> Chart:
    """Draw a ROC over its interval, which is given as FPR, low TPR, high TPR."""
    axes = Axes(x=(0, 1), y=(0, 1), x_name="false positive rate", y_name="true positive rate")
    grid, low, high = band
    shapes = [
        axes.area("band", np.append(grid, grid[::-1]), np.append(high, low[::-1])),
        axes.line("chance", (0, 1), (0, 1)),
        axes.line("line", curve.fpr, curve.tpr),
    ]
    return Chart(axes=axes, description=f"ROC with its 95 % interval; AUC {auc}.", shapes=shapes, note=f"AUC {auc}")


def precision_recall_chart(curve: PrecisionRecall, share_anomalous: float) -> Chart:
    """Draw precision against recall, over the share of anomalous clips, which is what chance gives."""
    axes = Axes(x=(0, 1), y=(0, 1), x_name="recall", y_name="precision")
    note = f"average precision {curve.average_precision:.3f}, chance {share_anomalous:.3f}"
    shapes = [
        axes.line("chance", (0, 1), (share_anomalous, share_anomalous)),
        # Between two points the precision is that of the higher recall, as average precision counts it.
        axes.line("line", np.repeat(curve.recall, 2)[1:], np.repeat(curve.precision, 2)[:-1]),
    ]
    return Chart(axes=axes, description=f"Precision and recall: {note}.", shapes=shapes, note=note)


def on_det_axis(rates: Sequence[float] | Array) -> Array:
    """Return where rates stand on a DET axis: the normal quantile, within the chart's ends."""
    found: Array = ndtri(np.clip(np.asarray(rates, np.float64), *DET_ENDS))
    return found


def det_chart(curve: Roc) -> Chart:
    """Draw the share of missed damage against that of false alarms, on normal-deviate axes.

    Source:
        Martin et al. 1997, The DET curve in assessment of detection task performance.
    """
    low, high = on_det_axis(DET_ENDS)
    marks = [(float(on_det_axis([one])[0]), f"{100 * one:g}") for one in DET_MARKS]
    axes = Axes(
        x=(float(low), float(high)),
        y=(float(low), float(high)),
        x_name="false positive rate, %",
        y_name="miss rate, %",
        x_marks=marks,
        y_marks=marks,
    )
    note = f"equal error rate {equal_error_rate(curve):.1%}"
    return Chart(
        axes=axes,
        description=f"Detection error tradeoff: {note}.",
        shapes=[
            axes.line("chance", (low, high), (high, low)),
            axes.line("equal", (low, high), (low, high)),
            axes.line("line", on_det_axis(curve.fpr), on_det_axis(1 - curve.tpr)),
        ],
        note=note,
        is_note_at_top=True,
    )


BAND_MARKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16_000)


def band_marks(centres_hz: Array, top_hz: float) -> list[tuple[float, str]]:
    """Return where round frequencies stand on an axis that counts mel bands, and their names in kHz.

    Args:
        centres_hz: Where each band lies.
        top_hz: Where the last one ends.
    """
    places = np.arange(len(centres_hz)) + 0.5
    known_hz, at = np.append(centres_hz, top_hz), np.append(places, len(centres_hz))
    shown = [one for one in BAND_MARKS_HZ if centres_hz[0] <= one <= top_hz]
    return [(float(np.interp(one, known_hz, at)), f"{one / 1000:g}") for one in shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandErrors:
    """The residual of some clips by band.

    Attributes:
        name: ``normal`` or ``anomalous``.
        errors: Squared error of each clip in each band, shape (n_clips, n_mels).
    """

    name: str
    errors: Array

    @property
    def quartiles(self) -> Array:
        """A quarter, half and three quarters of the clips are below, shape (3, n_mels)."""
        found: Array = np.quantile(self.errors, [0.25, 0.5, 0.75], axis=0)
        return found


def band_chart(groups: Sequence[BandErrors], centres_hz: Array, top_hz: float) -> Chart:
    """Draw the median residual of each group of clips by band, over what half of its clips have."""
    quartiles = [one.quartiles for one in groups]
    at = np.arange(len(centres_hz), dtype=np.float64) + 0.5
    axes = Axes(
        x=(0, len(centres_hz)),
        y=(0, 1.3 * max(float(one[2].max()) for one in quartiles) or 1.0),
        x_name="mel band, kHz",
        y_name="squared error",
        x_marks=band_marks(centres_hz, top_hz),
    )
    areas = [
        axes.area(f"{one.name}-half", np.append(at, at[::-1]), np.append(ends[2], ends[0][::-1]))
        for one, ends in zip(groups, quartiles, strict=True)
    ]
    lines = [axes.line(f"{one.name}-line", at, ends[1]) for one, ends in zip(groups, quartiles, strict=True)]
    largest = [
        f"{one.name}, {centres_hz[ends[1].argmax()]:.0f} Hz" for one, ends in zip(groups, quartiles, strict=True)
    ]
    return Chart(
        axes=axes,
        description=f"Median residual by mel band; largest at: {'; '.join(largest)}.",
        shapes=[*areas, *lines],
        legend=[(one.name, f"{one.name}, {len(one.errors)}") for one in groups],
    )
