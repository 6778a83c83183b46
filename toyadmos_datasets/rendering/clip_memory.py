"""Memory that is used again for one clip after the other: new pages cost more than filling them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.values.columns import CLIP_TYPE

_SPARE = 1.25
"""What is too small is made so much larger than it has to be, since clips differ a little in length."""


class Scratch:
    """Arrays of float64 that are used for one clip after the other."""

    __slots__ = ("_arrays",)

    def __init__(self) -> None:
        self._arrays: dict[int, npt.NDArray[np.float64]] = {}

    def floats(self, number: int, n_values: int) -> npt.NDArray[np.float64]:
        """Return an array with room for so many values, of any content, shape (n,); the same for the same number."""
        found = self._arrays.get(number)
        if found is None or len(found) < n_values:
            found = self._arrays[number] = np.empty(int(n_values * _SPARE))
        return found


class ClipColumn:
    """The encoded clips of a row group, one after the other in one piece of memory, as an Arrow column has them."""

    __slots__ = ("_ends", "_memory", "_names")
    _ends: list[int]
    _names: list[str | None]

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)
        self.clear()

    def clear(self) -> None:
        """Begin the next row group in the same memory; what was taken of the last one must be used up."""
        self._ends, self._names = [0], []

    def add(self, parts: Sequence[npt.NDArray[np.uint8]], name: str) -> None:
        """Append a clip.

        Args:
            parts: Its bytes, in parts that follow each other.
            name: What it is called.
        """
        position = self._ends[-1]
        stop = position + sum(len(part) for part in parts)
        if stop > len(self._memory):
            larger = np.empty(int(stop * _SPARE), np.uint8)
            larger[:position] = self._memory[:position]
            self._memory = larger
        for part in parts:
            self._memory[position : position + len(part)] = part
            position += len(part)
        self._ends.append(position)
        self._names.append(name)

    def add_none(self) -> None:
        """Append that there is no clip."""
        self._ends.append(self._ends[-1])
        self._names.append(None)

    def array(self) -> pa.StructArray:
        """Return the column, which is a view of the memory."""
        names = pa.array(self._names, pa.string())
        offsets, memory = pa.py_buffer(np.array(self._ends, np.int32)), pa.py_buffer(self._memory)
        is_there = pc.is_valid(names).buffers()[1] if names.null_count else None
        clips = pa.Array.from_buffers(pa.binary(), len(names), [is_there, offsets, memory])
        mask = pc.is_null(names) if names.null_count else None
        return pa.StructArray.from_arrays([clips, names], fields=list(CLIP_TYPE), mask=mask)
