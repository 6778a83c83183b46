"""Charts of scores, drawn as `pages.charts` draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toyadmos_datasets.baseline.intervals import Interval
from toyadmos_datasets.escaping import html_text
from toyadmos_datasets.pages.charts import BOTTOM, HEIGHT, RIGHT, WIDTH, Array, Axes, chart


def roc_chart(fpr: Array, tpr: Array, band: tuple[Array, Array, Array], auc: Interval) -> str:
    """Draw a ROC over its interval, which is given as FPR, low TPR, high TPR."""
    axes = Axes(x=(0, 1), y=(0, 1), x_name="false positive rate", y_name="true positive rate")
    grid, low, high = band
    outline = f"{axes.points(grid, high)} {axes.points(grid[::-1], low[::-1])}"
    marks = [
        f'<polygon class="band" points="{outline}"/>',
        f'<polyline class="chance" points="{axes.points([0, 1], [0, 1])}"/>',
        f'<polyline class="line" points="{axes.points(fpr, tpr)}"/>',
        f'<text x="{WIDTH - RIGHT - 8}" y="{HEIGHT - BOTTOM - 12}" text-anchor="end">AUC {html_text(auc)}</text>',
    ]
    return chart(axes, marks, f"ROC with its 95 % interval; AUC {auc}.")


def interval_bars(rows: Sequence[tuple[str, Interval, str]], what: str) -> str:
    """Draw a dot with its interval for each name, on an axis from 0 to 1, as an HTML table that a reader can read."""
    body = []
    for name, value, note in rows:
        low, at, high = (2 + 96 * min(max(one, 0), 1) for one in (value.low, value.value, value.high))
        body.append(
            f"<tr><th scope=row>{html_text(name)}</th>"
            f'<td class="bar" aria-hidden="true"><span class="half"></span>'
            f'<span class="whisker" style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%"></span>'
            f'<span class="point" style="left:{at:.1f}%"></span></td>'
            f"<td class=number>{value.value:.3f}<small> [{value.low:.2f}, {value.high:.2f}]</small></td>"
            f"<td class=number>{html_text(note)}</td></tr>"
        )
    head = (
        f"<tr><th scope=col>{html_text(what)}</th><th scope=col>AUC, 0 to 1</th><th scope=col class=number>[95 %]</th>"
    )
    head += "<th scope=col class=number>overlooked</th></tr>"
    return f'<table class="bars"><thead>{head}</thead><tbody>{"".join(body)}</tbody></table>'


def trace(values: Sequence[float] | Array, first: float, last: float, top: float, threshold: float) -> str:
    """Draw the scores of a clip's frames as a strip under its spectrogram.

    Args:
        values: One a frame.
        first: Where the first stands, as a share of the clip.
        last: Where the last stands.
        top: Score at the strip's top.
        threshold: Score that is marked.
    """
    x = np.linspace(first, last, len(values)) * 1000
    y = 60 - np.minimum(np.asarray(values) / top, 1) * 58
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    mark = 60 - min(threshold / top, 1) * 58
    described = f"Frame scores: largest {max(values):.4g}, median {float(np.median(values)):.4g}."
    return (
        f'<svg class="trace" viewBox="0 0 1000 60" preserveAspectRatio="none" role="img" aria-label="{described}">'
        f'<line class="mark" x1="0" x2="1000" y1="{mark:.1f}" y2="{mark:.1f}"/>'
        f'<polyline class="line" points="{points}"/></svg>'
    )
