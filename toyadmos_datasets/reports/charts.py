"""Charts of scores, drawn as `reports.charts` draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.escaping import html_text
from toyadmos_datasets.scores.confidence_intervals import Interval

Array = npt.NDArray[np.float64]

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The frame of a chart.

    Attributes:
        x: Ends of the horizontal axis.
        y: Ends of the vertical axis.
        x_name: What it shows, with its unit.
        y_name: The same, upright.
        is_x_counted: Whether the horizontal axis counts something, so that whole numbers alone are marked.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str
    is_x_counted: bool = False

    def at_x(self, value: float) -> float:
        """Return where a value stands, from the left."""
        low, high = self.x
        return LEFT + (value - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def at_y(self, value: float) -> float:
        """Return where a value stands, from the top."""
        low, high = self.y
        return HEIGHT - BOTTOM - (value - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    def points(self, x: Sequence[float] | Array, y: Sequence[float] | Array) -> str:
        """Write points for SVG."""
        return " ".join(f"{self.at_x(a):.1f},{self.at_y(b):.1f}" for a, b in zip(x, y, strict=True))


def chart(axes: Axes, marks: Sequence[str], description: str, legend: Sequence[tuple[str, str]] = ()) -> str:
    """Frame marks with axes; the description is what a reader hears who does not see it."""
    inner = [*_frame(axes), *marks, *_legend(legend)]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html_text(description)}">'
        f"<title>{html_text(description)}</title>{''.join(inner)}</svg>"
    )


def _frame(axes: Axes) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(*axes.x):
        if axes.is_x_counted and value != int(value):
            continue
        at = axes.at_x(value)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>'
        yield f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{value:g}</text>'
    for value in ticks(*axes.y):
        at = axes.at_y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    yield f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{html_text(axes.x_name)}</text>'
    middle = (TOP + bottom) / 2
    yield f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">{html_text(axes.y_name)}</text>'


def _legend(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    for number, (kind, name) in enumerate(entries):
        y = TOP + 14 + 17 * number
        yield f'<rect class="{kind}" x="{WIDTH - 140}" y="{y - 9}" width="11" height="11"/>'
        yield f'<text x="{WIDTH - 124}" y="{y}">{html_text(name)}</text>'


def ticks(low: float, high: float) -> list[float]:
    """Return about five round values within a range."""
    span = (high - low) or 1.0
    step = 10.0 ** np.floor(np.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first = np.ceil(low / step - 1e-9)
    return [float(round(number * step, 12)) + 0.0 for number in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def histogram(groups: Sequence[tuple[str, str, Array]], x_name: str, *, line: float | None = None) -> str:
    """Draw how often values occur, a colour for each group.

    Args:
        groups: Class, name and values of each.
        x_name: What the values are.
        line: A value to mark.
    """
    values = np.concatenate([one for _, _, one in groups])
    edges = np.histogram_bin_edges(values, bins=min(30, max(8, len(values) // 6)))
    counts = [np.histogram(one, edges)[0] for _, _, one in groups]
    axes = Axes(
        x=(float(edges[0]), float(edges[-1])), y=(0, 1.3 * float(max(map(max, counts)))), x_name=x_name, y_name="clips"
    )
    marks, bottom = [], HEIGHT - BOTTOM
    for (kind, _, _), count in zip(groups, counts, strict=True):
        x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(count, 2), [0]])
        marks.append(f'<polygon class="{kind}" points="{axes.points(x, y)}"/>')
    if line is not None and axes.x[0] <= line <= axes.x[1]:
        marks.append(
            f'<line class="mark" x1="{axes.at_x(line):.1f}" x2="{axes.at_x(line):.1f}" y1="{TOP}" y2="{bottom}"/>'
        )
    medians = ", ".join(f"median of {name} {np.median(one):.4g}" for _, name, one in groups)
    described = f"Histogram of {x_name}: {medians}."
    return chart(axes, marks, described, [(kind, f"{name}, {len(one)}") for kind, name, one in groups])


def curve(y: Sequence[float], x_name: str, y_name: str) -> str:
    """Draw one value after the other, from 1."""
    axes = Axes(x=(1, max(len(y), 2)), y=(0, max(y) * 1.05), x_name=x_name, y_name=y_name, is_x_counted=True)
    dots = "".join(
        f'<circle class="dot" cx="{axes.at_x(n):.1f}" cy="{axes.at_y(one):.1f}" r="2.5"/>'
        for n, one in enumerate(y, start=1)
        if len(y) <= 40
    )
    line = f'<polyline class="line" points="{axes.points(range(1, len(y) + 1), y)}"/>'
    return chart(axes, [line, dots], f"{y_name} by {x_name}: from {y[0]:.4g} to {y[-1]:.4g}.")


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
