"""The stage that plans: an index becomes a recipe, a row an example, without touching audio."""

from toyadmos_datasets.options.catalogue import PROTOCOLS, Protocol
from toyadmos_datasets.options.plan_options import PROTOCOL_NAMES, PlanOptions
from toyadmos_datasets.planning.custom_recipe import OWN, complete_custom_recipe, require_no_choice_beside
from toyadmos_datasets.planning.events import NONE_JOINED, EqualEvents, find_equal_events
from toyadmos_datasets.planning.recipe_plan import plan, windowed_recordings

__all__ = [
    "NONE_JOINED",
    "OWN",
    "PROTOCOLS",
    "PROTOCOL_NAMES",
    "EqualEvents",
    "PlanOptions",
    "Protocol",
    "complete_custom_recipe",
    "find_equal_events",
    "plan",
    "require_no_choice_beside",
    "windowed_recordings",
]
