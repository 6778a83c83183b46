"""Where the clips of a split lie inside its shards, so that they are read there and kept nowhere a second time.

`toyadmos prepare` writes Parquet without compression, the clips of a row group in one piece: the page's bytes are
the very bytes that an Arrow column needs. What is kept beside them is a small file with everything else: the other
columns, and for each clip its shard, its first byte there and its length. It is made when a split is first loaded,
which is also when every shard is compared with its hash and every clip with what Parquet itself reads there.

A process that opens a split again does no work for each clip: what is kept lies in a few large batches, the offsets of
all clips are made at once, and a piece of a column is put together for each row group.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from xxhash import xxh3_128

from toyadmos_datasets.errors import DatasetError, ToyAdmosError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import canonical_json, checked, parse_json
from toyadmos_datasets.files.reading import raise_system_fault
from toyadmos_datasets.loading.clip_pieces import clips_in, spans_in
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import Shard, check_shard_sizes
from toyadmos_datasets.values.parquet_files import PARQUET_FAULTS, features_in, require_bounded_group, require_rows
from toyadmos_datasets.values.shards import FileState, changed, state_of

PLACES_VERSION = 4
"""Part of the name of the kept file: a change of its format raises it."""

_HEADER = b"toyadmos_places"
_HASH_BYTES = 16
"""Of the XXH3 at the end, over all before it: it finds damage, and each process that opens the file makes it anew."""

_BATCH_ROWS = 1 << 16
"""Rows that are kept in one piece, at least, but at the end: few pieces open fast, and memory holds one."""

_DAMAGED = "What is kept of where clips are is damaged."
_LOAD_AGAIN = "Load the dataset again: a damaged file in the cache is then made again."
_PREPARE_AGAIN = "Prepare the folder again with the same command and --overwrite."


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedShard:
    """A shard as it was when its clips were found.

    Attributes:
        path: Where it is.
        n_bytes: Its size.
        mtime_ns: When it was last changed.
        inode: Its number in the file system.
        sha256: Its hash, as the manifest has it.
    """

    path: str
    n_bytes: Bytes
    mtime_ns: int
    inode: int
    sha256: str

    @property
    def facts(self) -> dict[str, str | int]:
        """What is known of it, as JSON values."""
        return {name: getattr(self, name) for name in PlacedShard.__slots__}

    @property
    def state(self) -> FileState:
        """What must be as it was, for the places to hold."""
        return FileState(n_bytes=self.n_bytes, mtime_ns=self.mtime_ns, inode=self.inode)


def placed(folder: Path, shard: Shard) -> PlacedShard:
    """Return the state of a shard on the disk.

    Raises:
        DatasetError: It is missing or has another size than the manifest says.
    """
    path = folder / shard.path
    try:
        state = state_of(path.stat())
    except OSError:
        state = None
    if state is None or state.n_bytes != shard.n_bytes:
        check_shard_sizes(folder, [shard])  # says what is wrong
        state = state_of(path.stat())
    return PlacedShard(
        path=str(path), n_bytes=state.n_bytes, mtime_ns=state.mtime_ns, inode=state.inode, sha256=shard.sha256
    )


def write_places(shards: Sequence[PlacedShard], path: Path) -> None:
    """Compare shards with their hashes, find their clips, and write where they are.

    Raises:
        DatasetError: A shard was changed, or does not keep the clips of a row group in one piece.
    """
    tables = _in_large_pieces(_kept_of(shards))
    with write_file(path) as file:
        hashed = _HashedFile(file)
        first = next(tables)
        header = {"shards": [one.facts for one in shards], "audio": audio_columns(first.schema, shards[0].path)}
        described = first.schema.with_metadata({**first.schema.metadata, _HEADER: canonical_json(header)})
        with pa.ipc.new_file(hashed, described) as writer:
            for table in itertools.chain([first], tables):
                writer.write_table(table)
        file.write(hashed.digest.digest())


class _HashedFile(io.RawIOBase):
    """Passes written bytes on, and hashes them."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = xxh3_128()
        self._file, self._n_bytes = file, 0

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def tell(self) -> int:
        """Return how many bytes have been written."""
        return self._n_bytes

    def write(self, content: Any) -> int:  # noqa: ANN401  # whatever has bytes
        """Write and hash some bytes."""
        self.digest.update(content)
        self._file.write(content)
        n_bytes = memoryview(content).nbytes
        self._n_bytes += n_bytes
        return n_bytes


