"""Domain adaptation: what was learned on some machines is tested on another."""

from __future__ import annotations

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.layout import Layout, Planned, Split, clean_and_snrs
from toyadmos_datasets.plan.scope import Scope
from toyadmos_datasets.plan.splits import require

ADAPT_EVENTS = 3
"""Normal events of the target case to adapt with, where no number is asked for.

Source:
    DCASE 2021 task 2, which gives three normal clips of each target domain.
"""


def plan_leave_one_case_out(scope: Scope) -> Planned:
    """Leave out each case in turn: the others' normal events train, a few of its own adapt, the rest test.

    Raises:
        PlanError: There is one case only, or one with too few events.

    Source:
        Koizumi et al. 2019, section 1, names the task; the split is this package's own.
    """
    if len(scope.cases) < 2:
        raise PlanError(
            "No case can be left out, because there is only one.",
            where=f"case{scope.cases[0]}",
            expected="recordings of at least two cases",
            actual="1 case",
            remedy="Complete the source, ask for more cases with --cases, or choose: --protocol basic",
        )
    layouts = tuple(_layout(scope, case) for case in scope.cases)
    asked = scope.options.adapt_events
    n_adapt = ADAPT_EVENTS if asked is None else asked
    note = f"leave-one-case-out: a config for each case; {n_adapt} of its normal events are for adapting."
    return Planned(layouts=layouts, notes=(note,))


def _layout(scope: Scope, case: int) -> Layout:
    n_adapt = ADAPT_EVENTS if scope.options.adapt_events is None else scope.options.adapt_events
    normal, anomalous = scope.of(case, "normal"), scope.of(case, "anomalous")
    others = [scope.of(other, "normal") for other in scope.cases if other != case]
    for other, some in zip([one for one in scope.cases if one != case], others, strict=True):
        require(len(some) > 0, other, "normal events for training", 0)
    require(len(normal) > n_adapt, case, f"normal events for the test beside {n_adapt} to adapt with", len(normal))
    require(len(anomalous) > 0, case, "anomalous events for the test", 0)
    splits = [Split(name="train", targets=scope.taken(*others))]
    if n_adapt:
        splits.append(Split(name="adapt", targets=scope.taken(normal[:n_adapt])))
    splits.append(Split(name="test", targets=scope.taken(normal[n_adapt:], anomalous)))
    return Layout(splits=tuple(splits), configs=clean_and_snrs(scope.options.snrs_db, f"leave_out_case{case}_"))
