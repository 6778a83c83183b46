"""How often do the intervals of scores hold the truth, and how often does `compare` see a difference where none is?

    python benchmarks/interval_coverage.py                # every cell, 1000 tests each: about 20 minutes of one core
    python benchmarks/interval_coverage.py --part auc     # one part
    python benchmarks/interval_coverage.py --tests 300

A cell is a size of the test set (normal and anomalous clips), a true AUC and a ratio of spreads. Its scores are normal,
the anomalous ones with `spread` times the deviation of the normal ones, so that the truth is known. Each of many
simulated tests goes through the function that `toyadmos evaluate` and `compare` use. The seed is fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from toyadmos_datasets.scores.auc_intervals import holm, paired_difference
from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.scores.metrics import mcclish_of_area, threshold_at
from toyadmos_datasets.scores.scored_clips import ScoredClips

Array = npt.NDArray[np.float64]

SIZES = ((26, 108), (8, 20), (26, 5), (20, 20), (14, 20), (100, 100))
AUCS = (0.6, 0.75, 0.9, 0.95, 0.99, 1.0)
SPREADS = (1.0, 2.0, 0.5)
CLUSTERED_SIZES = ((20, 20), (26, 26), (8, 20))
"""Events of each class, each heard by four microphones."""

CORRELATIONS = (0.5, 0.9)
PAIRS = ((0.75, 0.85), (0.9, 0.95), (0.95, 0.99))
"""AUCs of two detectors that are compared."""

N_MICROPHONES = 4
MAX_FPR = 0.1
PERFECT = 60.0
"""Distance of the means, in deviations, that stands for an AUC of 1."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is simulated.

    Attributes:
        n_normal: Normal clips, or events where several microphones hear them.
        n_anomalous: Anomalous ones.
        auc: The true AUC.
        spread: Deviation of anomalous scores over that of normal ones.
        n_heard: Clips of each event.
        correlation: Of the clips of one event.
    """

    n_normal: int
    n_anomalous: int
    auc: float
    spread: float = 1.0
    n_heard: int = 1
    correlation: float = 0.0

    @property
    def is_large(self) -> bool:
        """Whether both classes have 20 events or more, so that too wide an interval counts, too."""
        return min(self.n_normal, self.n_anomalous) >= 20 and self.auc < 1

    @property
    def distance(self) -> float:
        """Distance of the two means, in deviations of normal scores."""
        return PERFECT if self.auc == 1 else float(ndtri(self.auc) * np.sqrt(1 + self.spread**2))

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """1 for anomalous clips, 0 for normal ones, which come first."""
        return np.repeat([0, 1], [self.n_normal * self.n_heard, self.n_anomalous * self.n_heard])

    @property
    def events(self) -> npt.NDArray[np.str_]:
        """The event of each clip."""
        return np.repeat(np.arange(self.n_normal + self.n_anomalous), self.n_heard).astype(np.str_)

    @property
    def scale(self) -> Array:
        """The deviation of each clip's score."""
        return np.where(self.labels == 1, self.spread, 1.0)

    def noise(self, random: np.random.Generator) -> Array:
        """Draw scores without the distance."""
        n_events = self.n_normal + self.n_anomalous
        shared = np.repeat(random.normal(size=n_events), self.n_heard)
        own = random.normal(size=n_events * self.n_heard)
        return np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * own

    def scores(self, random: np.random.Generator) -> Array:
        """Draw the scores of one test."""
        return self.noise(random) * self.scale + self.distance * self.labels

    @cached_property
    def true_mean_tpr(self) -> float:
        """The mean TPR over FPR 0 to `MAX_FPR`."""
        fprs = (np.arange(20_000) + 0.5) / 20_000 * MAX_FPR
        return float(np.mean(ndtr((self.distance + ndtri(fprs)) / self.spread)))

    def true_shares(self, threshold: float) -> tuple[float, float]:
        """Normal clips at or above a threshold, and anomalous clips below it."""
        return float(ndtr(-threshold)), float(ndtr((threshold - self.distance) / self.spread))

    def __str__(self) -> str:
        heard = f", {self.n_heard} microphones, r {self.correlation:g}" if self.n_heard > 1 else ""
        spread = f", spread {self.spread:g}" if self.spread != 1 else ""
        return f"{self.n_normal} / {self.n_anomalous}, AUC {self.auc:g}{spread}{heard}"


