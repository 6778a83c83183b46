"""The recordings: what was ingested, as raw int16 in Arrow IPC segments that are read by memory map.

A store is a folder. Each segment is two files: `<name>.arrow` has the samples, a record batch a
recording; `<name>.rows.arrow` has what is known of each and is written last, so that a segment is
there when its rows are. A segment is called as the SHA-256 of its rows' file, in which a random
number stands, because several processes may add to one store.

Nothing in a store is believed, because disks rot and others may share it: rows are compared with
the name before they are parsed, samples with the CRC32 that their row has before they are used. The
samples' file is never parsed: the rows say at which byte a recording begins.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import mmap
import os
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import OutputError, StoreError
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
        pa.field("first_byte", pa.int64(), nullable=False),
    ]
)
"""What a segment says of each recording: `first_byte` is where its samples begin in the samples' file, and `batch`
its record batch there, for people who open that file with Arrow."""

CATALOGUE_SCHEMA = ROWS_SCHEMA.append(pa.field("segment", pa.string(), nullable=False))
"""Rows of all segments with the path of the samples' file."""

_SAMPLES_SCHEMA = pa.schema([pa.field("samples", pa.list_(pa.int16()), nullable=False)])
ROWS_SUFFIX = ".rows.arrow"
DAMAGED_SUFFIX = ".damaged"
"""Stands behind the names of files that were set aside; after a day they are removed."""

_RELEASE_AFTER_BYTES: Bytes = 8_000_000

MAX_ROWS_BYTES: Bytes = 1 << 27
"""A hundred times what the rows of a full segment take."""

_SAMPLE = np.dtype("<i2")
_SAMPLE_BYTES: Bytes = _SAMPLE.itemsize

_ALIGNMENT: Bytes = 8
"""Arrow pads every buffer of a record batch to a multiple of this."""

_COMPARED_AT_ONCE: Bytes = 1 << 20

_REMEMBERED_RECORDINGS = 1 << 14
"""For how many recordings a process remembers that they are as they were ingested: all noise and a few MB."""


class SegmentWriter:
    """Writes one segment; it becomes visible at `commit` and leaves nothing behind at `discard`.

    Raises:
        OutputError: The disk does not take it.
        StoreError: The folder or what was written vanished meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = temporary_path(folder)
        self._rows: list[dict[str, Any]] = []
        self.n_bytes: Bytes = 0
        with _writing_into(folder):
            folder.mkdir(parents=True, exist_ok=True)
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
        with _writing_into(self._folder):
            self._writer.write_batch(pa.record_batch([column], schema=_SAMPLES_SCHEMA))
            end = self._file.tell()
        known = {
            "n_samples": len(samples),
            "samples_crc32": zlib.crc32(samples.data),
            "batch": len(self._rows),
            "first_byte": end - -(-samples.nbytes // _ALIGNMENT) * _ALIGNMENT,  # the samples are a batch's last buffer
        }
        self._rows.append(known | row)
        self.n_bytes += samples.nbytes

    def commit(self) -> None:
        """Make the segment visible, durably; a segment without recordings leaves nothing."""
        if not self._rows:
            self.discard()
            return
        with _writing_into(self._folder):
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            content = self._rows_content(n_file_bytes=self._file.tell())
            self._file.close()
            name = hashlib.sha256(content).hexdigest()
            self._temporary.replace(self._folder / f"{name}.arrow")
            sync_folder(self._folder)
            with write_file(self._folder / f"{name}{ROWS_SUFFIX}") as file:
                file.write(content)

    def _rows_content(self, *, n_file_bytes: Bytes) -> bytes:
        facts = {"n_file_bytes": str(n_file_bytes), "segment": uuid.uuid4().hex}
        schema = ROWS_SCHEMA.with_metadata(facts)
        buffer = io.BytesIO()
        with pa.ipc.new_file(buffer, schema) as writer:
            writer.write_table(pa.Table.from_pylist(self._rows, schema=schema))
        return buffer.getvalue()

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing_into(folder: Path) -> Iterator[None]:
    """Explain an OSError inside the block; what is gone was removed by somebody, and can be written again."""
    try:
        with writing(folder):
            yield
    except OutputError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise StoreError(
            "The recording store vanished while it was written to.",
            where=folder,
            expected="a folder that stays",
            actual="removed by another program",
            remedy="Run the same command again.",
        ) from error


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

    Segments whose rows are not what they were, or whose samples are missing or shorter than these say, are left out:
    they are ingested again.
    """
    tables = []
    for path in rows_files(folder):
        rows = _read_rows(path)
        if rows is not None:
            segment = pa.array([str(samples_file(path))] * len(rows))
            tables.append(rows.append_column(CATALOGUE_SCHEMA.field("segment"), segment))
    if not tables:
        return CATALOGUE_SCHEMA.empty_table()
    catalogue = pa.concat_tables(tables).sort_by("recording_id").combine_chunks()
    ids = catalogue["recording_id"].to_numpy(zero_copy_only=False)
    first = np.append(True, ids[1:] != ids[:-1])  # two processes may both have ingested a recording
    return catalogue.filter(pa.array(first))


