"""A column of clips, put together from where each of them lies in its shard; no clip is copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Where each clip of a column is, arrays of shape (n_rows,).

    Attributes:
        shard: Number of its shard.
        start: Its first byte there.
        length: How many bytes it has; 0 where there is no clip.
    """

    shard: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]


def spans_in(column: pa.ChunkedArray) -> Spans:
    """Return where the clips of a column are.

    Args:
        column: Structs of shard, start, length (null where there is no clip) and path.
    """
    return Spans(
        shard=_values(column, "shard", np.int32),
        start=_values(column, "start", np.int64),
        length=_values(column, "length", np.int64),
    )


def _values(column: pa.ChunkedArray, name: str, dtype: type[np.integer[Any]]) -> npt.NDArray[Any]:
    """Return a field of a column as an array; 0 stands for null."""
    parts = [pc.fill_null(chunk.field(name), 0).to_numpy() for chunk in column.chunks]
    return np.concatenate([*parts, np.empty(0, dtype)])


def _bounds(spans: Spans, n_rows: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return where runs of clips that follow each other in a shard begin, and where the last ends.

    Args:
        spans: Where the clips are.
        n_rows: Rows of the pieces that they are kept in, none of which a run crosses.
    """
    follows = (spans.shard[1:] == spans.shard[:-1]) & (spans.start[1:] == spans.start[:-1] + spans.length[:-1])
    return np.unique(np.concatenate([[0], np.flatnonzero(~follows) + 1, np.cumsum(n_rows, dtype=np.int64)]))


def clips_in(kept: pa.ChunkedArray, shards: Sequence[pa.Buffer]) -> pa.ChunkedArray:
    """Put a column together: its bytes as they lie in the shards, a piece for each run of clips that follow each other.

    The offsets of all pieces are made at once. Each counts from the first byte of its piece, and a piece of n clips
    has n + 1 of them.
    """
    spans = spans_in(kept)
    bounds = _bounds(spans, [len(chunk) for chunk in kept.chunks])
    first, last, counts = bounds[:-1], bounds[1:] - 1, np.diff(bounds)
    numbers = np.arange(len(counts))
    begins = spans.start[first]
    sizes = spans.start[last] + spans.length[last] - begins
    offsets = np.empty(len(spans.start) + len(counts), np.int32)
    offsets[np.arange(len(spans.start)) + np.repeat(numbers, counts)] = spans.start - np.repeat(begins, counts)
    offsets[bounds[1:] + numbers] = sizes
    facts = zip(counts.tolist(), spans.shard[first].tolist(), begins.tolist(), sizes.tolist(), strict=True)
    shared, at, pieces = pa.py_buffer(offsets), 0, []
    for piece, (n, shard, begin, size) in zip(_cut(kept, counts.tolist()), facts, strict=True):
        of_piece = shared.slice(at * offsets.itemsize, (n + 1) * offsets.itemsize)
        pieces.append(_piece(piece, of_piece, shards[shard].slice(begin, size)))
        at += n + 1
    return pa.chunked_array(pieces, _CLIP)


_CLIP = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _cut(column: pa.ChunkedArray, counts: Sequence[int]) -> Iterator[pa.StructArray]:
    """Cut a column into pieces, none of which crosses one of its own."""
    chunks, at = iter(column.chunks), 0
    chunk: pa.StructArray = None
    for n in counts:
        while chunk is None or at == len(chunk):
            chunk, at = next(chunks), 0
        yield chunk.slice(at, n)
        at += n


def _piece(kept: pa.StructArray, offsets: pa.Buffer, data: pa.Buffer) -> pa.StructArray:
    lengths = kept.field("length")
    validity = pc.is_valid(lengths).buffers()[1] if lengths.null_count else None
    clips = pa.Array.from_buffers(pa.binary(), len(kept), [validity, offsets, data])
    mask = pc.is_null(kept) if kept.null_count else None
    return pa.StructArray.from_arrays([clips, kept.field("path")], names=["bytes", "path"], mask=mask)
