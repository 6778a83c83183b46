"""The stage that renders: recipe and recordings become Parquet shards, a card and a manifest."""

from toyadmos_datasets.options.render_options import Encoding, RenderOptions
from toyadmos_datasets.rendering.example_health import summary_of
from toyadmos_datasets.rendering.exclusion import ExclusionRequest
from toyadmos_datasets.rendering.growth import Part, PreparedFolder, whole_part
from toyadmos_datasets.rendering.logmel_shards import require_features_possible
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.rendering.render_job import render, shard_tasks
from toyadmos_datasets.rendering.shard_writer import ROWS_A_GROUP, ShardTask, rendered_groups

__all__ = [
    "ROWS_A_GROUP",
    "Encoding",
    "ExclusionRequest",
    "OutputFolder",
    "Part",
    "PreparedFolder",
    "RenderOptions",
    "ShardTask",
    "render",
    "rendered_groups",
    "require_features_possible",
    "shard_tasks",
    "summary_of",
    "whole_part",
]