def rows_files(folder: Path) -> list[Path]:
    """Return the files that have the rows of a store's segments.

    Raises:
        DatasetError: The system does not let us look there.
    """
    with looking(folder):
        return sorted(folder.glob(f"*{ROWS_SUFFIX}"))


def samples_file(rows: Path) -> Path:
    """Return the file that has the samples of the segment whose rows are in another."""
    return rows.with_name(f"{rows.name.removesuffix(ROWS_SUFFIX)}.arrow")


def require_stored(catalogue: pa.Table, recording_ids: Sequence[str]) -> pa.Table:
    """Return the catalogue, which has all of these recordings.

    Raises:
        StoreError: It lacks some that were there before.
    """
    wanted = pa.array(recording_ids, pa.string())
    lost = wanted.filter(pc.invert(pc.is_in(wanted, value_set=catalogue["recording_id"])))
    if len(lost):
        raise StoreError(
            "The recording store has lost recordings that were in it.",
            where=lost[0].as_py(),
            expected="an ingested recording",
            actual=f"{len(lost)} that are gone",
            remedy="Run the same command again: they are ingested again.",
        )
    return catalogue


def needed_to_read(catalogue: pa.Table) -> pa.Table:
    """Return the columns that `RecordingReader` needs, in few bytes: for tasks that travel."""
    columns = catalogue.select(["recording_id", "segment", "first_byte", "n_samples", "samples_crc32"])
    return columns.set_column(1, "segment", pc.dictionary_encode(columns["segment"]))


def remove_abandoned(folder: Path) -> None:
    """Remove what nobody needs in a store: temporary files of dead writers, samples without rows, what was set aside.

    Samples without rows may be a living writer's that is just writing them; after a day they are not. What cannot be
    removed stays: a store that may not be written to can be read all the same.
    """
    remove_leftovers(folder)
    orphans = [
        path
        for path in folder.glob("*.arrow")
        if not path.name.endswith(ROWS_SUFFIX) and not path.with_suffix(ROWS_SUFFIX).exists()
    ]
    for path in (*orphans, *folder.glob(f"*{DAMAGED_SUFFIX}")):
        if is_stale(path):
            with contextlib.suppress(OSError):
                path.unlink()


def is_whole(rows: Path) -> bool:
    """Whether a segment's rows are what they were, and its samples' file has the size that these say.

    Raises:
        OSError: The system does not let us look, which says nothing about the segment.
    """
    try:
        return _parsed_rows(rows) is not None
    except FileNotFoundError:
        return False


def _read_rows(path: Path) -> pa.Table | None:
    try:
        return _parsed_rows(path)
    except OSError:
        return None


