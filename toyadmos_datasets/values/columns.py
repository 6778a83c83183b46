"""The columns of a dataset: what there is, as Arrow and as `datasets` write it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from toyadmos_datasets.corpus.toys import TOYS, toy_named
from toyadmos_datasets.units import Hertz

LABELS = ("normal", "anomalous")

STEMS = ("target", "noise")
"""The columns of a mixture's parts, where they are kept."""

FEATURES_COLUMN = "logmel"

_COLUMNS: tuple[tuple[str, str], ...] = (
    ("toy", "string"),
    ("case", "int8"),
    ("channel", "int8"),
    ("recording_type", "string"),
    ("condition", "string"),
    ("condition_text", "string"),
    ("damage_source", "string"),
    ("damage", "list<part, state>"),
)
_COLUMNS_AFTER_PARTS: tuple[tuple[str, str], ...] = (
    ("take", "int32"),
    ("event_id", "string"),
    ("draw", "int32"),
    ("recording_ids", "list<string>"),
    ("target_start", "int64"),
    ("noise_recording_ids", "list<string>"),
    ("noise_start", "int64"),
    ("n_samples", "int64"),
    ("target_gain_db", "float64"),
    ("noise_gain_db", "float64"),
    ("headroom_db", "float64"),
    ("snr_db", "float64"),
    ("reference_level_db", "float64"),
    ("snr_achieved_db", "float64"),
    ("snr_active_db", "float64"),
    ("peak", "float64"),
    ("target_level_db", "float64"),
    ("target_active_level_db", "float64"),
    ("noise_level_db", "float64"),
    ("health", "list<string>"),
    ("recording_hashes", "list<string>"),
    ("noise_recording_hashes", "list<string>"),
)
_ARROW_TYPES = {
    "string": pa.string(),
    "int8": pa.int8(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
    "list<part, state>": pa.list_(pa.struct([("part", pa.string()), ("state", pa.string())])),
}
_TEXT = {"dtype": "string", "_type": "Value"}
_FEATURES: dict[str, Any] = {
    "list<string>": {"feature": _TEXT, "_type": "List"},
    "list<part, state>": {"feature": {"part": _TEXT, "state": _TEXT}, "_type": "List"},
}
"""How `datasets` spells the types that are no plain values."""


def audio_columns(*, stems: bool) -> tuple[str, ...]:
    """Return the columns that hold clips: the mixture and, with stems, its parts."""
    return ("audio", *STEMS) if stems else ("audio",)


def parts_of(toy: str | None) -> tuple[str, ...]:
    """Return the parts that are columns: those of a toy, or with None those of every toy, each once."""
    toys = TOYS if toy is None else (toy_named(toy),)
    return tuple(dict.fromkeys(part for one in toys for part in one.parts))


def columns_of(toy: str | None) -> dict[str, str]:
    """Return the columns of a dataset beside clips and `label`, with their types, in order.

    Every part of the toy is a column of its own, between `damaged_parts` and `take`.

    Args:
        toy: ``ToyTrain``; None for the columns that all configs of a dataset of several toys have: the parts of every
            toy, null where a clip's toy has no such part.
    """
    parts = [(part, "string") for part in parts_of(toy)]
    return dict([*_COLUMNS, ("damaged_parts", "list<string>"), *parts, *_COLUMNS_AFTER_PARTS])


def features_of(toy: str | None, rate_hz: Hertz, *, stems: bool = False) -> dict[str, Any]:
    """Return the features as `datasets` writes them into a Parquet file's schema.

    Clips of several channels need no feature of their own: a number of channels is written down only to change it.

    Source:
        datasets 4 and 5: `Features.to_dict`, under the schema's key ``huggingface``.
    """
    features: dict[str, Any] = {
        name: {"sampling_rate": rate_hz, "_type": "Audio"} for name in audio_columns(stems=stems)
    }
    return features | _known_features(toy)


def logmel_features_of(toy: str | None, n_mels: int) -> dict[str, Any]:
    """Return the features of a config of log-mel features, as `features_of` does."""
    frame = {"feature": {"dtype": "float32", "_type": "Value"}, "length": n_mels, "_type": "List"}
    return {FEATURES_COLUMN: {"feature": frame, "_type": "List"}} | _known_features(toy)


def _known_features(toy: str | None) -> dict[str, Any]:
    """Return the features of what is known of a clip."""
    features: dict[str, Any] = {"label": {"names": list(LABELS), "_type": "ClassLabel"}}
    for name, kind in columns_of(toy).items():
        features[name] = _FEATURES.get(kind, {"dtype": kind, "_type": "Value"})
    return features


CLIP_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A clip as `datasets` stores it."""


def dataset_schema(toy: str | None, rate_hz: Hertz, *, stems: bool = False) -> pa.Schema:
    """Return the Arrow schema of the shards; its metadata has the features for `datasets`."""
    fields = [pa.field(name, CLIP_TYPE) for name in audio_columns(stems=stems)]
    return _schema(fields, toy, features_of(toy, rate_hz, stems=stems))


def logmel_schema(toy: str | None, n_mels: int) -> pa.Schema:
    """Return the Arrow schema of the shards of log-mel features: a list of frames, each of `n_mels` values."""
    frames = pa.field(FEATURES_COLUMN, pa.list_(pa.list_(pa.float32(), n_mels)))
    return _schema([frames], toy, logmel_features_of(toy, n_mels))


def _schema(fields: list[pa.Field], toy: str | None, features: dict[str, Any]) -> pa.Schema:
    known = [pa.field(name, _ARROW_TYPES[kind]) for name, kind in columns_of(toy).items()]
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([*fields, pa.field("label", pa.int64()), *known], metadata=metadata)
