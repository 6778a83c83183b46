"""Few-shot detection: a few anomalous events of each kind are known, the test has more of them and others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.planning.event_scope import Scope, gathered
from toyadmos_datasets.planning.events import Numbers
from toyadmos_datasets.planning.split_layout import (
    CaseEvents,
    Planned,
    Split,
    SplitLayout,
    clean_and_snrs,
    fraction_note,
    split_as_paper,
)

SHOTS = 1
"""Anomalous events of each condition in the support, where no number is asked for."""


def plan_few_shot(scope: Scope) -> Planned:
    """Split as `basic` does, and take k anomalous events of each condition and case from the test as support.

    Where a condition has no more than k events one of them stays in the test. Conditions that damage a part
    which shall be unseen have none in the support.

    Raises:
        PlanError: The support would be empty, or have all the anomalies.

    Source:
        Koizumi et al. 2019, section 1, names the task; the split is this package's own.
    """
    divided = split_as_paper(scope)
    shots = scope.options.shots or SHOTS
    support = [_support(scope, one, shots) for one in divided]
    if not any(map(len, support)):
        raise PlanError(
            "There would be no anomalous events in the support.",
            where=f"case {', '.join(map(str, scope.cases))}",
            expected="a condition with at least two anomalous events, so that support and test have one each",
            actual="none" + (" that leaves the parts to be unseen alone" if scope.options.unseen_parts else ""),
            remedy="Complete the source, or name fewer --unseen-parts.",
        )
    rest = [_without(one.anomalous, some) for one, some in zip(divided, support, strict=True)]
    splits = (
        Split(name="train", targets=gathered(*(one.train for one in divided))),
        Split(name="support", targets=gathered(*support)),
        Split(name="test", targets=gathered(*(one.test for one in divided), *rest)),
    )
    layout = SplitLayout(splits=splits, configs=clean_and_snrs(scope.options.snrs_db, "few_shot_"))
    notes = (*fraction_note(divided, scope.experiment), *_notes(scope, shots))
    return Planned(layouts=(layout,), notes=notes)


def _support(scope: Scope, events: CaseEvents, shots: int) -> Numbers:
    """Return the first k events of each condition, in the random order of the case's anomalies."""
    conditions = scope.events.condition.take(pa.array(events.anomalous)).dictionary_encode()
    kind, n_kinds = conditions.indices.to_numpy(), len(conditions.dictionary)
    by_kind = np.argsort(kind, kind="stable")
    sizes = np.bincount(kind, minlength=n_kinds)
    rank = np.empty(len(kind), dtype=np.int64)
    rank[by_kind] = np.arange(len(kind)) - np.repeat(sizes.cumsum() - sizes, sizes)
    unseen = set(scope.options.unseen_parts)
    damaged = (damage_of(scope.options.toy, one).damaged_parts for one in conditions.dictionary.to_pylist())
    n_support = np.array([0 if unseen & set(parts) else shots for parts in damaged], dtype=np.int64)
    chosen: Numbers = events.anomalous[rank < np.minimum(n_support, sizes - 1)[kind]]
    return chosen


def _without(numbers: Numbers, others: Numbers) -> Numbers:
    return numbers[~np.isin(numbers, others)]


def _notes(scope: Scope, shots: int) -> list[str]:
    notes = [
        (
            f"few-shot: support has {shots} anomalous events of each condition and case, one less where the test would "
            "have none."
        )
    ]
    if scope.options.unseen_parts:
        parts = ", ".join(scope.options.unseen_parts)
        notes.append(f"few-shot: conditions that damage {parts} are in the test alone.")
    return notes
