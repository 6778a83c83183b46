"""The stage that plans: an index becomes a recipe, a row an example, without touching audio."""

from toyadmos_datasets.plan.joined import NONE_JOINED, Joined, find_joined
from toyadmos_datasets.plan.options import PROTOCOL_NAMES, PlanOptions
from toyadmos_datasets.plan.own import OWN, own_recipe, require_own
from toyadmos_datasets.plan.plan import plan, windowed_recordings
from toyadmos_datasets.plan.protocols import PROTOCOLS, Protocol

__all__ = [
    "NONE_JOINED",
    "OWN",
    "PROTOCOLS",
    "PROTOCOL_NAMES",
    "Joined",
    "PlanOptions",
    "Protocol",
    "find_joined",
    "own_recipe",
    "plan",
    "require_own",
    "windowed_recordings",
]
