"""The activity: where machines run in continuous recordings, known once those have been ingested."""

from __future__ import annotations

import pyarrow as pa

ACTIVITY_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("stop", pa.int64(), nullable=False),
    ]
)
"""A row a run of a machine in one recording: its first sample and the one after its last, at 48 kHz.

Runs of a recording neither overlap nor touch. A recording without a row is all rest.
"""
