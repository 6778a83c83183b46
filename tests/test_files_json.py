"""JSON: one spelling a value, and a damaged file is never half read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.checked_json import canonical_json, read_json, write_json

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)


@given(value=OBJECTS)
def test_a_written_object_is_read_back_equal(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "manifest.json"
    write_json(path, value)

    assert read_json(path) == value


@given(value=OBJECTS, data=st.data())
def test_the_order_of_keys_does_not_change_the_spelling(value, data):
    shuffled = dict(data.draw(st.permutations(list(value.items()))))

    assert canonical_json(shuffled) == canonical_json(value)


def test_the_spelling_is_compact_sorted_and_ascii():
    spelled = canonical_json({"b": [1, 2.50, None], "a": "Größe", "c": {"z": True, "y": 1e-9}})

    assert spelled == '{"a":"Gr\\u00f6\\u00dfe","b":[1,2.5,null],"c":{"y":1e-09,"z":true}}'


def test_a_written_file_is_indented_and_ends_with_a_newline(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": [2]})

    assert (tmp_path / "x.json").read_text() == '{\n  "a": [\n    2\n  ],\n  "b": 1\n}\n'


def test_a_file_name_that_is_not_unicode_survives(tmp_path):
    name = b"case1_\xff.wav".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "x.json", {"name": name})

    assert read_json(tmp_path / "x.json") == {"name": name}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_spell_is_refused_and_the_file_kept(tmp_path, value):
    path = tmp_path / "x.json"
    write_json(path, {"snr_db": 6.0})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"snr_db": value})

    assert read_json(path) == {"snr_db": 6.0}


@pytest.mark.parametrize("value", [{1: "a"}, {"a": [{None: 1}]}, {"a": ({True: 1},)}])
def test_a_key_that_is_not_text_is_refused(value):
    with refused(TypeError):
        canonical_json(value)


DAMAGED = [
    (b"", "Expecting value"),
    (b'{"rows": 1', "Expecting ',' delimiter"),
    (b"\xff\xfe", "can't decode"),
    (b'{"snr_db": NaN}', "NaN is not JSON"),
    (b'{"snr_db": -Infinity}', "-Infinity is not JSON"),
    (b'{"rows": 1, "rows": 2}', "a key stands twice"),
    (b"[" * 100_000, "recursion"),
    (b"[1, 2]", "list"),
    (b'{"rows": ' + b"9" * 5_000 + b"}", "5000 digits"),
    (b'{"snr_db": 1e999}', "too large"),
    (b'{"a": ' * 101 + b"1" + b"}" * 101, "inside each other"),
    (b'\xef\xbb\xbf{"rows": 1}', "BOM"),
    (b'{"name": "\\ud800"}', "no Unicode"),
    (b'{"\\udfff": 1}', "no Unicode"),
]


@pytest.mark.parametrize(("content", "reason"), DAMAGED)
def test_a_damaged_file_is_an_error_that_names_file_reason_and_remedy(tmp_path, content, reason):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with refused(DatasetError) as caught:
        read_json(path, remedy="Run: toyadmos prepare --toy train --out data/train")

    assert caught.value.where == str(path)
    assert reason in caught.value.actual
    assert caught.value.remedy == "Run: toyadmos prepare --toy train --out data/train"


def test_a_missing_file_is_an_error_that_says_so(tmp_path):
    with refused(DatasetError) as caught:
        read_json(tmp_path / "manifest.json")

    assert caught.value.where == str(tmp_path / "manifest.json")


def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path):
    with refused(DatasetError) as caught:
        read_json(tmp_path)

    assert caught.value.actual == "Is a directory"


def test_a_file_cut_anywhere_is_never_read_as_whole(tmp_path):
    path = tmp_path / "manifest.json"
    write_json(path, {"shards": [{"name": "a", "rows": 3}], "version": 1})
    whole = path.read_bytes().rstrip()
    cuts = range(len(whole))
    for length in cuts:
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError):
            read_json(path)

    assert json.loads(whole)["version"] == 1
