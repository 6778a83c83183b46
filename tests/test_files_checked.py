"""Values from outside: what their annotations do not allow never becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.checked_json import Count, Sha256, checked
from toyadmos_datasets.files.reading import expanded_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    name: str
    n_bytes: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    pieces: tuple[Piece, ...]
    versions: dict[str, str]


GOOD = {"pieces": [{"name": "a", "n_bytes": 3, "sha256": "0" * 64}], "versions": {"numpy": "2"}}


def read(content: object) -> Whole:
    return checked(Whole, content, what="It is damaged.", where="whole.json", remedy="Write it again.")


def changed(**changes: object) -> dict[str, object]:
    return GOOD | {"pieces": [GOOD["pieces"][0] | changes]}


def test_what_its_annotations_allow_becomes_the_value():
    piece = Piece(name="a", n_bytes=3, sha256="0" * 64)

    assert read(GOOD) == Whole(pieces=(piece,), versions={"numpy": "2"})


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (changed(n_bytes="five"), "n_bytes"),
        (changed(n_bytes=-1), "n_bytes"),
        (changed(n_bytes=1 << 60), "n_bytes"),
        (changed(n_bytes=3.5), "n_bytes"),
        (changed(n_bytes=True), "n_bytes"),
        (changed(sha256="g" * 64), "sha256"),
        (changed(sha256="0" * 65), "sha256"),
        (changed(name=None), "name"),
        (GOOD | {"versions": {"numpy": 2}}, "versions"),
        (GOOD | {"surprise": 1}, "surprise"),
        ({"versions": {}}, "pieces"),
        ([], "object"),
        (None, "object"),
    ],
)
def test_anything_else_is_an_error_that_names_the_file_and_the_field(content, where):
    with pytest.raises(DatasetError) as caught:
        read(content)

    assert (caught.value.where, caught.value.remedy) == ("whole.json", "Write it again.")
    assert where in caught.value.actual


@pytest.mark.parametrize("name", ["~nobody-at-all", "~nobody-at-all/data"])
def test_a_tilde_of_no_user_is_a_name_like_others(name):
    assert expanded_path(name) == Path(name)


def test_a_tilde_is_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert expanded_path("~/data") == tmp_path / "data"
