"""The stage that renders: recipe and recordings become Parquet shards, a card and a manifest."""

from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.render.folder import OutputFolder
from toyadmos_datasets.render.options import RenderOptions
from toyadmos_datasets.render.render import render

__all__ = ["Encoding", "OutputFolder", "RenderOptions", "render"]
