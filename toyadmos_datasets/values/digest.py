"""The hash of a column's values, however Arrow lays them out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def column_digest(column: pa.ChunkedArray, kind: pa.DataType) -> bytes:
    """Hash the values of a column.

    Its parts are hashed apart, each as one stream over all chunks: whether each value is there (a byte each),
    then numbers as little-endian bytes, zero where there is none; or the lengths of texts and their bytes; or
    the lengths of lists and the parts of what they hold. So the hash follows from the values alone.

    Args:
        column: Numbers, texts, or lists of texts.
        kind: What the values are read as; a dictionary's values count, not their numbers.
    """
    digest = hashlib.sha256()
    for part in _parts_of(kind):
        stream = hashlib.sha256()
        for chunk in column.chunks:
            stream.update(part(chunk if chunk.type == kind else chunk.cast(kind)))
        digest.update(stream.digest())
    return digest.digest()


def _parts_of(kind: pa.DataType) -> Iterator[Callable[[pa.Array], memoryview]]:
    yield _presence
    if pa.types.is_list(kind):
        yield _lengths
        for part in _parts_of(kind.value_type):
            yield lambda chunk, part=part: part(chunk.flatten())  # type: ignore[misc]  # bound at once
    elif pa.types.is_string(kind):
        yield _lengths
        yield _texts
    else:
        yield _numbers


def _presence(chunk: pa.Array) -> memoryview:
    return memoryview(pc.is_valid(chunk).to_numpy(zero_copy_only=False).astype(np.uint8))


def _numbers(chunk: pa.Array) -> memoryview:
    values = (chunk.fill_null(0) if chunk.null_count else chunk).to_numpy(zero_copy_only=False)
    return memoryview(values.astype(values.dtype.newbyteorder("<"), copy=False)).cast("B")


def _lengths(chunk: pa.Array) -> memoryview:
    length_of = pc.binary_length if pa.types.is_string(chunk.type) else pc.list_value_length
    lengths = pc.fill_null(length_of(chunk), 0).to_numpy(zero_copy_only=False)
    return memoryview(lengths.astype("<i4")).cast("B")


def _texts(chunk: pa.Array) -> memoryview:
    """Return the bytes of all texts, one after the other; a null has none."""
    if not len(chunk):
        return memoryview(b"")
    whole = chunk.fill_null("") if chunk.null_count else chunk
    _, offsets, data = whole.buffers()
    bounds: npt.NDArray[np.int32] = np.frombuffer(offsets, dtype=np.int32)[whole.offset : whole.offset + len(whole) + 1]
    return memoryview(data or b"")[bounds[0] : bounds[-1]]
