"""Damaged segments of a recording store are set aside, so that nothing reads them again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from toyadmos_datasets.errors import StoreError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.values.recording_store import (
    DAMAGED_SUFFIX,
    ROWS_SUFFIX,
    RecordingReader,
    is_whole,
    rows_files,
    samples_file,
)


def set_aside_damaged_rows(folder: Path) -> list[Path]:
    """Set aside the segments of which the rows, or the size of the samples, are not what they were; return them.

    Raises:
        StoreError: There are some, and they cannot be renamed.
    """
    damaged = []
    for rows in rows_files(folder):
        with contextlib.suppress(OSError):  # what cannot be looked at is not known to be damaged
            if not is_whole(rows):
                damaged.append(samples_file(rows))
    for segment in damaged:
        _set_aside(segment)
    return damaged


def damaged_samples(catalogue: pa.Table, on_progress: Callable[[int], None] | None = None) -> list[StoreError]:
    """Compare all samples with their checksums; return what is wrong with each segment in which any differ.

    Args:
        catalogue: As `read_catalogue` returns it, or some of its rows.
        on_progress: Called with the bytes that were compared so far.
    """
    reader = RecordingReader(catalogue)
    damaged: dict[str, StoreError] = {}
    n_bytes = 0
    columns = (catalogue[name].to_pylist() for name in ("recording_id", "segment"))
    for recording_id, segment in zip(*columns, strict=True):
        if segment not in damaged:
            try:
                n_bytes += reader.samples(recording_id).nbytes
            except StoreError as error:
                damaged[segment] = error
        if on_progress is not None:
            on_progress(n_bytes)
    return list(damaged.values())


def set_aside_samples(damaged: Iterable[StoreError]) -> list[Path]:
    """Set aside the segments that `damaged_samples` found; return them.

    Raises:
        StoreError: There are some, and they cannot be renamed.
    """
    segments = [Path(str(error.where)) for error in damaged]
    for segment in segments:
        _set_aside(segment)
    return segments


def _set_aside(segment: Path) -> None:
    """Rename a segment's two files: first the rows, which make it visible."""
    try:
        for path in (segment.with_suffix(ROWS_SUFFIX), segment):
            with contextlib.suppress(FileNotFoundError):  # somebody else has renamed it
                aside = path.replace(path.with_name(f"{path.name}{DAMAGED_SUFFIX}"))
                os.utime(aside)  # its day begins now
    except OSError as error:
        raise_shortage(error, segment)
        raise StoreError(
            "The recording store is damaged, and what is damaged cannot be set aside.",
            where=segment,
            expected="a store that may be written to",
            actual=error.strerror or error,
            remedy="Choose another folder with --cache, or ask its owner to run the same command.",
        ) from error
