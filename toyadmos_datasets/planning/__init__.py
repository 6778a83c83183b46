"""The stage that plans: an index becomes a recipe, a row an example, without touching audio."""

from toyadmos_datasets.options.catalogue import PROTOCOLS, Protocol
from toyadmos_datasets.options.plan_options import PROTOCOL_NAMES, PlanOptions
from toyadmos_datasets.planning.custom_recipe import OWN, own_recipe, require_own
from toyadmos_datasets.planning.events import NONE_JOINED, EqualEvents, find_joined
from toyadmos_datasets.planning.recipe_plan import plan, windowed_recordings

__all__ = [
    "NONE_JOINED",
    "OWN",
    "PROTOCOLS",
    "PROTOCOL_NAMES",
    "EqualEvents",
    "PlanOptions",
    "Protocol",
    "find_joined",
    "own_recipe",
    "plan",
    "require_own",
    "windowed_recordings",
]
