"""Unsupervised detection: normal events train, the other normal ones and all anomalies test."""

from __future__ import annotations

from toyadmos_datasets.planning.event_scope import Scope, gathered
from toyadmos_datasets.planning.events import Numbers
from toyadmos_datasets.planning.split_layout import (
    CaseEvents,
    Planned,
    Split,
    SplitLayout,
    clean_and_snrs,
    fraction_note,
    require,
    split_as_paper,
)


def plan_basic(scope: Scope) -> Planned:
    """Split every case as the paper split its own, with a part of the training for validation where asked for.

    Raises:
        PlanError: A case would leave a split without events.

    Source:
        Koizumi et al. 2019, section 4, for the share of the training; the rest is this package's own.
    """
    divided = split_as_paper(scope)
    share = scope.options.validation_share
    validation = [_validation(one, share) for one in divided]
    train = [one.train[len(held) :] for one, held in zip(divided, validation, strict=True)]
    splits = [Split(name="train", targets=gathered(*train))]
    notes = fraction_note(divided, scope.experiment)
    if share:
        splits.append(Split(name="validation", targets=gathered(*validation)))
        notes.append(f"Of the normal events for training, {share:g} are held out as validation, case by case.")
    splits.append(
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous))))
    )
    layout = SplitLayout(splits=tuple(splits), configs=clean_and_snrs(scope.options.snrs_db))
    return Planned(layouts=(layout,), notes=tuple(notes))


def _validation(events: CaseEvents, share: float) -> Numbers:
    """Return the events for training that are held out: by share, and at least one where there is one."""
    if not share:
        return events.train[:0]
    n = max(round(len(events.train) * share), 1)
    require(len(events.train) > n, events.case, "normal events for both training and validation", len(events.train))
    return events.train[:n]