def _in_large_pieces(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Join tables to ones of at least `_BATCH_ROWS` rows, but for the last; there is one at least."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= _BATCH_ROWS:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _kept_of(shards: Sequence[PlacedShard]) -> Iterator[pa.Table]:
    """Yield the kept columns of each shard: those without clips, and the positions of the clips in the others."""
    first: pa.Schema | None = None
    for number, shard in enumerate(shards):
        mapped = _map_unchanged(shard)
        _check_hash(mapped, shard)
        with _naming_damage(shard), pq.ParquetFile(pa.BufferReader(mapped)) as parquet:
            require_rows(parquet.metadata, parquet.metadata.num_rows, where=shard.path, remedy=_PREPARE_AGAIN)
            for group in range(parquet.num_row_groups):
                require_bounded_group(parquet, group, where=shard.path, remedy=_PREPARE_AGAIN)
            schema = parquet.schema_arrow
            first = schema if first is None else first
            if schema != first:
                raise pa.ArrowInvalid("other columns than the first shard has")
            audio = audio_columns(schema, shard.path)
            columns = parquet.read(columns=[one for one in schema.names if one not in audio], use_threads=False)
            for name in audio:
                kept = _spans_of(parquet, name, mapped, number, shard)
                columns = columns.add_column(schema.names.index(name), name, kept)
        yield columns.replace_schema_metadata(schema.metadata)


def _spans_of(parquet: pq.ParquetFile, name: str, mapped: pa.Buffer, number: int, shard: PlacedShard) -> pa.StructArray:
    """Return where the clips of a column are: shard, first byte, length (null where there is no clip) and path."""
    (which,) = (
        one for one in range(parquet.metadata.num_columns) if parquet.schema.column(one).path == f"{name}.bytes"
    )
    starts, lengths, paths, masks = [], [], [], []
    for group in range(parquet.num_row_groups):
        column = _joined(parquet.read_row_group(group, columns=[name], use_threads=False)[name])
        clips = column.field("bytes")
        offsets = _offsets(clips)
        chunk = parquet.metadata.row_group(group).column(which)
        starts.append(_start(chunk, clips, mapped, shard) + offsets[:-1].astype(np.int64) - offsets[0])
        lengths.append(pc.binary_length(clips).cast(pa.int64()))
        paths.append(column.field("path"))
        masks.append(pc.is_null(column))
    n_rows = sum(map(len, starts))
    kept = {
        "shard": pa.array(np.full(n_rows, number, np.int32)),
        "start": pa.array(np.concatenate([*starts, np.empty(0, np.int64)])),
        "length": pa.concat_arrays(lengths) if lengths else pa.array([], pa.int64()),
        "path": pa.concat_arrays(paths) if paths else pa.array([], pa.string()),
    }
    mask = pa.concat_arrays(masks) if masks else None
    return pa.StructArray.from_arrays(list(kept.values()), names=list(kept), mask=mask)


@contextlib.contextmanager
def _naming_damage(shard: PlacedShard) -> Iterator[None]:
    """Raise for a shard that prepare did not write although its hash is right: a manifest may come from anybody."""
    try:
        yield
    except ToyAdmosError:
        raise
    except PARQUET_FAULTS as error:
        raise_system_fault(error, shard.path)
        raise DatasetError(
            "A shard is damaged.",
            where=shard.path,
            expected="Parquet as toyadmos prepare writes it",
            actual=f"{type(error).__name__}: {error}",
            remedy=_PREPARE_AGAIN,
        ) from error


def read_places(path: Path) -> pa.Table:
    """Return the rows of a split, with every clip as it lies in its shard, mapped.

    Raises:
        DatasetError: A shard was replaced since, for instance by another preparation.
    """
    rows, header = _opened(path)
    buffers = [_map_unchanged(shard) for shard in header.shards]
    for name in header.audio:
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, clips_in(rows[name], buffers))
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSpans:
    """Where each clip of a split is, for readers of single clips.

    Attributes:
        shards: The mapped shards.
        shard: Number of the shard of each clip, shape (n_rows,).
        start: Its first byte there.
        length: How many bytes it has.
        rows: The other columns; of the clips what is kept of them.
    """

    shards: list[memoryview]
    shard: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    rows: pa.Table


def read_spans(path: Path, column: str = "audio") -> ClipSpans:
    """Return where the clips of a column are.

    Raises:
        DatasetError: A shard was replaced since, for instance by another preparation.
    """
    rows, header = _opened(path)
    kept = spans_in(rows[column])
    shards = [memoryview(_map_unchanged(one)) for one in header.shards]
    return ClipSpans(shards=shards, shard=kept.shard.astype(np.int64), start=kept.start, length=kept.length, rows=rows)


def audio_columns(schema: pa.Schema, where: object) -> list[str]:
    """Return the columns that hold clips, by what the features in the metadata say.

    Raises:
        DatasetError: The features are damaged.
    """
    features = features_in(schema, where=where, remedy=_PREPARE_AGAIN)
    return [name for name in schema.names if features.get(name, {}).get("_type") == "Audio"]


