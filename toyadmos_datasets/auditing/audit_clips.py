"""What an audit looks at: a table with a row for every clip, whatever the clips are in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import pyarrow as pa

from toyadmos_datasets.errors import WavError
from toyadmos_datasets.signal.clip_codec import Pcm, decode_pcm
from toyadmos_datasets.signal.landmarks import sketch_of
from toyadmos_datasets.units import Decibels

FLOOR_DB: Decibels = -200.0
"""Level that digital silence is given, so that levels can be put in order."""

TEST = "test"
"""The split that systems are judged on; all others are learnt from."""

WHOLE = "all"
"""Split of clips that lie in no folder named like one."""

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
        pa.field("reference_level_db", pa.float64()),
        pa.field("snr_achieved_db", pa.float64()),
        pa.field("snr_active_db", pa.float64()),
        pa.field("n_samples", pa.int64()),
        pa.field("duration_s", pa.float64()),
        pa.field("rate_hz", pa.int64()),
        pa.field("digest", pa.string()),
        pa.field("level_db", pa.float64()),
        pa.field("active_level_db", pa.float64()),
        pa.field("peak", pa.float64()),
        pa.field("flags", pa.list_(pa.string())),
        pa.field("fault", pa.string()),
        pa.field("damage_fault", pa.string()),
        pa.field("recording_hashes", pa.list_(pa.string())),
        pa.field("noise_recording_hashes", pa.list_(pa.string())),
        pa.field("health", pa.list_(pa.string())),
        pa.field("target_level_db", pa.float64()),
        pa.field("target_active_level_db", pa.float64()),
        pa.field("noise_level_db", pa.float64()),
        pa.field("target_gain_db", pa.float64()),
        pa.field("noise_gain_db", pa.float64()),
        pa.field("headroom_db", pa.float64()),
        pa.field("compared_target_db", pa.float64()),
        pa.field("compared_noise_db", pa.float64()),
        pa.field("heard_target_db", pa.float64()),
        pa.field("heard_target_active_db", pa.float64()),
        pa.field("heard_noise_db", pa.float64()),
        pa.field("stem_error", pa.int64()),
        pa.field("target_marks", pa.list_(pa.int64())),
        pa.field("target_places", pa.list_(pa.int32())),
        pa.field("noise_marks", pa.list_(pa.int64())),
        pa.field("noise_places", pa.list_(pa.int32())),
    ]
)
"""Columns of the clips; null where the names, the recipe or the samples do not tell.

place is where a person finds the clip. label is ``normal`` or ``anomalous``. digest is the hash of the decoded
samples, level_db, active_level_db and peak what was measured of them, flags what is odd about them, fault why they
could not be decoded, damage_fault what is said of the parts and is not in the damage table. From recording_hashes to
headroom_db stands what a dataset says of its recordings: their levels are those before gain and headroom.

The others are heard. compared_* are the levels of the stems that the SNR compares, heard_* those of the stems as they
are, of all frequencies alike; null for a stem that reaches full scale. stem_error is the largest difference between
the sum of the stems and the clip, in steps of the clip's width. The marks and their places are the sketches of the
stems (`signal.landmarks`); a clip without noise is its own target.
"""

_OF_NOISE = re.compile(r"(.*?)_?(?:clean|snr_(?:minus_)?[0-9_]+db)")


def family_of(config: str) -> str:
    """Return what configs have in common that differ in noise alone: their name without ``clean`` or the SNR.

    Such configs share their splits: who trains on ``clean`` and tests on ``snr_6db`` must find no clip on both sides.
    """
    match = _OF_NOISE.fullmatch(config)
    return match[1] if match else config


def clips_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make the table; what a row does not have is null."""
    return pa.Table.from_pylist(list(rows), schema=CLIPS_SCHEMA)


def measured(file: BinaryIO, *, name: str) -> tuple[dict[str, Any], Pcm | None]:
    """Return the columns that follow from a clip's samples, and the samples; a clip that is damaged has a fault."""
    try:
        pcm = decode_pcm(file, name=name)
    except WavError as error:
        return {"fault": error.actual}, None
    levels = pcm.measured()
    found = {
        "n_samples": len(pcm.samples),
        "duration_s": len(pcm.samples) / pcm.rate_hz,
        "rate_hz": pcm.rate_hz,
        "digest": pcm.digest.hex(),
        "level_db": max(levels.level_db, FLOOR_DB),
        "active_level_db": max(levels.active_level_db, FLOOR_DB),
        "peak": levels.peak,
        "flags": pcm.flags(levels),
    }
    return found, pcm


def sketched(pcm: Pcm, part: str) -> dict[str, Any]:
    """Return the columns of the sketch of a part, ``target`` or ``noise``; of a stack the first channel's."""
    sketch = sketch_of(pcm.samples[:, 0])
    return {f"{part}_marks": sketch.marks, f"{part}_places": sketch.places}


def place_of_row(path: str, number: int) -> str:
    """Return the place of a clip in a shard; `row_of` takes it apart."""
    return f"{path}, row {number}"


def row_of(place: str) -> tuple[str, int]:
    """Return the shard and the row of a place."""
    path, _, number = place.rpartition(", row ")
    return path, int(number)


def place_of_file(path: str) -> str:
    """Return the place of a file, which any terminal can show; `path_of` gives the path again."""
    return ascii(path)[1:-1]


def path_of(place: str) -> str:
    """Return the path of a file by its place."""
    return place.encode("ascii").decode("unicode_escape")
