"""Checks `health` and levels: how many clips have each flag, and whether the audio agrees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import FLOOR_DB, floats, located
from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.signal.levels import SILENT_BELOW_DB
from toyadmos_datasets.units import Decibels

TOLERANCE_DB: Decibels = 0.01
"""How far a level may be from what a dataset says, before rounding to integers."""

STEP_DB: Decibels = -101.1
"""Level of the rounding noise of 16 bits, 1/12 of a step squared: 10 log10(1 / 12 / 32768^2)."""

ACTIVE_TOLERANCE_DB: Decibels = 0.1
"""The same for the level of active frames: rounding may move a frame over the edge of what counts as active."""

_FAINT_BELOW_DB: Decibels = -70.0
"""Below this level, ten steps of 16 bits, rounding is no noise of its own: it may be off by half a step all along."""

_HALF_A_STEP = 0.5 / 32768

Levels = npt.NDArray[np.float64]


def check_health(clips: pa.Table, findings: Findings) -> None:
    """Count what `health` says, and compare it and the levels of the recordings with what is heard.

    Args:
        clips: Table with `CLIPS_SCHEMA`.
        findings: Where to put what is found.
    """
    known = clips.filter(clips["health"].is_valid())
    for flag, said in _counts(known):
        findings.add("note", f"Clips are of recordings that are {flag.replace('_', '-')}, as their health says.", said)
    heard = clips.filter(clips["fault"].is_null())
    for what, some, faults in (
        ("The health of a clip contradicts how loud its recording is.", known, _contradictions(known)),
        ("A level is not the one that the clip's columns say.", heard, _wrong_levels(heard)),
    ):
        shown = some.select(["config", "place"])
        for row, said in faults:
            findings.add("problem", what, located(shown.slice(row, 1).to_pylist()[0], said))


def _counts(clips: pa.Table) -> Iterator[tuple[str, str]]:
    """Yield every flag with how many clips of each config, label and condition have it, of how many."""
    lists = clips["health"].combine_chunks()
    keys = ["config", "label", "condition"]
    flagged = clips.select(keys).take(pc.list_parent_indices(lists)).append_column("flag", lists.flatten())
    totals = {tuple(row[key] for key in keys): row["n"] for row in _counted(clips, keys)}
    for row in _counted(flagged, ["flag", *keys]):
        here = tuple(row[key] for key in keys)
        said = ", ".join(dict.fromkeys(map(str, here)))  # normal clips are of the condition normal
        yield str(row["flag"]), f"{said}: {row['n']} of {totals[here]}"


def _counted(clips: pa.Table, keys: list[str]) -> list[dict[str, object]]:
    counted = clips.select(keys).group_by(keys, use_threads=False).aggregate([([], "count_all")])
    rows: list[dict[str, object]] = counted.rename_columns([*keys, "n"]).to_pylist()
    return rows


def _contradictions(clips: pa.Table) -> Iterator[tuple[int, str]]:
    """Yield each clip of one microphone whose recording is quieter, or louder, than `health` says.

    Its level is what is heard, where that can be told from the noise, and else what the dataset says.
    """
    said_db = floats(clips, "target_level_db")
    level_db = np.where(np.isnan(heard := _recorded_db(clips, "target")), said_db, heard)
    is_alone = pc.equal(pc.list_value_length(clips["recording_ids"]), 1).to_numpy()
    joined = pc.binary_join(clips["health"], " ").to_numpy()
    is_flagged = np.array(["silent" in str(one) for one in joined], dtype=np.bool_)
    is_quiet = level_db < SILENT_BELOW_DB
    is_close = np.abs(level_db - SILENT_BELOW_DB) <= 5 * TOLERANCE_DB
    for row in np.flatnonzero(is_alone & ~np.isnan(level_db) & ~is_close & (is_flagged != is_quiet)).tolist():
        yield row, f"{max(level_db[row], FLOOR_DB):.1f} dB as recorded, and the health is {joined[row] or 'empty'}"


def _wrong_levels(clips: pa.Table) -> Iterator[tuple[int, str]]:
    """Yield each clip with a part at another level than the recorded one, plus its gain less the headroom."""
    for column, part, heard, tolerance_db in (
        ("target_level_db", "target", "heard_target_db", TOLERANCE_DB),
        ("target_active_level_db", "target", "heard_target_active_db", ACTIVE_TOLERANCE_DB),
        ("noise_level_db", "noise", "heard_noise_db", TOLERANCE_DB),
    ):
        expected = np.maximum(floats(clips, column) + _change_db(clips, part), FLOOR_DB)
        found = floats(clips, heard)
        off = np.abs(expected - found) > tolerance_db + rounding_db(expected)
        far = np.abs(10 ** (expected / 20) - 10 ** (found / 20)) > _HALF_A_STEP
        for row in np.flatnonzero(off & (far | (expected > _FAINT_BELOW_DB))).tolist():
            yield row, f"{column} makes {expected[row]:.3f} dB, and {found[row]:.3f} dB are there"


def _recorded_db(clips: pa.Table, part: str) -> Levels:
    """Return the levels as recorded, by what is heard; NaN where nothing is."""
    heard = floats(clips, f"heard_{part}_db")
    return np.where(heard <= FLOOR_DB, -np.inf, heard - _change_db(clips, part))


def _change_db(clips: pa.Table, part: str) -> Levels:
    """Return by how much a part is louder in the clip than as recorded."""
    return np.nan_to_num(floats(clips, f"{part}_gain_db")) - np.nan_to_num(floats(clips, "headroom_db"))


def rounding_db(levels_db: Levels) -> Levels:
    """Return by how much rounding may move levels, dB: twice what its mean power adds."""
    added: Levels = 20 * np.log10(1 + 10 ** ((STEP_DB - levels_db) / 10))
    return added
