"""The recording store: ingested recordings as raw int16 in Arrow IPC segments, of which any stretch can be read.

A store is a folder. Each segment is two files: `<name>.arrow` has the samples, a record batch a
recording; `<name>.rows.arrow` has what is known of each and is written last, so that a segment is
there when its rows are. A segment is called as the SHA-256 of its rows' file, in which a random
number stands, because several processes may add to one store.

Nothing in a store is believed, because disks rot and others may share it: rows are compared with
the name before they are parsed, samples with checksums that their row has, one a piece, every time they are
read. The samples' file is never parsed: the rows say at which byte a recording begins.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from toyadmos_datasets.errors import OutputError, StoreError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import (
    is_stale,
    remove_leftovers,
    sync_folder,
    temporary_path,
    write_file,
    writing,
)
from toyadmos_datasets.files.reading import file_errors, raise_system_fault
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
        pa.field("piece_hashes", pa.list_(pa.uint64()), nullable=False),
    ]
)
"""What a segment says of each recording: `first_byte` is where its samples begin in the samples' file, `batch`
its record batch there, for people who open that file with Arrow, and `piece_hashes` has a checksum for each
`PIECE_BYTES` of them."""

CATALOGUE_SCHEMA = ROWS_SCHEMA.append(pa.field("segment", pa.string(), nullable=False))
"""Rows of all segments with the path of the samples' file."""

_SAMPLES_SCHEMA = pa.schema([pa.field("samples", pa.list_(pa.int16()), nullable=False)])
ROWS_SUFFIX = ".rows.arrow"
DAMAGED_SUFFIX = ".damaged"
"""Stands behind the names of files that were set aside; after a day they are removed."""

MAX_ROWS_BYTES: Bytes = 1 << 27
"""A hundred times what the rows of a full segment take."""

_SAMPLE = np.dtype("<i2")
_SAMPLE_BYTES: Bytes = _SAMPLE.itemsize

_ALIGNMENT: Bytes = 8
"""Arrow pads every buffer of a record batch to a multiple of this."""

PIECE_BYTES: Bytes = 1 << 16
"""Two seconds: of ten minutes of noise only what a clip is mixed with is read and compared, and little more.

Their checksum is XXH3, ten times as fast as CRC32: all samples pass through it for every config.
"""


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
        content = samples.data.cast("B")
        known = {
            "n_samples": len(samples),
            "samples_crc32": zlib.crc32(samples.data),
            "batch": len(self._rows),
            "first_byte": end - -(-samples.nbytes // _ALIGNMENT) * _ALIGNMENT,  # the samples are a batch's last buffer
            "piece_hashes": [
                xxh3_64_intdigest(content[at : at + PIECE_BYTES]) for at in range(0, len(content), PIECE_BYTES)
            ],
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
    with file_errors(folder):
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
    columns = catalogue.select(["recording_id", "segment", "first_byte", "n_samples", "piece_hashes"])
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
        ResourceError: There is not enough memory to look.
    """
    try:
        return _parsed_rows(rows) is not None
    except FileNotFoundError:
        return False


def _read_rows(path: Path) -> pa.Table | None:
    try:
        return _parsed_rows(path)
    except OSError as error:
        raise_system_fault(error, path)
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
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise_system_fault(error, path)  # memory may have run out
        return None
    n_file_bytes = samples_file(path).stat().st_size
    first, n_samples = (rows[name].to_numpy() for name in ("first_byte", "n_samples"))
    is_inside = (first >= 0) & (n_samples >= 0) & (n_samples <= (promised - first) // _SAMPLE_BYTES)
    is_covered = pc.list_value_length(rows["piece_hashes"]).to_numpy() == -(-n_samples * _SAMPLE_BYTES // PIECE_BYTES)
    return rows if n_file_bytes == promised and is_inside.all() and is_covered.all() else None


def _compare(content: bytes, hashes: Sequence[int]) -> None:
    """Compare pieces with their checksums.

    Raises:
        ValueError: They are not what was ingested.
    """
    view = memoryview(content)
    for number, promised in enumerate(hashes):
        if xxh3_64_intdigest(view[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]) != promised:
            raise ValueError("samples with another checksum")


@dataclass(slots=True)
class RecordingReader:
    """Reads samples of catalogued recordings, and compares them with their checksums whenever it does.

    They are copied and not mapped, so that nothing else is used than what was compared, and a disk that cannot read
    them is an error and not a signal.

    Args:
        catalogue: Rows of `read_catalogue`, all or those that are needed, whole or by `needed_to_read`.
    """

    catalogue: pa.Table
    _places: dict[str, tuple[int, str, int, int]] = field(init=False)
    _hashes: npt.NDArray[np.uint64] = field(init=False)
    _first_hashes: npt.NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        names = ("recording_id", "segment", "first_byte", "n_samples")
        columns = (self.catalogue[name].to_pylist() for name in names)
        self._places = {key: (row, *place) for row, (key, *place) in enumerate(zip(*columns, strict=True))}
        pieces = self.catalogue["piece_hashes"].combine_chunks()
        self._hashes, self._first_hashes = pieces.values.to_numpy(), pieces.offsets.to_numpy()

    def samples(self, recording_id: str) -> npt.NDArray[np.int16]:
        """Return a whole recording, read-only, shape (n_samples,).

        Raises:
            KeyError: The recording is not in the catalogue.
            StoreError: The store was damaged since it was written.
        """
        return self.stretch(recording_id, 0, self._places[recording_id][3])

    def stretch(self, recording_id: str, start: int, n_samples: int) -> npt.NDArray[np.int16]:
        """Return `n_samples` of a recording from `start` on, or as many as there are, read-only, shape (n_samples,).

        Raises:
            KeyError: The recording is not in the catalogue.
            StoreError: The store was damaged there since it was written.
        """
        row, segment, first_byte, n_in_all = self._places[recording_id]
        stop = min(start + n_samples, n_in_all)
        first_piece = start * _SAMPLE_BYTES // PIECE_BYTES
        stop_piece = -(-stop * _SAMPLE_BYTES // PIECE_BYTES)
        begin, end = first_piece * PIECE_BYTES, min(stop_piece * PIECE_BYTES, n_in_all * _SAMPLE_BYTES)
        of_row = self._first_hashes[row]
        try:
            content = _read(segment, first_byte + begin, end - begin)
            _compare(content, self._hashes[of_row + first_piece : of_row + stop_piece].tolist())
        except (OSError, ValueError) as error:
            raise_system_fault(error, segment)
            raise _damaged(segment, recording_id, str(error)) from error
        samples = np.frombuffer(content, _SAMPLE)
        return samples[start - begin // _SAMPLE_BYTES : stop - begin // _SAMPLE_BYTES]


def _read(segment: str, start: Bytes, n_bytes: Bytes) -> bytes:
    """Read bytes of a samples' file.

    Raises:
        OSError: The system does not give them.
        ValueError: There are not so many.
    """
    with Path(segment).open("rb", buffering=0) as file:
        file.seek(start)
        content = file.read(n_bytes)
    if len(content) != n_bytes:
        raise ValueError("a file that ends too early")
    return content


def _damaged(segment: str, recording_id: str, actual: str) -> StoreError:
    return StoreError(
        f"The recording store is damaged at {recording_id}.",
        where=segment,
        expected="the samples as they were ingested",
        actual=actual,
        remedy=f"Remove the file and run the same command again: rm {shell_word(segment)}",
    )
