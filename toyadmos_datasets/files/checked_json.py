"""Strict JSON, YAML front matter, and values checked against their types."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar

import msgspec
import yaml

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.files.reading import raise_system_fault, read_bounded_file


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
    """Writes texts with anything but ASCII, or with a line feed, as one quoted line of escapes."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if text.isascii() and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def front_matter(values: Mapping[str, Any]) -> str:
    r"""Return the front matter of a card, with its dashes; it reads as the same values.

    Example:
        >>> print(front_matter({"pretty_name": "a\n---\nb"}), end="")
        ---
        pretty_name: "a\n---\nb"
        ---
    """
    spelled = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, width=120)
    return f"---\n{spelled}---\n"


MAX_JSON_BYTES = 1 << 26
"""A hundred times what the manifest of a whole toy, all channels at four SNRs, takes."""

MAX_DEPTH = 100
"""Objects and lists inside each other; ten times what this package writes, and a tenth of what Python can follow."""

MAX_DIGITS = 100
"""Digits of an integer. None that this package writes has more than 20; converting thousands takes long, or fails."""

_HALF = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters, but for those by which Python spells the bytes of file names that are no UTF-8."""


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
        DatasetError: The file is missing, larger than `MAX_JSON_BYTES`, cannot be read, or is not what `parse_json`
            takes.
    """
    try:
        content = read_bounded_file(path, MAX_JSON_BYTES, remedy=remedy)
    except FileNotFoundError as error:
        raise DatasetError("A file is missing.", where=path, remedy=remedy) from error
    except OSError as error:
        raise_system_fault(error, path)
        raise DatasetError("A file cannot be read.", where=path, actual=error.strerror, remedy=remedy) from error
    return parse_json(content, where=path, remedy=remedy)


def parse_json(content: bytes, *, where: object, remedy: str, what: str = "A file is damaged.") -> dict[str, Any]:
    """Make an object of its JSON, which may be anybody's.

    Args:
        content: UTF-8 without a byte order mark.
        where: What it was read from, for the error.
        remedy: What to do, for the error.
        what: The sentence of the error.

    Raises:
        DatasetError: It is not JSON, or not an object at its top; it holds NaN, an infinity, a number that is none or
            has more than `MAX_DIGITS` digits, a key twice, text that is no Unicode, or more than `MAX_DEPTH` objects
            and lists inside each other.
    """
    try:
        value = json.loads(
            content.decode(),
            parse_constant=_refuse_constant,
            parse_int=_bounded_int,
            parse_float=_finite,
            object_pairs_hook=_distinct,
        )
        _require_plain(value)
    except (ValueError, RecursionError) as error:  # wrong UTF-8 and wrong JSON are both ValueErrors
        raise DatasetError(what, where=where, expected="JSON", actual=error, remedy=remedy) from error
    if not isinstance(value, dict):
        raise DatasetError(what, where=where, expected="a JSON object", actual=type(value).__name__, remedy=remedy)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _require_plain(value: object) -> None:
    """Raise where what follows could not take a value: it is too deep, or a text in it has halves of characters."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(one, str) and _HALF.search(one) for one in level):
            raise ValueError("a text is no Unicode")
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise ValueError(f"more than {MAX_DEPTH} objects and lists stand inside each other")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list) else ()


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
