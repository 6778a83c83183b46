"""Manifests that lhotse reads: recordings, and what each of them holds."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable
from typing import Any

from toyadmos_datasets.export.layouts import Placed


def manifests(placed: Iterable[Placed], root: str) -> dict[str, bytes]:
    """Return the manifests of each split by file name.

    Paths are relative to the export, so that it can be moved; `lhotse` takes ``with_path_prefix``.

    Args:
        placed: The exported clips.
        root: Folder of the config within the export.

    Source:
        lhotse: `Recording.to_dict` and `SupervisionSegment.to_dict`, version 1.
    """
    by_split: dict[str, list[Placed]] = {}
    for one in placed:
        by_split.setdefault(one.path.removeprefix(f"{root}/").partition("/")[0], []).append(one)
    files = {}
    for split, some in by_split.items():
        files[f"{root}/{split}_recordings.jsonl.gz"] = _lines(_recording(one) for one in some)
        files[f"{root}/{split}_supervisions.jsonl.gz"] = _lines(_supervision(one) for one in some)
    return files


def _recording(one: Placed) -> dict[str, Any]:
    return {
        "id": _id(one),
        "sources": [{"type": "file", "channels": list(range(one.n_channels)), "source": one.path}],
        "sampling_rate": one.rate_hz,
        "num_samples": one.n_samples,
        "duration": one.n_samples / one.rate_hz,
        "channel_ids": list(range(one.n_channels)),
    }


def _supervision(one: Placed) -> dict[str, Any]:
    channels = list(range(one.n_channels))
    return {
        "id": _id(one),
        "recording_id": _id(one),
        "start": 0.0,
        "duration": one.n_samples / one.rate_hz,
        "channel": channels if len(channels) > 1 else 0,
        "custom": one.columns,
    }


def _id(one: Placed) -> str:
    return one.path.rpartition("/")[2].rpartition(".")[0]


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as file:
        for value in values:
            file.write(json.dumps(value, sort_keys=True).encode() + b"\n")
    return target.getvalue()
