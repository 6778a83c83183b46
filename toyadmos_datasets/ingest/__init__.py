"""The stage that indexes: the members of a source become a table of recordings, before any is decoded.

What is odd about them is counted, and what is found is compared with what was published.
"""

from toyadmos_datasets.ingest.index_build import (
    IncompleteEvent,
    Indexed,
    build_index,
    index_members,
    index_source,
    missing_channels,
    require_sound,
    select,
    survey_source,
)
from toyadmos_datasets.ingest.oddities import refuse_oddities
from toyadmos_datasets.ingest.source_report import (
    AsFound,
    KindCount,
    as_found,
    describe_source,
    tolerated_lines,
)

__all__ = [
    "AsFound",
    "IncompleteEvent",
    "Indexed",
    "KindCount",
    "as_found",
    "build_index",
    "describe_source",
    "index_members",
    "index_source",
    "missing_channels",
    "refuse_oddities",
    "require_sound",
    "select",
    "survey_source",
    "tolerated_lines",
]