Found = Callable[[Cell, ScoredClips], tuple[Interval, float]]


def auc_found(cell: Cell, clips: ScoredClips) -> tuple[Interval, float]:
    return clips.auc(), cell.auc


def pauc_found(cell: Cell, clips: ScoredClips) -> tuple[Interval, float]:
    return clips.pauc_mcclish(), mcclish_of_area(MAX_FPR * cell.true_mean_tpr)


def cut(clips: ScoredClips, threshold: float) -> float:
    """Return the highest normal score below a threshold: what the normal clips alone say of it."""
    normal = clips.scores[clips.labels == 0]
    return float(np.max(normal[normal < threshold]))


def overlooked_found(cell: Cell, clips: ScoredClips) -> tuple[Interval, float]:
    """The share of all anomalous clips that the normal clips' threshold overlooks."""
    threshold = threshold_at(clips.labels, clips.scores)
    return clips.share_overlooked(threshold), cell.true_shares(cut(clips, threshold))[1]


def f1_found(cell: Cell, clips: ScoredClips) -> tuple[Interval, float]:
    """F1 at that threshold, with the test's ratio of the classes."""
    threshold = threshold_at(clips.labels, clips.scores)
    alarms, overlooked = cell.true_shares(cut(clips, threshold))
    hits = (1 - overlooked) * cell.n_anomalous
    return clips.f1(threshold), 2 * hits / (hits + cell.n_anomalous + alarms * cell.n_normal)


FIGURES: dict[str, Found] = {"auc": auc_found, "pauc": pauc_found, "overlooked": overlooked_found, "f1": f1_found}


def coverage(figure: str, cell: Cell, n_tests: int) -> float:
    """Return how often the interval of a figure holds the truth."""
    random = np.random.default_rng([1, cell.n_normal, cell.n_anomalous, round(cell.auc * 1000)])
    labels, events = cell.labels, cell.events
    n_held = 0
    for _ in range(n_tests):
        interval, truth = FIGURES[figure](cell, ScoredClips(labels=labels, scores=cell.scores(random), events=events))
        n_held += interval.low - 1e-9 <= truth <= interval.high + 1e-9
    return n_held / n_tests


def two_detectors(a: Cell, b: Cell, random: np.random.Generator, correlation: float) -> tuple[Array, Array]:
    """Draw the scores that two detectors give the same clips; a part of their noise is of the clips."""
    shared = a.noise(random)
    first, second = (
        cell.scale * (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * cell.noise(random))
        + cell.distance * cell.labels
        for cell in (a, b)
    )
    return first, second


def coverage_of_difference(a: Cell, b: Cell, n_tests: int, *, correlation: float = 0.5) -> float:
    """Return how often the interval of the difference of two AUCs holds the true one."""
    random = np.random.default_rng([3, a.n_normal, a.n_anomalous, round(a.auc * 1000)])
    n_held = 0
    for _ in range(n_tests):
        found = paired_difference(a.labels, *two_detectors(a, b, random, correlation), a.events).difference
        n_held += found.low <= b.auc - a.auc <= found.high
    return n_held / n_tests


