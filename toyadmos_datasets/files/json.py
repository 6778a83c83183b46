"""JSON with one spelling a value, so that equal values give equal bytes and equal hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.files.looking import raise_shortage

MAX_JSON_BYTES = 1 << 26
"""A hundred times what the manifest of a whole toy, all channels at four SNRs, takes."""


def canonical_json(value: object, *, indent: int | None = None) -> str:
    """Spell a value as JSON in the one way that its hash can rest on.

    Keys are sorted and everything past ASCII is escaped, so that odd file names survive any locale. Floats are
    written as Python's shortest text that reads back to the same number.

    Args:
        value: None, booleans, numbers, text, and lists, tuples and mappings of these.
        indent: Spaces a level, for people; None for one line without blanks.

    Raises:
        ValueError: NaN or an infinity, which JSON cannot spell.
        TypeError: A key that is not text, or a value of another type.
    """
    _require_text_keys(value)
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, sort_keys=True, allow_nan=False, indent=indent, separators=separators)


def _require_text_keys(value: object) -> None:
    # json.dumps turns the keys 1, True and None into text without a word, and two of them may meet in one.
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a JSON key must be text, not {key!r}")
            _require_text_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_text_keys(item)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write an object as canonical, indented JSON, atomically.

    Raises:
        OutputError: It could not be written; what `path` held before is still there.
    """
    write_text(path, canonical_json(value, indent=2) + "\n")


def read_json(path: Path, *, remedy: str = "Make it again, or take it from a copy that is whole.") -> dict[str, Any]:
    """Read a file that `write_json` wrote.

    Args:
        path: The file.
        remedy: What to do when it cannot be read, for the error.

    Raises:
        DatasetError: The file is missing, larger than `MAX_JSON_BYTES`, cannot be read, is not JSON, holds NaN, an
            infinity or a key twice, or is not an object at its top.
    """
    try:
        value = json.loads(
            _read_text(path, remedy=remedy), parse_constant=_refuse_constant, object_pairs_hook=_distinct
        )
    except FileNotFoundError as error:
        raise DatasetError("A file is missing.", where=path, remedy=remedy) from error
    except OSError as error:
        raise_shortage(error, path)
        raise DatasetError("A file cannot be read.", where=path, actual=error.strerror, remedy=remedy) from error
    except (ValueError, RecursionError) as error:  # wrong UTF-8 and wrong JSON are both ValueErrors
        raise DatasetError("A file is damaged.", where=path, expected="JSON", actual=error, remedy=remedy) from error
    if not isinstance(value, dict):
        raise DatasetError(
            "A file is damaged.", where=path, expected="a JSON object", actual=type(value).__name__, remedy=remedy
        )
    return value


def _read_text(path: Path, *, remedy: str) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise DatasetError(
            "A file is larger than any that this package writes.",
            where=path,
            expected=f"at most {MAX_JSON_BYTES} bytes",
            actual="more",
            remedy=remedy,
        )
    return content.decode()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
