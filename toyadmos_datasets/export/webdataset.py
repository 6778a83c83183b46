"""Tar files of a clip and what is known of it, each pair under one key."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from toyadmos_datasets.export.clips import Clip
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.inside import inside


def packed_name(clip: Clip, suffix: str | None = None) -> str:
    """Return what a clip's audio is called in a tar file, or what else of it has another suffix.

    Source:
        webdataset: the files of a sample share the name up to the first dot.
    """
    stem, _, own = clip.name.rpartition(".")
    name = f"{stem.replace('.', '-')}.{suffix or own}"
    inside(Path(), name, where=clip.name)  # whoever unpacks the tar is led nowhere else
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
