"""The protocols: each a module with the function that turns a scope into splits and configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from toyadmos_datasets.planning.event_scope import Scope
from toyadmos_datasets.planning.protocols.basic import plan_basic
from toyadmos_datasets.planning.protocols.cnt_to_ind import plan_cnt_to_ind
from toyadmos_datasets.planning.protocols.dcase2020 import plan_dcase2020
from toyadmos_datasets.planning.protocols.few_shot import plan_few_shot
from toyadmos_datasets.planning.protocols.leave_one_case_out import plan_leave_one_case_out
from toyadmos_datasets.planning.protocols.noise_shift import plan_noise_shift
from toyadmos_datasets.planning.protocols.waspaa2019 import plan_waspaa2019
from toyadmos_datasets.planning.split_layout import Planned

Planner: TypeAlias = Callable[[Scope], Planned]

PLANNERS: Mapping[str, Planner] = {
    "waspaa2019": plan_waspaa2019,
    "basic": plan_basic,
    "leave-one-case-out": plan_leave_one_case_out,
    "noise-shift": plan_noise_shift,
    "few-shot": plan_few_shot,
    "cnt-to-ind": plan_cnt_to_ind,
    "dcase2020": plan_dcase2020,
}
"""What plans each protocol of `options.catalogue.PROTOCOLS`."""
