"""Checks whether the columns of a clip agree with the names of its recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import TEST, located
from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.corpus.names import RecordingName, parse_name
from toyadmos_datasets.corpus.noise_names import NOISE_FOLDER
from toyadmos_datasets.errors import NameGrammarError

Names: TypeAlias = Mapping[str, RecordingName | None]

_DCASE = re.compile(r"(normal|anomaly)_id_[0-9]{2}_[0-9]{8}")
_LABELS = {"normal": "normal", "anomaly": "anomalous"}
_SAME = ("toy", "case", "recording_type", "condition", "take", "event_id")
_IDS = ("recording_ids", "noise_recording_ids")
_COLUMNS = ("place", "config", "split", "label", "channel", "damage_fault", *_SAME, *_IDS)


def check_names(clips: pa.Table, findings: Findings, *, must_parse: bool) -> None:
    """Parse the name of every recording again and compare it with what the clips are said to be.

    Args:
        clips: Table with `CLIPS_SCHEMA`.
        findings: Where to put what is found.
        must_parse: Whether a name that is not the corpus's is a problem; else it is something to know.
    """
    names = {one: parsed(one) for one in pc.unique(pc.list_flatten(clips["recording_ids"])).to_pylist()}
    noises = noise_names(clips)
    for row in clips.select(_COLUMNS).to_pylist():
        if row["label"] == "noise":
            continue
        for recording_id in row["recording_ids"] or []:
            _check_recording(row, recording_id, names, findings, must_parse=must_parse)
        if row["damage_fault"]:
            findings.add("problem", "The state of a part is not the damage table's.", located(row, row["damage_fault"]))
        for what, said in (*_channel_faults(row, names), *_noise_faults(row, names, noises)):
            findings.add("problem", what, located(row, said))


def noise_names(clips: pa.Table) -> dict[str, RecordingName | None]:
    """Parse the names of all noise recordings, which are known by their folder."""
    used = clips.filter(pc.greater(pc.fill_null(pc.list_value_length(clips["noise_recording_ids"]), 0), 0))
    found: dict[str, RecordingName | None] = {}
    for toy in pc.unique(used["toy"]).to_pylist():
        mine = used.filter(pc.equal(used["toy"], toy))
        for one in pc.unique(pc.list_flatten(mine["noise_recording_ids"])).to_pylist():
            found[one] = parsed(one, f"{toy}/{NOISE_FOLDER}")
    return found


def parsed(recording_id: str, folder: str | None = None) -> RecordingName | None:
    """Read a name, or return None for one that is not the corpus's."""
    try:
        return parse_name(f"{recording_id}.wav", folder=folder)
    except NameGrammarError:
        return None


def _check_recording(
    row: Mapping[str, Any], recording_id: str, names: Names, findings: Findings, *, must_parse: bool
) -> None:
    dcase = None if must_parse else _DCASE.fullmatch(recording_id)
    name = names[recording_id]
    if dcase:
        _compare_labels(row, _LABELS[dcase[1]], recording_id, findings)
    elif name is not None:
        _compare_labels(row, name.sound, recording_id, findings)
        for column in _SAME:
            if row[column] is not None and row[column] != getattr(name, column):
                said = f"{recording_id}, and {column} is {row[column]}"
                findings.add("problem", "A clip is not what the name of its recording says.", located(row, said))
    elif must_parse:
        findings.add("problem", "The name of a recording is no name of the corpus.", located(row, recording_id))
    elif row["label"] is None:
        findings.add("note", "The path of a clip tells no label.", row["place"])


def _compare_labels(row: Mapping[str, Any], named: str, recording_id: str, findings: Findings) -> None:
    if row["label"] == named:
        return
    said = located(row, f"{recording_id}, and the label is {row['label']}")
    if named == "anomalous" and row["split"] != TEST:
        findings.add("leak", "A damaged clip stands among the normal ones that are learnt from.", said)
    else:
        findings.add("problem", "A label contradicts the name of the recording.", said)


def _channel_faults(row: Mapping[str, Any], names: Names) -> Iterator[tuple[str, str]]:
    """Find microphones that do not belong together; channel 0 stands for several of one event."""
    known = [name.channel for one in row["recording_ids"] or [] if (name := names[one]) is not None]
    if row["channel"] is None or len(known) < len(row["recording_ids"]):
        return
    if (row["channel"] and known != [row["channel"]]) or len(set(known)) < len(known):
        said = f"channel {row['channel']} of {', '.join(row['recording_ids'])}"
        yield "A clip is not of the microphone that it is said to be of.", said


def _noise_faults(row: Mapping[str, Any], names: Names, noises: Names) -> Iterator[tuple[str, str]]:
    """Find noise that is none, of another case, or heard by other microphones than the clip."""
    ids = row["noise_recording_ids"] or []
    if not ids:
        return
    shown = ", ".join(ids)
    known = [name for one in ids if (name := noises[one]) is not None]
    if len(known) < len(ids):
        yield "The noise of a clip is no noise recording of the corpus.", shown
        return
    if len({name.event_id for name in known}) > 1 or not all(name.may_serve(row["case"]) for name in known):
        yield "The noise of a clip is of several takes, or of another case.", shown
    targets = [name.channel for one in row["recording_ids"] if (name := names[one]) is not None]
    if [name.channel for name in known] != targets:
        yield "The noise of a clip was heard by other microphones.", f"{', '.join(row['recording_ids'])} and {shown}"
