"""What a damaged disk, a careless editor or an attacker makes of a file: JSON with wrong values, bytes that changed.

The law that these serve: what reads a mutated file gives the value that was written, or raises a `ToyAdmosError`.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

_RAW = {
    "raw:int": "9" * 5_000,  # more digits than CPython converts
    "raw:negative": "-" + "9" * 5_000,
    "raw:float": "1e999",
    "raw:nan": "NaN",
    "raw:infinity": "-Infinity",
    "raw:nested": "[" * 20_000 + "]" * 20_000,
    "raw:twice": '{"a": 1, "a": 2}',
    "raw:surrogate": '"\\ud800"',
}
"""JSON that Python's `json.dumps` does not write, by the text that stands for it until the end."""

WRONG_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 1 << 31, 1 << 53, 1 << 63, 1 << 64, -(1 << 63) - 1, 10**40]),
    st.floats(),
    st.sampled_from(["", "../../x", "/etc/x", "C:\\x", "NUL", "\x00", "\x1b[31m", "\u202e", "x" * 5_000, "1", *_RAW]),
    st.text(max_size=5),
    st.sampled_from([[], {}, [[]], [None], {"a": None}, [1, "a"]]),
)
"""Values that may stand where another belongs."""


def mutated_json(value: Any, *, most_edits: int = 3) -> st.SearchStrategy[str]:
    """Return texts that were the JSON of a value until fields were deleted, replaced or added.

    Args:
        value: What JSON can spell, objects and lists for instance; it is left as it is.
        most_edits: How many places change at most.
    """
    return st.composite(_edited)(value, most_edits)


def mutated_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Return contents of a file that was cut, grew, or of which some bytes changed."""
    place = st.integers(0, max(len(content) - 1, 0))
    flips = st.lists(st.tuples(place, st.integers(1, 255)), min_size=1, max_size=4)
    added = st.binary(min_size=1, max_size=64)
    return st.one_of(
        flips.map(lambda chosen: _flipped(content, chosen)),
        place.map(lambda end: content[:end]),
        added.map(lambda more: content + more),
        st.sampled_from([b"\xef\xbb\xbf", b"\x00", b"\xff\xfe"]).map(lambda mark: mark + content),
        st.tuples(place, added).map(lambda chosen: content[: chosen[0]] + chosen[1] + content[chosen[0] :]),
        st.tuples(place, place).map(lambda ends: content[: min(ends)] + content[max(ends) :]),
    )


def mutated_json_bytes(value: Any) -> st.SearchStrategy[bytes]:
    """Return both kinds of damage to the file of a JSON value."""
    spelled = json.dumps(value).encode()
    return mutated_json(value).map(str.encode) | mutated_bytes(spelled)


def _edited(draw: st.DrawFn, value: Any, most_edits: int) -> str:
    holder = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, most_edits))):
        parent, key = draw(st.sampled_from(_places(holder)))
        edit = draw(st.sampled_from(["replace", "replace", "delete", "add"]))
        if edit == "delete" and parent is not holder:
            del parent[key]
            continue
        wrong = copy.deepcopy(draw(WRONG_VALUES))
        inner = parent[key]
        if edit == "add" and isinstance(inner, dict):
            inner[draw(st.text(max_size=5))] = wrong
        elif edit == "add" and isinstance(inner, list):
            inner.insert(draw(st.integers(0, len(inner))), wrong)
        else:
            parent[key] = wrong
    return _spelled(holder[0])


def _places(holder: list[Any]) -> list[tuple[Any, Any]]:
    """Return every parent and key of a tree, the root first."""
    found: list[tuple[Any, Any]] = [(holder, 0)]
    for parent, key in found:
        inner = parent[key]
        keys = inner.keys() if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
        found.extend((inner, one) for one in keys)
    return found


def _spelled(value: Any) -> str:
    text = json.dumps(value)
    for name, raw in _RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text


def _flipped(content: bytes, flips: list[tuple[int, int]]) -> bytes:
    changed = bytearray(content)
    for place, mask in flips:
        if place < len(changed):
            changed[place] ^= mask
    return bytes(changed)
