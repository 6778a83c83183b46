"""Values from outside, checked against their types before anything is done with them."""

from __future__ import annotations

import dataclasses
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from toyadmos_datasets.errors import DatasetError

Value = TypeVar("Value")

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A number of things or bytes; beyond 2^53 not every reader of JSON keeps integers whole."""

Sha256: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A hash, hex."""


def checked(kind: type[Value], content: object, *, what: str, where: object, remedy: str) -> Value:
    """Make a value of what JSON holds, after comparing every field with its annotation.

    Args:
        kind: A dataclass, or another type that its annotations describe in full.
        content: What was read: dictionaries, lists, text, numbers.
        what: The sentence of the error.
        where: The file it was read from, for the error.
        remedy: What to do, for the error.

    Raises:
        DatasetError: A field is missing or unknown, or has another type or range than its annotation says.

    Example:
        >>> checked(list[int], [1, 2], what="A list is damaged.", where="list.json", remedy="Write it again.")
        [1, 2]
    """
    try:
        _require_known(kind, content)
        return msgspec.convert(content, kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DatasetError(
            what, where=where, expected="fields as this version writes them", actual=error, remedy=remedy
        ) from error


def _require_known(kind: type[object], content: object) -> None:
    if dataclasses.is_dataclass(kind) and isinstance(content, dict):
        unknown = sorted(content.keys() - {field.name for field in dataclasses.fields(kind)})
        if unknown:
            raise msgspec.ValidationError(f"Object contains unknown field `{unknown[0]}`")
