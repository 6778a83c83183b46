"""The recordings: what was ingested, as raw int16 in Arrow IPC segments that are read by memory map.

A store is a folder. Each segment is two files: `<name>.arrow` has the samples, a record batch a
recording; `<name>.rows.arrow` has what is known of each and is written last, so that a segment is
there when its rows are. Segments have random names, because several processes may add to one store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import sync_folder, write_file, writing
from toyadmos_datasets.files.leftovers import is_stale, remove_leftovers, temporary_path
from toyadmos_datasets.files.looking import looking
from toyadmos_datasets.units import Bytes

SEGMENT_BYTES: Bytes = 256_000_000
"""A segment is closed when its samples exceed this size."""

ROWS_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("n_samples", pa.int64(), nullable=False),
        pa.field("level_db", pa.float64(), nullable=False),
        pa.field("active_level_db", pa.float64(), nullable=False),
        pa.field("active_share", pa.float64(), nullable=False),
        pa.field("peak", pa.float64(), nullable=False),
        pa.field("flags", pa.list_(pa.string()), nullable=False),
        pa.field("source_crc32", pa.uint32(), nullable=False),
        pa.field("samples_crc32", pa.uint32(), nullable=False),
        pa.field("batch", pa.int32(), nullable=False),
    ]
)
"""What a segment says of each recording: `batch` is its record batch in the samples' file."""

CATALOGUE_SCHEMA = ROWS_SCHEMA.append(pa.field("segment", pa.string(), nullable=False))
"""Rows of all segments with the path of the samples' file."""

_SAMPLES_SCHEMA = pa.schema([pa.field("samples", pa.list_(pa.int16()), nullable=False)])
_ROWS_SUFFIX = ".rows.arrow"
_RELEASE_AFTER_BYTES: Bytes = 8_000_000


