"""Names from outside that become paths: none leads out of its folder, on any system."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.safe_paths import inside, unsafe_reason

ROOT = Path("/somewhere/out")

UNSAFE = (
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "a//b",
    "a/",
    "/etc/passwd",
    "~/../x/..",
    "C:x",
    "a\\b",
    "..\\x",
    "a\0b",
    "a\nb",
    "a\x1b[2Jb",
    "a\x9bb",
    "a\u202eb",
    "CON",
    "nul.wav",
    "data/COM1.parquet",
    "lpt9",
    "a.",
    "a ",
    "a/b*c",
    "a" * 256,
    "\udcff",
)


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_name_is_refused_before_it_becomes_a_path(name):
    with pytest.raises(DatasetError) as caught:
        inside(ROOT, name, where="manifest.json")

    assert caught.value.where == "manifest.json"
    assert caught.value.actual == ascii(name)


@pytest.mark.parametrize(
    "name", ["a", "data/clean/train-00000-of-00001.parquet", "Spur/ü.wav", ".partial/x", "console.txt"]
)
def test_a_plain_relative_name_stays_what_it_is(name):
    assert inside(ROOT, name) == ROOT / name


@given(st.text(alphabet=st.sampled_from("a./\\:~C\0 "), max_size=12))
def test_what_is_let_through_stays_below_the_folder(name):
    if unsafe_reason(name) is None:
        joined = inside(ROOT, name)

        assert joined.is_relative_to(ROOT)
        assert ".." not in joined.parts
        assert joined != ROOT
