"""Where the clips of a split lie inside its shards, so that they are read there and kept nowhere a second time.

`toyadmos prepare` writes Parquet without compression, the clips of a row group in one piece: the page's bytes are
the very bytes that an Arrow column needs. What is kept beside them is a small file with everything else: the other
columns, and for each clip its length. It is made when a split is first loaded, which is also when every shard is
compared with its hash and every clip with what Parquet itself reads there.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError, ToyAdmosError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import Count, canonical_json, checked, parse_json
from toyadmos_datasets.files.reading import raise_system_fault
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import Shard, check_shard_sizes
from toyadmos_datasets.values.parquet_files import PARQUET_FAULTS, features_in, require_bounded_group, require_rows
from toyadmos_datasets.values.shards import FileState, changed, state_of

PLACES_VERSION = 3
"""Part of the name of what is kept: a change of its form raises it."""

_HEADER = b"toyadmos_places"
_HASH_BYTES = 32
"""Of the SHA-256 at the end, over all before it."""

_DAMAGED = "What is kept of where clips are is damaged."
_LOAD_AGAIN = "Load the dataset again: a damaged file in the cache is then made anew."
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
    def state(self) -> FileState:
        """What must be as it was, for the places to hold."""
        return FileState(n_bytes=self.n_bytes, mtime_ns=self.mtime_ns, inode=self.inode)


def placed(folder: Path, shard: Shard) -> PlacedShard:
    """Return how a shard stands on the disk.

    Raises:
        DatasetError: It is missing or has another size than the manifest says.
    """
    check_shard_sizes(folder, [shard])
    path = folder / shard.path
    return PlacedShard(path=str(path), **asdict(state_of(path.stat())), sha256=shard.sha256)


def write_places(shards: Sequence[PlacedShard], path: Path) -> None:
    """Compare shards with their hashes, find their clips, and write where they are.

    Raises:
        DatasetError: A shard was changed, or does not keep the clips of a row group in one piece.
    """
    schema = pa.schema([])
    audio: list[str] = []
    groups: list[list[Any]] = []
    batches: list[pa.RecordBatch] = []
    for number, shard in enumerate(shards):
        mapped = _map_unchanged(shard)
        _check_hash(mapped, shard)
        with _naming_damage(shard), pq.ParquetFile(pa.BufferReader(mapped)) as parquet:
            require_rows(parquet.metadata, parquet.metadata.num_rows, where=shard.path, remedy=_PREPARE_AGAIN)
            schema = parquet.schema_arrow
            audio = audio_columns(schema, shard.path)
            for group in range(parquet.num_row_groups):
                require_bounded_group(parquet, group, where=shard.path, remedy=_PREPARE_AGAIN)
                table = parquet.read_row_group(group).combine_chunks()
                starts = [_start(_chunk(parquet, group, name), table[name], mapped, shard) for name in audio]
                groups.append([number, starts])
                batches.append(_without_clips(table, audio))
    header = {"shards": [asdict(shard) for shard in shards], "groups": groups, "audio": audio}
    described = batches[0].schema.with_metadata({**(schema.metadata or {}), _HEADER: canonical_json(header)})
    content = pa.BufferOutputStream()
    with pa.ipc.new_file(content, described) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(described.metadata))
    whole = content.getvalue()
    with write_file(path) as file:
        file.write(whole)
        file.write(hashlib.sha256(whole).digest())


@contextlib.contextmanager
def _naming_damage(shard: PlacedShard) -> Iterator[None]:
    """Name a shard that is not what prepare writes although it has its hash: the manifest may be anybody's."""
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
    reader, header = _opened(path)
    metadata = {key: value for key, value in reader.schema.metadata.items() if key != _HEADER}
    buffers = [pa.py_buffer(_map_unchanged(shard)) for shard in header.shards]
    batches = []
    for number, (shard, starts) in enumerate(header.groups):
        batch = reader.get_batch(number)
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, start in zip(header.audio, starts, strict=True):
            columns[name] = _clips(columns[name], buffers[shard], start)
        batches.append(pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)))
    return pa.Table.from_batches(batches).replace_schema_metadata(metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSpans:
    """Where each clip of a split is, for readers of single clips.

    Attributes:
        shards: The mapped shards.
        shard: Number of the shard of each clip, shape (n_rows,).
        start: Its first byte there.
        length: How many bytes it has.
        rows: The other columns; of the clips their lengths and paths.
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
    reader, header = _opened(path)
    rows = reader.read_all()
    length = pc.fill_null(pc.struct_field(rows[column], "length"), 0).to_numpy()
    which = header.audio.index(column)
    shard, start = np.empty_like(length), np.empty_like(length)
    at = 0
    for number, (of_group, starts) in enumerate(header.groups):
        end = at + reader.get_batch(number).num_rows
        shard[at:end] = of_group
        start[at:end] = starts[which] + np.cumsum(length[at:end]) - length[at:end]
        at = end
    shards = [memoryview(_map_unchanged(one)) for one in header.shards]
    return ClipSpans(shards=shards, shard=shard, start=start, length=length, rows=rows)


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
        _opened(path)
    except DatasetError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What stands beside the rows.

    Attributes:
        shards: The shards.
        groups: Of each row group the number of its shard, and where the clips of each column begin there.
        audio: The columns that hold clips.
    """

    shards: tuple[PlacedShard, ...]
    groups: tuple[tuple[Count, tuple[Count, ...]], ...]
    audio: tuple[str, ...]


def _opened(path: Path) -> tuple[pa.ipc.RecordBatchFileReader, _Header]:
    """Open what `write_places` wrote, after comparing it with its hash: a wrong place would be a wrong sound.

    Raises:
        DatasetError: The file is gone or damaged.
    """
    try:
        mapped = pa.py_buffer(_map(str(path))[0])
        end = max(mapped.size - _HASH_BYTES, 0)
        if hashlib.sha256(mapped.slice(0, end)).digest() != mapped.slice(end).to_pybytes():
            raise _damaged(path, "content that does not have its hash")
        reader = pa.ipc.open_file(mapped.slice(0, end))
        content = parse_json(reader.schema.metadata[_HEADER], where=path, remedy=_LOAD_AGAIN)
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
        raise_system_fault(error, path)
        raise error if isinstance(error, DatasetError) else _damaged(path, error) from error
    return reader, checked(_Header, content, what=_DAMAGED, where=path, remedy=_LOAD_AGAIN)


def _damaged(path: Path, actual: object) -> DatasetError:
    return DatasetError(_DAMAGED, where=path, expected="the file as it was written", actual=actual, remedy=_LOAD_AGAIN)


def _map(path: str) -> tuple[mmap.mmap, FileState]:
    """Map a file, and return its state; the map outlives a later replacement of the file."""
    with open(path, "rb") as file:  # noqa: PTH123  # the path may have bytes that are no UTF-8
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return mapped, state_of(os.fstat(file.fileno()))


def _map_unchanged(shard: PlacedShard) -> mmap.mmap:
    """Map a shard that is still the one that was looked at."""
    try:
        mapped, state = _map(shard.path)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise_system_fault(error, shard.path)
        raise _replaced(shard, error) from error
    if state != shard.state:
        raise _replaced(shard, "another file")
    return mapped


def _check_hash(mapped: mmap.mmap, shard: PlacedShard) -> None:
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


def _chunk(parquet: pq.ParquetFile, group: int, name: str) -> pq.ColumnChunkMetaData:
    """Return what Parquet says of the bytes of an audio column in a row group."""
    row_group = parquet.metadata.row_group(group)
    chunks = (row_group.column(number) for number in range(row_group.num_columns))
    return next(one for one in chunks if one.path_in_schema == f"{name}.bytes")


def _start(chunk: pq.ColumnChunkMetaData, column: pa.ChunkedArray, mapped: mmap.mmap, shard: PlacedShard) -> int:
    """Return where the clips of a row group begin in the file.

    They are the last bytes of the column's only page, if the encoding is the one that `prepare` chooses. That is
    compared with what Parquet reads.
    """
    clips = _joined(column).field("bytes")
    first, last = _bounds(clips)
    end = int(chunk.data_page_offset + chunk.total_compressed_size)
    begin = end - (last - first)
    found = memoryview(mapped)[max(begin, 0) : end]
    if last > first and found != memoryview(clips.buffers()[2]).cast("B")[first:last]:
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


def _bounds(clips: pa.BinaryArray) -> tuple[int, int]:
    offsets = np.frombuffer(clips.buffers()[1], np.int32)[clips.offset : clips.offset + len(clips) + 1]
    return int(offsets[0]), int(offsets[-1])


def _without_clips(table: pa.Table, audio: Sequence[str]) -> pa.RecordBatch:
    columns = {name: _joined(table[name]) for name in table.column_names}
    for name in audio:
        lengths = pc.binary_length(columns[name].field("bytes")).cast(pa.int64())
        columns[name] = pa.StructArray.from_arrays(
            [lengths, columns[name].field("path")], names=["length", "path"], mask=pc.is_null(columns[name])
        )
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _clips(kept: pa.StructArray, shard: pa.Buffer, start: int) -> pa.StructArray:
    """Put the clips of a row group together: offsets made of their lengths, bytes as they lie in the shard."""
    lengths = kept.field("length")
    offsets = np.zeros(len(kept) + 1, np.int32)
    np.cumsum(pc.fill_null(lengths, 0).to_numpy(), out=offsets[1:])
    validity = pc.is_valid(lengths).buffers()[1] if lengths.null_count else None
    data = shard.slice(start, int(offsets[-1]))
    clips = pa.Array.from_buffers(pa.binary(), len(kept), [validity, pa.py_buffer(offsets), data])
    return pa.StructArray.from_arrays(
        [clips, kept.field("path")], names=["bytes", "path"], mask=pc.is_null(kept) if kept.null_count else None
    )
