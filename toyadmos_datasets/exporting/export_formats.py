"""The formats of exports that are more than WAV files: tar files of webdataset and manifests of lhotse."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toyadmos_datasets.exporting.export_clips import Clip
from toyadmos_datasets.exporting.export_layouts import Placed
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.safe_paths import inside


def packed_name(clip: Clip, suffix: str | None = None) -> str:
    """Return what a clip's audio is called in a tar file, or what else of it has another suffix.

    Source:
        webdataset: the files of a sample share the name up to the first dot.
    """
    stem, _, own = clip.name.rpartition(".")
    name = f"{stem.replace('.', '-')}.{suffix or own}"
    inside(Path(), name, where=clip.name)  # unpacking the tar writes nowhere else
    return name


def write_tar(path: Path, clips: Iterable[Clip]) -> None:
    """Write a tar file of clips, the same bytes for the same clips.

    Source:
        webdataset: the files of a sample follow each other.
    """
    with write_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for clip in clips:
            facts = json.dumps(clip.columns | {"split": clip.split}, sort_keys=True, default=str).encode()
            for name, content in ((packed_name(clip), clip.content), (packed_name(clip, "json"), facts)):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


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
