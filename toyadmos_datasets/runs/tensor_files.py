"""Named arrays in safetensors: written whole, and read back only if hash, names, shapes and types are as known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.reading import raise_system_fault
from toyadmos_datasets.units import Bytes

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Kinds: TypeAlias = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape and type of each array, by name."""

_HEADER_BYTES: Bytes = 1 << 20
"""Of a safetensors file: a line of about 100 bytes for each of at most a thousand tensors, and a margin."""


def write_tensors(path: Path, tensors: Arrays) -> None:
    """Write tensors atomically."""
    with write_file(path) as file:
        file.write(packed(tensors))


def packed(tensors: Arrays) -> bytes:
    """Return the bytes that `write_tensors` writes; equal tensors give equal bytes."""
    content: bytes = save({name: np.asarray(one, order="C") for name, one in tensors.items()})
    return content


def read_tensors(path: Path, sha256: str, most: Bytes) -> dict[str, npt.NDArray[Any]]:
    """Read tensors of which a hash is known.

    Args:
        path: The file.
        sha256: Of its bytes.
        most: What all tensors together can take; a larger file is not read.

    Raises:
        DatasetError: The file is missing, too large, or not the one with that hash.
    """
    try:
        n_bytes = path.stat().st_size
        if n_bytes > most + _HEADER_BYTES:
            actual = f"{n_bytes} bytes, more than the model has"
        else:
            content = path.read_bytes()  # by its name, safetensors calls every file absent that it cannot open
            actual = hashlib.sha256(content).hexdigest()
            if actual == sha256:
                found: dict[str, npt.NDArray[Any]] = load(content)
                return found
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise_system_fault(error, path)
        raise damaged_tensors(path, "a safetensors file", error) from error
    raise damaged_tensors(path, f"sha256 {sha256}", actual)


def kinds_of(tensors: Arrays) -> Kinds:
    """Return shapes and types of tensors."""
    return {name: (one.shape, one.dtype.name) for name, one in tensors.items()}


def require_fitting(found: Arrays, expected: Kinds, where: Path) -> None:
    """Raise unless tensors have the names, shapes and types that they should have.

    Raises:
        DatasetError: They have not.
    """
    mine, theirs = kinds_of(found), expected
    if mine != theirs:
        name = min(one for one in mine.keys() | theirs.keys() if mine.get(one) != theirs.get(one))
        raise DatasetError(
            "The weights are of another model.",
            where=where,
            expected=f"{name}: {_described(theirs.get(name))}",
            actual=f"{name}: {_described(mine.get(name))}",
            remedy="Train again into another folder: toyadmos train DIR --config NAME --out RUN",
        )


def _described(kind: tuple[tuple[int, ...], str] | None) -> str:
    return "none" if kind is None else f"shape {kind[0]}, {kind[1]}"


def damaged_tensors(path: Path, expected: str, actual: object) -> DatasetError:
    """Return the error for a file of tensors that is not as it was written."""
    return DatasetError(
        "The weights of the run are damaged.",
        where=path,
        expected=expected,
        actual=actual,
        remedy=f"Delete {path} and run toyadmos train again: it goes on from the last checkpoint.",
    )
