"""Domain adaptation: what was learned on some machines is tested on another."""

from __future__ import annotations

from collections.abc import Sequence

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.planning.event_scope import Scope, gathered
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

ADAPT_EVENTS = 3
"""Normal events of the target case to adapt with, where no number is asked for.

Source:
    DCASE 2021 task 2, which gives three normal clips of each target domain.
"""


def plan_leave_one_case_out(scope: Scope) -> Planned:
    """Leave out each case in turn: the others' normal events train, a few of its own adapt, the rest test.

    The test has both domains: the case left out, and of the others what was not trained on, divided as the paper
    divided its own. Without the second nobody could say what the step to another machine costs.

    Raises:
        PlanError: There is one case only, or one with too few events.

    Source:
        Koizumi et al. 2019, section 1, names the task; that both domains are tested follows DCASE 2021 task 2; the
        split is this package's own.
    """
    if len(scope.cases) < 2:
        raise PlanError(
            "No case can be left out, because there is only one.",
            where=f"case{scope.cases[0]}",
            expected="recordings of at least two cases",
            actual="1 case",
            remedy="Complete the source, ask for more cases with --cases, or choose: --protocol basic",
        )
    divided = split_as_paper(scope)
    asked = scope.options.adapt_events
    n_adapt = ADAPT_EVENTS if asked is None else asked
    layouts = tuple(_layout(scope, one.case, divided, n_adapt) for one in divided)
    note = (
        f"leave-one-case-out: a config for each case; {n_adapt} of its normal events are for adapting. The test has "
        "the case left out (the target domain) and what was not trained on of the others (the source domain)."
    )
    return Planned(layouts=layouts, notes=(*fraction_note(divided, scope.experiment), note))


def _layout(scope: Scope, case: int, divided: Sequence[CaseEvents], n_adapt: int) -> SplitLayout:
    normal, anomalous = scope.of(case, "normal"), scope.of(case, "anomalous")
    others = [one for one in divided if one.case != case]
    require(len(normal) > n_adapt, case, f"normal events for the test beside {n_adapt} to adapt with", len(normal))
    splits = [Split(name="train", targets=gathered(*(one.train for one in others)))]
    if n_adapt:
        splits.append(Split(name="adapt", targets=gathered(normal[:n_adapt])))
    of_others = (part for one in others for part in (one.test, one.anomalous))
    splits.append(Split(name="test", targets=gathered(normal[n_adapt:], anomalous, *of_others)))
    return SplitLayout(splits=tuple(splits), configs=clean_and_snrs(scope.options.snrs_db, f"leave_out_case{case}_"))
