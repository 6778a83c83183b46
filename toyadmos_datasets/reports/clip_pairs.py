"""Which clips a page shows, each beside one of the other label: of the same case and microphone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

N_PAIRS = 24
"""Pairs on the page of a dataset, where it has no more conditions; a pair grows the page by about 0.5 MB."""

N_A_CONDITION = 3
"""Pairs of one condition at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPair:
    """Rows of a split.

    Attributes:
        clip: A clip.
        beside: One of the other label to compare it with; None where there is none.
    """

    clip: int
    beside: int | None

    @property
    def rows(self) -> tuple[int, ...]:
        """Both, or the one that there is."""
        return (self.clip,) if self.beside is None else (self.clip, self.beside)


def pairs_by_condition(rows: pa.Table) -> dict[str, list[ClipPair]]:
    """Choose damaged clips of each condition, each beside a normal one; no normal clip comes twice while others wait.

    Of a split without damage a few normal clips are chosen.

    Args:
        rows: Columns `label`, `condition`, `case` and `channel`, a row a clip.
    """
    of_row = rows.select(["label", "condition", "case", "channel"]).to_pylist()
    by_condition: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(of_row):
        if row["label"] == 1:
            by_condition[row["condition"]].append(number)
    if not by_condition:
        return {"normal": [ClipPair(clip=number, beside=None) for number in range(min(len(of_row), N_A_CONDITION))]}
    n_each = max(1, min(N_A_CONDITION, N_PAIRS // len(by_condition)))
    normal = _Normal([(number, row["case"], row["channel"]) for number, row in enumerate(of_row) if row["label"] == 0])
    found = {}
    for condition in sorted(by_condition):
        clips = by_condition[condition]
        chosen = [clips[at * len(clips) // n_each] for at in range(n_each)] if len(clips) > n_each else clips
        found[condition] = [
            ClipPair(clip=one, beside=normal.next_for(of_row[one]["case"], of_row[one]["channel"])) for one in chosen
        ]
    return found


class _Normal:
    """The normal clips of a split, handed out in turn: of a case and channel, else of the case, else any."""

    def __init__(self, clips: Sequence[tuple[int, int, int]]) -> None:
        self._groups: dict[tuple[int | None, int | None], list[int]] = defaultdict(list)
        for number, case, channel in clips:
            for key in ((case, channel), (case, None), (None, None)):
                self._groups[key].append(number)
        self._n_given: dict[int, int] = defaultdict(int)

    def next_for(self, case: int, channel: int) -> int | None:
        """Return the clip that was given the fewest times, the first of these."""
        keys = [(case, channel), (case, None), (None, None)]
        waiting = next((self._groups[key] for key in keys if key in self._groups), [])
        if not waiting:
            return None
        chosen = min(waiting, key=lambda one: self._n_given[one])
        self._n_given[chosen] += 1
        return chosen


def pairs_by_score(rows: pa.Table, clips: Sequence[int]) -> list[ClipPair]:
    """Put beside each clip one of the other label whose score is in the middle, of its case and channel if any.

    No other clip comes twice while some wait.

    Args:
        rows: Columns `label`, `case`, `channel` and `score`, a row a clip.
        clips: Rows.
    """
    of_row = rows.select(["label", "case", "channel", "score"]).to_pylist()
    found: list[ClipPair] = []
    used: set[int] = set()
    for one in clips:
        ordered = sorted(_comparable(of_row, one), key=lambda number: of_row[number]["score"])
        middle = len(ordered) // 2
        by_distance = sorted(enumerate(ordered), key=lambda place: (place[1] in used, abs(place[0] - middle)))
        beside = by_distance[0][1] if by_distance else None
        used |= set() if beside is None else {beside}
        found.append(ClipPair(clip=one, beside=beside))
    return found


def _comparable(of_row: Sequence[dict[str, Any]], clip: int) -> list[int]:
    """Return the clips of the other label: of a clip's case and channel, else of its case, else all."""
    mine = of_row[clip]
    others = [number for number, row in enumerate(of_row) if row["label"] != mine["label"]]
    for names in (("case", "channel"), ("case",)):
        alike = [number for number in others if all(of_row[number][name] == mine[name] for name in names)]
        if alike:
            return alike
    return others