def false_positives(cell: Cell, n_tests: int, *, correlation: float = 0.5, n_parts: int = 1) -> tuple[float, float]:
    """Return how often two detectors of one true AUC differ: one row alone, and any of several rows after Holm.

    The rows are all anomalous clips and then each of `n_parts` equal parts of them, against all normal clips, as in the
    table of `toyadmos compare`.
    """
    random = np.random.default_rng([2, cell.n_normal, cell.n_anomalous, round(cell.auc * 1000)])
    labels, events = cell.labels, cell.events
    part_of = np.arange(len(labels)) % n_parts
    parts = [(labels == 0) | (part_of == part) for part in range(n_parts)] if n_parts > 1 else []
    n_alone = n_any = 0
    for _ in range(n_tests):
        a, b = two_detectors(cell, cell, random, correlation)
        p_values = [
            paired_difference(labels[rows], a[rows], b[rows], events[rows]).p_value
            for rows in (np.full(len(labels), True), *parts)
        ]
        n_alone += p_values[0] < 0.05
        n_any += min(holm(p_values)) < 0.05
    return n_alone / n_tests, n_any / n_tests


def cells(part: str) -> list[Cell]:
    """Return the cells of a part."""
    if part == "clustered":
        return [
            Cell(n_normal=normal, n_anomalous=anomalous, auc=auc, n_heard=N_MICROPHONES, correlation=correlation)
            for normal, anomalous in CLUSTERED_SIZES
            for correlation in CORRELATIONS
            for auc in AUCS
        ]
    spreads = SPREADS if part in {"auc", "pauc"} else SPREADS[:1]
    return [
        Cell(n_normal=normal, n_anomalous=anomalous, auc=auc, spread=spread)
        for spread in spreads
        for normal, anomalous in SIZES
        for auc in AUCS
    ]


def print_coverage(figure: str, part: str, n_tests: int) -> None:
    """Print a line for each cell, then the least and the largest coverage by spread."""
    found = {}
    for cell in cells(part):
        found[cell] = coverage(figure, cell, n_tests)
        print(f"{figure}, {cell}: {found[cell]:.3f}", flush=True)
    for spread in dict.fromkeys(cell.spread for cell in found):
        mine = {cell: share for cell, share in found.items() if cell.spread == spread}
        most = max(share for cell, share in mine.items() if cell.is_large)
        name = f"{figure}, {part}" if part == "clustered" else figure
        print(f"{name}, spread {spread:g}: at least {min(mine.values()):.3f}; at most {most:.3f} from 20 clips a class")


def print_comparisons(n_tests: int) -> None:
    """Print how often the interval of a difference holds the truth, and how often `compare` sees what is not there."""
    held = {}
    for normal, anomalous in SIZES:
        for pair in PAIRS:
            a, b = (Cell(n_normal=normal, n_anomalous=anomalous, auc=auc) for auc in pair)
            held[a, b] = coverage_of_difference(a, b, n_tests)
            print(f"difference, {a} and {b.auc:g}: {held[a, b]:.3f}", flush=True)
    print(f"difference, spread 1: at least {min(held.values()):.3f}; at most {max(held.values()):.3f}")
    rows = {}
    for cell in cells("compare"):
        if cell.auc < 1:
            rows[cell] = false_positives(cell, n_tests, n_parts=4)
            print("compare, {}: one row {:.3f}, any of five after Holm {:.3f}".format(cell, *rows[cell]), flush=True)
    alone, of_any = (max(one[place] for one in rows.values()) for place in (0, 1))
    print(f"compare, false positives: at most {alone:.3f} of one row, {of_any:.3f} of any of five after Holm")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=(*FIGURES, "clustered", "compare"), action="append", help="by default all")
    parser.add_argument("--tests", type=int, default=1000, help="simulated tests of a cell")
    parser.add_argument("--smoke", action="store_true", help="two tests of a cell")
    arguments = parser.parse_args()
    n_tests = 2 if arguments.smoke else arguments.tests
    parts = arguments.part or [*FIGURES, "clustered", "compare"]
    print(f"# {(__doc__ or '').splitlines()[0]} {n_tests} tests a cell")
    for figure in FIGURES:
        if figure in parts:
            print_coverage(figure, figure, n_tests)
    if "clustered" in parts:
        for figure in FIGURES:
            print_coverage(figure, "clustered", n_tests)
    if "compare" in parts:
        print_comparisons(n_tests)


if __name__ == "__main__":
    main()