def _parsed_rows(path: Path) -> pa.Table | None:
    """Return the rows of a segment; None if they or the size of the samples' file are not what they were."""
    with path.open("rb") as file:
        content = file.read(MAX_ROWS_BYTES + 1)
    if hashlib.sha256(content).hexdigest() != path.name.removesuffix(ROWS_SUFFIX):
        return None
    try:
        rows = pa.ipc.open_file(pa.BufferReader(content)).read_all()
        promised = int((rows.schema.metadata or {})[b"n_file_bytes"])
        rows = rows.cast(ROWS_SCHEMA)
        rows.validate(full=True)
    except (pa.ArrowException, KeyError, ValueError):
        return None
    n_file_bytes = samples_file(path).stat().st_size
    first, n_samples = (rows[name].to_numpy() for name in ("first_byte", "n_samples"))
    is_inside = (first >= 0) & (n_samples >= 0) & (n_samples <= (promised - first) // _SAMPLE_BYTES)
    return rows if n_file_bytes == promised and is_inside.all() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the samples of a recording are, and what they are.

    Attributes:
        segment: Path of the samples' file.
        first_byte: Where they begin in it.
        n_samples: How many they are.
        samples_crc32: Their checksum.
    """

    segment: str
    first_byte: Bytes
    n_samples: int
    samples_crc32: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileIdentity:
    """What changes when a file is replaced or written to."""

    inode: int
    n_bytes: Bytes
    modified_ns: int


@functools.lru_cache(_REMEMBERED_RECORDINGS)
def _require_as_ingested(place: _Place, identity: _FileIdentity) -> None:
    """Compare samples with their CRC32, once a process as long as the file is the same.

    They are read, not mapped, so that a disk that cannot read them is an error and not a signal.

    Raises:
        OSError: They cannot be read.
        ValueError: They are not what was ingested; with the reason.
    """
    with Path(place.segment).open("rb", buffering=0) as file:
        if _identity_of(file.fileno()) != identity:
            raise ValueError("another file under the same name")
        file.seek(place.first_byte)
        left, crc32 = place.n_samples * _SAMPLE_BYTES, 0
        buffer = memoryview(bytearray(min(left, _COMPARED_AT_ONCE)))
        while left:
            n = file.readinto(buffer[: min(left, len(buffer))])
            if not n:
                raise ValueError("a file that ends too early")
            crc32 = zlib.crc32(buffer[:n], crc32)
            left -= n
    if crc32 != place.samples_crc32:
        raise ValueError("samples with another CRC32")


def _identity_of(descriptor: int) -> _FileIdentity:
    facts = os.fstat(descriptor)
    return _FileIdentity(inode=facts.st_ino, n_bytes=facts.st_size, modified_ns=facts.st_mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """A samples' file that is open.

    Attributes:
        content: Its bytes, mapped.
        identity: Which file it is.
    """

    content: mmap.mmap
    identity: _FileIdentity


@dataclass(slots=True)
class RecordingReader:
    """Reads samples of catalogued recordings by memory map, each compared with its checksum once a process.

    Maps are let go after `_RELEASE_AFTER_BYTES` were read through them, so that a long walk over a store
    does not keep all of it in the resident memory of the process.

    Args:
        catalogue: Rows of `read_catalogue`, all or those that are needed, whole or by `needed_to_read`.
    """

    catalogue: pa.Table
    _places: dict[str, _Place] = field(init=False)
    _segments: dict[str, _Segment] = field(init=False, default_factory=dict)
    _n_read_bytes: Bytes = field(init=False, default=0)

    def __post_init__(self) -> None:
        names = [one.name for one in fields(_Place)]
        columns = [self.catalogue[name].to_pylist() for name in ("recording_id", *names)]
        self._places = {
            recording_id: _Place(**dict(zip(names, place, strict=True)))
            for recording_id, *place in zip(*columns, strict=True)
        }

    def samples(self, recording_id: str) -> npt.NDArray[np.int16]:
        """Return a whole recording as a read-only view, shape (n_samples,).

        Raises:
            KeyError: The recording is not in the catalogue.
            StoreError: The store was damaged since it was written.
        """
        values = self._compared(recording_id)
        self._count(values.nbytes)
        return values

    def stretch(self, recording_id: str, start: int, n_samples: int) -> npt.NDArray[np.int16]:
        """Return `n_samples` of a recording from `start` on, shape (n_samples,).

        Raises:
            KeyError: The recording is not in the catalogue.
            StoreError: The store was damaged since it was written, at whatever place of this recording.
        """
        stretch = self._compared(recording_id)[start : start + n_samples]
        self._count(stretch.nbytes)
        return stretch

    def _compared(self, recording_id: str) -> npt.NDArray[np.int16]:
        place = self._places[recording_id]
        try:
            segment = self._open(place.segment)
            _require_as_ingested(place, segment.identity)
            return np.frombuffer(segment.content, _SAMPLE, count=place.n_samples, offset=place.first_byte)
        except (OSError, ValueError) as error:
            raise _damaged(place.segment, recording_id, str(error)) from error

    def _count(self, n_bytes: int) -> None:
        self._n_read_bytes += n_bytes
        if self._n_read_bytes > _RELEASE_AFTER_BYTES:
            self._segments.clear()
            self._n_read_bytes = 0

    def _open(self, segment: str) -> _Segment:
        if segment not in self._segments:
            with Path(segment).open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self._segments[segment] = _Segment(content=content, identity=_identity_of(file.fileno()))
        return self._segments[segment]


def _damaged(segment: str, recording_id: str, actual: str) -> StoreError:
    return StoreError(
        f"The recording store is damaged at {recording_id}.",
        where=segment,
        expected="the samples as they were ingested",
        actual=actual,
        remedy=f"Remove the file and run the same command again: rm {segment!r}",
    )
