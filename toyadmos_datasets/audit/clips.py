"""What an audit looks at: a table with a row for every clip, whatever the clips are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import pyarrow as pa

from toyadmos_datasets.errors import WavError
from toyadmos_datasets.signal.pcm import Pcm, decode
from toyadmos_datasets.units import Decibels

FLOOR_DB: Decibels = -200.0
"""Level that digital silence is given, so that levels can be put in order."""

TEST = "test"
"""The split that systems are judged on; all others are learnt from."""

CLIPS_SCHEMA = pa.schema(
    [
        pa.field("place", pa.string(), nullable=False),
        pa.field("config", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("toy", pa.string()),
        pa.field("case", pa.int64()),
        pa.field("channel", pa.int64()),
        pa.field("recording_type", pa.string()),
        pa.field("condition", pa.string()),
        pa.field("take", pa.int64()),
        pa.field("event_id", pa.string()),
        pa.field("draw", pa.int64()),
        pa.field("recording_ids", pa.list_(pa.string())),
        pa.field("target_start", pa.int64()),
        pa.field("noise_recording_ids", pa.list_(pa.string())),
        pa.field("noise_start", pa.int64()),
        pa.field("noise_position", pa.float64()),
        pa.field("snr_db", pa.float64()),
        pa.field("snr_achieved_db", pa.float64()),
        pa.field("snr_active_db", pa.float64()),
        pa.field("n_samples", pa.int64()),
        pa.field("duration_s", pa.float64()),
        pa.field("digest", pa.string()),
        pa.field("level_db", pa.float64()),
        pa.field("peak", pa.float64()),
        pa.field("flags", pa.list_(pa.string())),
        pa.field("fault", pa.string()),
        pa.field("damage_fault", pa.string()),
        pa.field("target_level_db", pa.float64()),
        pa.field("noise_level_db", pa.float64()),
        pa.field("stem_error", pa.int64()),
    ]
)
"""Columns of the clips; null where the names, the recipe or the samples do not tell.

place is where a person finds the clip. label is ``normal`` or ``anomalous``. digest is the hash of the decoded
samples, level_db and peak what was measured of them, flags what is odd about them, fault why they could not be
decoded, damage_fault what is said of the parts and is not in the damage table. The last three are of datasets with
stems: the levels are those that the SNR compares, stem_error is the largest difference between the sum of the stems
and the clip, in steps of the clip's width.
"""


def clips_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make the table; what a row does not have is null."""
    return pa.Table.from_pylist(list(rows), schema=CLIPS_SCHEMA)


def measured(file: BinaryIO, *, name: str) -> tuple[dict[str, Any], Pcm | None]:
    """Return the columns that follow from a clip's samples, and the samples; a clip that is damaged has a fault."""
    try:
        pcm = decode(file, name=name)
    except WavError as error:
        return {"fault": error.actual}, None
    levels = pcm.measured()
    found = {
        "n_samples": len(pcm.samples),
        "duration_s": len(pcm.samples) / pcm.rate_hz,
        "digest": pcm.digest.hex(),
        "level_db": max(levels.level_db, FLOOR_DB),
        "peak": levels.peak,
        "flags": pcm.flags(levels),
    }
    return found, pcm
