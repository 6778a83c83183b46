"""Tar files of a clip and what is known of it, each pair under one key."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from toyadmos_datasets.export.clips import Clip
from toyadmos_datasets.files.atomic import write_file


def write_tar(path: Path, clips: Iterable[Clip]) -> list[tuple[Clip, str]]:
    """Write a tar file of clips, the same bytes for the same clips; return them with the names of their audio in it.

    Source:
        webdataset: the files of a sample follow each other and share the name up to the first dot.
    """
    written = []
    with write_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for clip in clips:
            stem, _, suffix = clip.name.rpartition(".")
            key = stem.replace(".", "-")
            facts = json.dumps(clip.columns | {"split": clip.split}, sort_keys=True, default=str).encode()
            for name, content in ((f"{key}.{suffix}", clip.content), (f"{key}.json", facts)):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            written.append((clip, f"{key}.{suffix}"))
    return written