class SegmentWriter:
    """Writes one segment; it becomes visible at `commit` and leaves nothing behind at `discard`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._final = folder / f"{uuid.uuid4().hex}.arrow"
        self._temporary = temporary_path(folder)
        self._rows: list[dict[str, Any]] = []
        self.n_bytes: Bytes = 0
        with writing(self._final):
            self._file = self._temporary.open("wb")
            self._writer = pa.ipc.new_file(self._file, _SAMPLES_SCHEMA)

    @property
    def is_full(self) -> bool:
        """Whether the segment has grown past `SEGMENT_BYTES`."""
        return self.n_bytes >= SEGMENT_BYTES

    def add(self, samples: npt.NDArray[np.int16], **row: object) -> None:
        """Append a recording.

        Args:
            samples: Mono recording, shape (n_samples,).
            row: The columns of `ROWS_SCHEMA` that do not follow from the samples' place or bytes.
        """
        offsets = pa.array([0, len(samples)], pa.int32())
        column = pa.ListArray.from_arrays(offsets, pa.array(samples, pa.int16()))
        with writing(self._final):
            self._writer.write_batch(pa.record_batch([column], schema=_SAMPLES_SCHEMA))
        known = {"n_samples": len(samples), "samples_crc32": zlib.crc32(samples.data), "batch": len(self._rows)}
        self._rows.append(known | row)
        self.n_bytes += samples.nbytes

    def commit(self) -> None:
        """Make the segment visible, durably; a segment without recordings leaves nothing."""
        if not self._rows:
            self.discard()
            return
        with writing(self._final):
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            n_file_bytes = self._file.tell()
            self._file.close()
            self._temporary.replace(self._final)
            sync_folder(self._final.parent)
        schema = ROWS_SCHEMA.with_metadata({"n_file_bytes": str(n_file_bytes)})
        with write_file(self._final.with_suffix(_ROWS_SUFFIX)) as file, pa.ipc.new_file(file, schema) as writer:
            writer.write_table(pa.Table.from_pylist(self._rows, schema=schema))

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def crc32s_sha256(catalogue: pa.Table, column: str) -> str:
    """Hash a column of checksums with the recordings that they are of; the store's layout does not matter.

    Args:
        catalogue: As `read_catalogue` returns it, or some of its rows.
        column: ``source_crc32`` for the files as published, ``samples_crc32`` for what was made of them.
    """
    rows = catalogue.select(["recording_id", column]).sort_by("recording_id").to_pydict()
    text = "".join(f"{name} {crc32:08x}\n" for name, crc32 in zip(rows["recording_id"], rows[column], strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


def recording_hashes(catalogue: pa.Table) -> list[str]:
    """Return what tells the content of each recording from any other: both checksums and the length, in hex.

    One CRC32 alone collides among the 85 000 files of a toy.
    """
    names = ("source_crc32", "samples_crc32", "n_samples")
    rows = zip(*(catalogue[name].to_pylist() for name in names), strict=True)
    return [f"{source:08x}{samples:08x}{n_samples:x}" for source, samples, n_samples in rows]


def read_catalogue(folder: Path) -> pa.Table:
    """Return what a store holds, with `CATALOGUE_SCHEMA`, a row a recording, sorted by recording_id.

    Segments whose samples are missing or shorter than their rows say are left out: they are ingested again.
    """
    tables = []
    with looking(folder):
        found = sorted(folder.glob(f"*{_ROWS_SUFFIX}"))
    for path in found:
        samples = path.with_name(path.name.removesuffix(_ROWS_SUFFIX) + ".arrow")
        rows = _read_rows(path, samples)
        if rows is not None:
            tables.append(rows.append_column(CATALOGUE_SCHEMA.field("segment"), pa.array([str(samples)] * len(rows))))
    if not tables:
        return CATALOGUE_SCHEMA.empty_table()
    catalogue = pa.concat_tables(tables).sort_by("recording_id").combine_chunks()
    ids = catalogue["recording_id"].to_numpy(zero_copy_only=False)
    first = np.append(True, ids[1:] != ids[:-1])  # two processes may both have ingested a recording
    return catalogue.filter(pa.array(first))


def needed_to_read(catalogue: pa.Table) -> pa.Table:
    """Return the columns that `RecordingReader` needs, in few bytes: for tasks that travel."""
    columns = catalogue.select(["recording_id", "segment", "batch", "n_samples", "samples_crc32"])
    return columns.set_column(1, "segment", pc.dictionary_encode(columns["segment"]))


def remove_abandoned(folder: Path) -> None:
    """Remove what writers that are gone left in a store: temporary files, and samples whose rows never came.

    Samples without rows may be a living writer's that is just writing them; after a day they are not.
    """
    remove_leftovers(folder)
    for samples in folder.glob("*.arrow"):
        is_rows = samples.name.endswith(_ROWS_SUFFIX)
        if not is_rows and not samples.with_suffix(_ROWS_SUFFIX).exists() and is_stale(samples):
            samples.unlink(missing_ok=True)


def _read_rows(path: Path, samples: Path) -> pa.Table | None:
    try:
        with pa.OSFile(str(path)) as file:
            rows = pa.ipc.open_file(file).read_all()
        promised = int((rows.schema.metadata or {})[b"n_file_bytes"])
        return rows.cast(ROWS_SCHEMA) if samples.stat().st_size == promised else None
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None


@dataclass(slots=True)
class RecordingReader:
    """Reads samples of catalogued recordings by memory map.

    Maps are let go after `_RELEASE_AFTER_BYTES` were read through them, so that a long walk over a store
    does not keep all of it in the resident memory of the process.

    Args:
        catalogue: Rows of `read_catalogue`, all or those that are needed, whole or by `needed_to_read`.
    """

    catalogue: pa.Table
    _places: dict[str, tuple[str, int, int, int]] = field(init=False)
    _maps: dict[str, pa.RecordBatchFileReader] = field(init=False, default_factory=dict)
    _checked: set[str] = field(init=False, default_factory=set)
    _n_read_bytes: Bytes = field(init=False, default=0)

    def __post_init__(self) -> None:
        names = ("recording_id", "segment", "batch", "n_samples", "samples_crc32")
        columns = (self.catalogue[name].to_pylist() for name in names)
        self._places = {key: tuple(place) for key, *place in zip(*columns, strict=True)}

    def samples(self, recording_id: str) -> npt.NDArray[np.int16]:
        """Return a whole recording as a read-only view, shape (n_samples,).

        Raises:
            KeyError: The recording is not in the catalogue.
            DatasetError: The store was damaged since it was written.
        """
        segment, batch, n_samples, _ = self._places[recording_id]
        try:
            reader = self._open(segment)
            if not reader.schema.equals(_SAMPLES_SCHEMA):
                raise _damaged(segment, recording_id, "another schema")
            column = reader.get_batch(batch).column(0)
            column.validate(full=True)
            values: npt.NDArray[np.int16] = column.values.to_numpy(zero_copy_only=True)
        except (OSError, pa.ArrowException, IndexError, UnicodeDecodeError) as error:
            raise _damaged(segment, recording_id, str(error)) from error
        if len(values) != n_samples:
            raise _damaged(segment, recording_id, f"{len(values)} samples instead of {n_samples}")
        return values

    def checked_samples(self, recording_id: str) -> npt.NDArray[np.int16]:
        """Return what `samples` does, after comparing its CRC32 with the catalogue's, once a reader."""
        samples = self.samples(recording_id)
        if recording_id not in self._checked:
            segment, *_, promised = self._places[recording_id]
            if zlib.crc32(samples.data) != promised:
                raise _damaged(segment, recording_id, "samples with another CRC32")
            self._checked.add(recording_id)
            self._count(samples.nbytes)
        return samples

    def stretch(self, recording_id: str, start: int, n_samples: int) -> npt.NDArray[np.int16]:
        """Return `n_samples` of a recording from `start` on, shape (n_samples,)."""
        stretch = self.samples(recording_id)[start : start + n_samples]
        self._count(stretch.nbytes)
        return stretch

    def _count(self, n_bytes: int) -> None:
        self._n_read_bytes += n_bytes
        if self._n_read_bytes > _RELEASE_AFTER_BYTES:
            self._maps.clear()
            self._n_read_bytes = 0

    def _open(self, segment: str) -> pa.RecordBatchFileReader:
        if segment not in self._maps:
            self._maps[segment] = pa.ipc.open_file(pa.memory_map(segment))
        return self._maps[segment]


def _damaged(segment: str, recording_id: str, actual: str) -> DatasetError:
    return DatasetError(
        f"The recording store is damaged at {recording_id}.",
        where=segment,
        expected="the samples as they were ingested",
        actual=actual,
        remedy=f"Remove the file and run the same command again: rm {segment!r}",
    )
