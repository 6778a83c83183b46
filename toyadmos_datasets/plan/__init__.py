"""The stage that plans: an index becomes a recipe, a row an example, without touching audio."""

from toyadmos_datasets.plan.options import PROTOCOLS, PlanOptions
from toyadmos_datasets.plan.plan import plan

__all__ = ["PROTOCOLS", "PlanOptions", "plan"]
