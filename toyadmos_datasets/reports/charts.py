"""The charts of all pages, as values that `templates/charts.html.j2` draws as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = Sequence[float] | Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The frame of a chart.

    Attributes:
        x: Ends of the horizontal axis.
        y: Ends of the vertical axis.
        x_name: What it shows, with its unit.
        y_name: The same, upright.
        is_x_counted: Whether the horizontal axis counts something, so that whole numbers alone are marked.
        x_marks: Where the horizontal axis is marked, and with what; empty for round values.
        y_marks: The same of the vertical axis.
        width: Of the whole chart, in the units of its SVG.
        height: The same.
        margins: Left, top, right and bottom of the frame.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str
    is_x_counted: bool = False
    x_marks: Sequence[tuple[float, str]] = ()
    y_marks: Sequence[tuple[float, str]] = ()
    width: int = 420
    height: int = 300
    margins: tuple[int, int, int, int] = (52, 12, 12, 44)

    @property
    def left(self) -> int:
        """Where the frame begins, from the left."""
        return self.margins[0]

    @property
    def top(self) -> int:
        """Where it begins, from the top."""
        return self.margins[1]

    @property
    def right(self) -> int:
        """Where it ends, from the left."""
        return self.width - self.margins[2]

    @property
    def bottom(self) -> int:
        """Where it ends, from the top."""
        return self.height - self.margins[3]

    @property
    def x_ticks(self) -> list[tuple[str, str]]:
        """Where the horizontal axis is marked, and with what."""
        values = [one for one in ticks(*self.x) if not self.is_x_counted or one == int(one)]
        return [(self.at_x(one), text) for one, text in self.x_marks or [(one, f"{one:g}") for one in values]]

    @property
    def y_ticks(self) -> list[tuple[str, str]]:
        """Where the vertical axis is marked, and with what."""
        return [(self.at_y(one), text) for one, text in self.y_marks or [(one, f"{one:g}") for one in ticks(*self.y)]]

    def at_x(self, value: float) -> str:
        """Return where a value stands, from the left."""
        low, high = self.x
        return f"{self.left + (value - low) / ((high - low) or 1) * (self.right - self.left):.1f}"

    def at_y(self, value: float) -> str:
        """Return where a value stands, from the top."""
        low, high = self.y
        return f"{self.bottom - (value - low) / ((high - low) or 1) * (self.bottom - self.top):.1f}"

    def dots(self, x: Values, y: Values) -> tuple[tuple[str, str], ...]:
        """Place points."""
        return tuple((self.at_x(a), self.at_y(b)) for a, b in zip(x, y, strict=True))

    def line(self, kind: str, x: Values, y: Values) -> Shape:
        """Place a line through points."""
        return Shape(kind=kind, points=" ".join(map(",".join, self.dots(x, y))))

    def area(self, kind: str, x: Values, y: Values) -> Shape:
        """Place an area within points."""
        return Shape(kind=kind, points=self.line(kind, x, y).points, is_filled=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A line or an area of a chart: its class in the style, and its points as SVG has them."""

    kind: str
    points: str
    is_filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart.

    Attributes:
        axes: Its frame.
        description: Text for screen readers.
        shapes: Lines and areas, the lowest first.
        dots: Where dots stand.
        dot_radius: How large they are.
        note: Text at the bottom right.
        is_note_at_top: Whether it stands at the top right.
        legend: Class and name of what is shown.
    """

    axes: Axes
    description: str
    shapes: Sequence[Shape]
    dots: Sequence[tuple[str, str]] = ()
    dot_radius: float = 2.5
    note: str = ""
    is_note_at_top: bool = False
    legend: Sequence[tuple[str, str]] = ()


def ticks(low: float, high: float) -> list[float]:
    """Return about five round values within a range."""
    span = (high - low) or 1.0
    step = 10.0 ** np.floor(np.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first = np.ceil(low / step - 1e-9)
    return [float(round(number * step, 12)) + 0.0 for number in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def histogram(groups: Sequence[tuple[str, Array]], x_name: str, *, line: float | None = None) -> Chart:
    """Draw how often values occur, a colour for each group; infinite values are counted in the legend.

    Args:
        groups: Name, which is its class too, and values of each.
        x_name: What the values are.
        line: A value to mark.
    """
    finite = [one[np.isfinite(one)] for _, one in groups]
    values = np.concatenate(finite)
    edges = np.histogram_bin_edges(values, bins=min(30, max(8, len(values) // 6)))
    counts = [np.histogram(one, edges)[0] for one in finite]
    top = 1.3 * float(max(1, *map(max, counts)))
    axes = Axes(x=(float(edges[0]), float(edges[-1])), y=(0, top), x_name=x_name, y_name="clips")
    shapes = [
        axes.area(name, np.repeat(edges, 2), np.concatenate([[0], np.repeat(count, 2), [0]]))
        for (name, _), count in zip(groups, counts, strict=True)
    ]
    if line is not None and axes.x[0] <= line <= axes.x[1]:
        shapes.append(axes.line("mark", (line, line), axes.y))
    medians = ", ".join(f"median of {name} {np.median(one):.4g}" for name, one in groups)
    return Chart(
        axes=axes,
        description=f"Histogram of {x_name}: {medians}.",
        shapes=shapes,
        legend=[(name, _counted(name, one)) for name, one in groups],
    )


def _counted(name: str, values: Array) -> str:
    n_infinite = np.count_nonzero(np.isinf(values))
    return f"{name}, {len(values)}" + (f" ({n_infinite} infinite)" if n_infinite else "")


def curve(y: Sequence[float], x_name: str, y_name: str) -> Chart:
    """Draw one value after the other, from 1."""
    axes = Axes(x=(1, max(len(y), 2)), y=(0, max(y) * 1.05), x_name=x_name, y_name=y_name, is_x_counted=True)
    x = range(1, len(y) + 1)
    return Chart(
        axes=axes,
        description=f"{y_name} by {x_name}: from {y[0]:.4g} to {y[-1]:.4g}.",
        shapes=[axes.line("line", x, y)],
        dots=axes.dots(x, y) if len(y) <= 40 else (),
    )


def ranges_chart(ranges: Sequence[tuple[float, tuple[float, float, float]]], x_name: str, y_name: str) -> Chart:
    """Draw a range with its middle for each x, over the line on which both axes are equal.

    Args:
        ranges: x, and its low, middle and high y.
        x_name: What x is, in dB.
        y_name: What y is, in dB.
    """
    x, y = np.array([one for one, _ in ranges]), np.array([one for _, one in ranges])
    ends = (float(x.min()) - 2, float(x.max()) + 2)
    tall = (float(min(y.min(), ends[0])), float(max(y.max(), ends[1])))
    axes = Axes(x=ends, y=tall, x_name=x_name, y_name=y_name)
    lines = [axes.line("line", (at, at), (low, high)) for at, (low, _, high) in ranges]
    said = [f"{at:g} dB asked for, {low:.1f} to {high:.1f} dB, median {mid:.1f} dB" for at, (low, mid, high) in ranges]
    return Chart(
        axes=axes,
        description="; ".join(said),
        shapes=[axes.line("chance", ends, ends), *lines],
        dots=axes.dots(x, y[:, 1]),
        dot_radius=4,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Scores of a clip's frames as a strip: points and height of the mark, as SVG has them, and its top score."""

    points: str
    mark: str
    top: str
    description: str


def trace(values: Values, span: tuple[float, float], top: float, threshold: float) -> Trace:
    """Draw the scores of a clip's frames.

    Args:
        values: One a frame.
        span: Where the first and the last stand, as shares of the clip.
        top: Score at the strip's top.
        threshold: Score that is marked.
    """
    x = np.linspace(*span, len(values)) * 1000
    y = 60 - np.minimum(np.asarray(values) / top, 1) * 58
    return Trace(
        points=" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)),
        mark=f"{60 - min(threshold / top, 1) * 58:.1f}",
        top=f"{top:.3g}",
        description=f"Frame scores: largest {max(values):.4g}, median {float(np.median(values)):.4g}.",
    )
