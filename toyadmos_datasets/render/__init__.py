"""The stage that renders: recipe and recordings become Parquet shards, a card and a manifest."""

from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.render.features import require_features_possible
from toyadmos_datasets.render.folder import OutputFolder
from toyadmos_datasets.render.health import summary_of
from toyadmos_datasets.render.leaving_out import LeavingOut
from toyadmos_datasets.render.options import RenderOptions
from toyadmos_datasets.render.render import render, shard_tasks, versions
from toyadmos_datasets.render.shard import ROWS_A_GROUP, ShardTask, rendered_groups

__all__ = [
    "ROWS_A_GROUP",
    "Encoding",
    "LeavingOut",
    "OutputFolder",
    "RenderOptions",
    "ShardTask",
    "render",
    "rendered_groups",
    "require_features_possible",
    "shard_tasks",
    "summary_of",
    "versions",
]