def is_whole(path: Path) -> bool:
    """Whether a file is as `write_places` wrote it."""
    try:
        _content(path)
    except DatasetError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """The file beside the rows.

    Attributes:
        shards: The shards.
        audio: The columns that hold clips.
    """

    shards: tuple[PlacedShard, ...]
    audio: tuple[str, ...]


def _opened(path: Path) -> tuple[pa.Table, _Header]:
    """Open the rows that `write_places` wrote, after comparing it with its hash: a wrong place would be a wrong sound.

    Raises:
        DatasetError: The file is gone or damaged.
    """
    content = _content(path)
    try:
        rows = pa.ipc.open_file(content).read_all()
        told = parse_json(rows.schema.metadata[_HEADER], where=path, remedy=_LOAD_AGAIN)
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
        raise_system_fault(error, path)
        raise error if isinstance(error, DatasetError) else _damaged(path, error) from error
    metadata = {key: value for key, value in rows.schema.metadata.items() if key != _HEADER}
    header = checked(_Header, told, what=_DAMAGED, where=path, remedy=_LOAD_AGAIN)
    return rows.replace_schema_metadata(metadata), header


def _content(path: Path) -> pa.Buffer:
    """Map what `write_places` wrote, without its hash, and compare it with that.

    Raises:
        DatasetError: The file is gone or damaged.
    """
    try:
        mapped, _ = _map(str(path))
    except (OSError, ValueError) as error:
        raise_system_fault(error, path)
        raise _damaged(path, error) from error
    end = max(mapped.size - _HASH_BYTES, 0)
    if xxh3_128(mapped.slice(0, end)).digest() != mapped.slice(end).to_pybytes():
        raise _damaged(path, "content that does not have its hash")
    return mapped.slice(0, end)


def _damaged(path: Path, actual: object) -> DatasetError:
    return DatasetError(_DAMAGED, where=path, expected="the file as it was written", actual=actual, remedy=_LOAD_AGAIN)


def _map(path: str) -> tuple[pa.Buffer, FileState]:
    """Map a file, and return its state; the map outlives a later replacement of the file, and keeps it not open.

    Python's own maps keep a descriptor each, of which a process often has 1024: fewer than a large split has shards.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is empty, or another one took its name meanwhile.
    """
    state = state_of(os.stat(path))  # noqa: PTH116  # the path may have bytes that are no UTF-8
    try:
        with pa.memory_map(path) as file:
            mapped = file.read_buffer()
    except UnicodeEncodeError:  # Arrow opens no such path
        with open(path, "rb") as file:  # noqa: PTH123  # as above
            mapped = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if state_of(os.stat(path)) != state:  # noqa: PTH116  # as above
        raise ValueError("another file took its name")
    return mapped, state


def _map_unchanged(shard: PlacedShard) -> pa.Buffer:
    """Map a shard that is still the one that was looked at."""
    try:
        mapped, state = _map(shard.path)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise_system_fault(error, shard.path)
        raise _replaced(shard, error) from error
    if state != shard.state:
        raise _replaced(shard, "another file")
    return mapped


def _check_hash(mapped: pa.Buffer, shard: PlacedShard) -> None:
    actual = hashlib.sha256(mapped).hexdigest()
    if actual != shard.sha256:
        raise changed(shard.path, shard.sha256, actual)


def _replaced(shard: PlacedShard, actual: object) -> DatasetError:
    return DatasetError(
        "A shard is not the one that was loaded.",
        where=shard.path,
        expected="the same file",
        actual=actual,
        remedy="The folder was prepared anew or moved in the meantime: load it again.",
    )


def _start(chunk: pq.ColumnChunkMetaData, clips: pa.BinaryArray, mapped: pa.Buffer, shard: PlacedShard) -> int:
    """Return where the clips of a row group begin in the file.

    They are the last bytes of the column's only page, if the encoding is the one that `prepare` chooses. That is
    compared with what Parquet reads.
    """
    offsets = _offsets(clips)
    n_bytes = int(offsets[-1]) - int(offsets[0])
    begin = int(chunk.data_page_offset + chunk.total_compressed_size) - n_bytes
    is_same = 0 <= begin <= mapped.size - n_bytes
    if is_same and n_bytes:
        is_same = mapped.slice(begin, n_bytes).equals(clips.buffers()[2].slice(int(offsets[0]), n_bytes))
    if not is_same:
        raise DatasetError(
            "A shard does not keep its clips in one piece.",
            where=shard.path,
            expected="Parquet as toyadmos prepare writes it",
            actual=f"encodings {', '.join(chunk.encodings)}, compression {chunk.compression}",
            remedy="Open it with plain datasets.load_dataset, or prepare the folder again.",
        )
    return begin


def _joined(column: pa.ChunkedArray) -> pa.StructArray:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _offsets(clips: pa.BinaryArray) -> npt.NDArray[np.int32]:
    return np.frombuffer(clips.buffers()[1], np.int32)[clips.offset : clips.offset + len(clips) + 1]
