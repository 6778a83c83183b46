"""Keeps events that carry the same sound in one split, for every protocol; then applies `--max-events`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.planning.events import Events, Numbers
from toyadmos_datasets.planning.split_layout import Scope, Split, SplitLayout

_NO_SPLIT = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeparatedLayout:
    """A layout whose splits have no sound in common.

    Attributes:
        layout: Its splits, cut to what a quick look has.
        moved: Events that stand in another split than the protocol put them in.
        left_out: Events of which windows were left out, because what carries the same sound is in a split without.
    """

    layout: SplitLayout
    moved: Numbers
    left_out: Numbers


def separate_equal_content(scope: Scope, layout: SplitLayout) -> SeparatedLayout:
    """Move events that carry the same sound to one split, and cut each split to what a quick look has of it.

    The test, which is the last split, has them where some are normal and others anomalous; else the last split that
    one of them is in.

    Raises:
        PlanError: A split would have no events of a case left.
    """
    home = _homes(scope, layout)
    is_leaving = [_is_leaving(home, scope, split, place) for place, split in enumerate(layout.splits)]
    leaving = [np.unique(split.targets[some]) for split, some in zip(layout.splits, is_leaving, strict=True)]
    is_windowed = [split.starts is not None for split in layout.splits]
    nobody = np.empty(0, dtype=np.int64)
    moved = np.concatenate([nobody, *(some for some, cut in zip(leaving, is_windowed, strict=True) if not cut)])
    left_out = np.concatenate([nobody, *(some for some, cut in zip(leaving, is_windowed, strict=True) if cut)])
    splits = []
    for place, (split, leaves) in enumerate(zip(layout.splits, is_leaving, strict=True)):
        kept = _some(split, ~leaves)
        arriving = moved[home[scope.events.group[moved]] == place]
        if len(arriving):
            kept = replace(kept, targets=np.sort(np.concatenate([kept.targets, arriving])))
        _require_cases_left(scope, split, kept)
        splits.append(_quick_look(scope, kept))
    return SeparatedLayout(layout=replace(layout, splits=tuple(splits)), moved=moved, left_out=left_out)


def same_sound_notes(events: Events, numbers: Numbers, what: str, rule: str) -> list[str]:
    """Say how many of some events carry the same sound as another of them.

    Args:
        events: All events.
        numbers: Those that are planned with.
        what: ``events`` or ``noise recordings``.
        rule: What follows, behind the colon.
    """
    same = np.sort(events.with_others(numbers))
    if not len(same):
        return []
    first = same[events.group[same] == events.group[same[0]]]
    names = f"{events.name(first[0])} and {events.name(first[1])}"
    return [f"{len(same)} {what} carry the same sound under several names (such as {names}): {rule}."]


def moved_notes(scope: Scope, settled: list[SeparatedLayout]) -> list[str]:
    """Say how many events were moved, or left out, by all layouts of a protocol together."""
    nobody = np.empty(0, dtype=np.int64)
    moved = np.unique(np.concatenate([nobody, *(one.moved for one in settled)]))
    left_out = np.unique(np.concatenate([nobody, *(one.left_out for one in settled)]))
    notes = []
    if len(moved):
        notes.append(
            f"{scope.protocol} moved {_n(len(moved), 'event')} to the split of another with the same sound "
            f"({_first_few(scope.events, moved)})."
        )
    if len(left_out):
        notes.append(
            f"{scope.protocol} left {_n(len(left_out), 'continuous recording')} out, because a later split has the "
            f"same sound ({_first_few(scope.events, left_out)})."
        )
    return notes


def _n(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _first_few(events: Events, numbers: Numbers) -> str:
    return ", ".join(events.name(one) for one in numbers[:3]) + (", .." if len(numbers) > 3 else "")


def _homes(scope: Scope, layout: SplitLayout) -> Numbers:
    """Return the place of the split that each group belongs in, by its first event; `_NO_SPLIT` for events alone."""
    events = scope.events
    home = np.full(len(events.group), _NO_SPLIT)
    if (events.group == np.arange(len(events.group))).all():
        return home
    present = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(split.targets for split in layout.splits)]))
    same = events.with_others(present)
    if not len(same):
        return home
    is_normal = pc.equal(events.sound.take(pa.array(same)), "normal").to_numpy(zero_copy_only=False)
    is_mixed = np.isin(events.group[same], events.group[same[is_normal]])
    is_mixed &= np.isin(events.group[same], events.group[same[~is_normal]])
    home[events.group[same[is_mixed]]] = len(layout.splits) - 1
    for place, split in enumerate(layout.splits):
        here = events.group[same[np.isin(same, split.targets)]]
        home[here] = np.maximum(home[here], place)
    return home


def _is_leaving(home: Numbers, scope: Scope, split: Split, place: int) -> npt.NDArray[np.bool_]:
    of_targets = home[scope.events.group[split.targets]]
    leaving: npt.NDArray[np.bool_] = (of_targets != _NO_SPLIT) & (of_targets != place)
    return leaving


def _some(split: Split, is_kept: npt.NDArray[np.bool_]) -> Split:
    starts = None if split.starts is None else split.starts[is_kept]
    return replace(split, targets=split.targets[is_kept], starts=starts)


def _require_cases_left(scope: Scope, before: Split, after: Split) -> None:
    emptied = np.setdiff1d(scope.events.case[before.targets], scope.events.case[after.targets])
    if len(emptied):
        case = int(emptied[0])
        of_case = np.unique(before.targets[scope.events.case[before.targets] == case])
        raise PlanError(
            f"The split {before.name!r} would have no events of case {case}: others with the same sound are elsewhere.",
            where=scope.events.name(of_case[0]),
            expected=f"an event of case {case} whose sound is in {before.name!r} alone",
            actual=f"{len(of_case)} events, each with the same sound as one of another split",
            remedy="Keep one of those that are the same in the source, or choose other cases with --cases.",
        )


def _quick_look(scope: Scope, split: Split) -> Split:
    """Keep the first of each case and label, in the protocol's random order; windows are cut by the protocol.

    Of a balanced test, as many are kept of both labels of a case.
    """
    n, is_balanced = scope.options.max_events, scope.options.balanced_test and split.name == "test"
    if (n is None and not is_balanced) or split.starts is not None:
        return split
    events = scope.events
    order = events.shuffled(split.targets, scope.options.seed, scope.protocol, "split")
    label = events.sound.take(pa.array(order)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    kind = events.case[order].astype(np.int64) * len(events.sound) + label
    by_kind = np.argsort(kind, kind="stable")
    kinds, sizes = np.unique(kind, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(sizes.cumsum() - sizes, sizes)
    most = sizes if n is None else np.minimum(sizes, n)
    if is_balanced:
        _, case = np.unique(kinds // len(events.sound), return_inverse=True)
        smallest = np.full(case.max(initial=-1) + 1, len(order))
        np.minimum.at(smallest, case, most)
        most = smallest[case]
    return replace(split, targets=np.sort(order[by_kind][rank < np.repeat(most, sizes)]))
