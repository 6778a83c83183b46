"""Texts from outside, made visible, quoted for a shell and for Python, and rid of secrets."""

from __future__ import annotations

import ast
import html
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hostile import MARKUP, NAMES, raw_in
from hypothesis import given
from hypothesis import strategies as st
from test_errors import ALL
from wording import refused

from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.escaping import (
    escaped,
    escaped_lines,
    html_text,
    markdown_code,
    markdown_text,
    python_text,
    shell_word,
    without_secrets,
)
from toyadmos_datasets.files.address import require_no_secrets, shown_address
from toyadmos_datasets.files.checked_json import front_matter
from toyadmos_datasets.files.installing import NEEDED, PACKAGE, install_command, upgrade_command

ANY = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANY)
def test_what_is_escaped_is_one_line_of_visible_characters_and_stays_so(text):
    shown = escaped(text)

    assert raw_in(shown) == set()
    assert "\n" not in shown
    assert escaped(shown) == shown
    assert shown.encode().decode() == shown  # no lone surrogates


@pytest.mark.parametrize("text", ["Größe ä", "日本", 'it\'s "this" \\ that', "naïve ½ ±1 → …", "a_b-c (1) 100 %"])
def test_what_people_write_is_left_as_it_is(text):
    assert escaped(text) == text


def test_lines_of_ours_stay_lines():
    assert escaped_lines("one\ntwo\x1b\n") == "one\ntwo\\x1b\n"


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_error_shows_a_name_raw(kind, name):
    shown = str(kind(name, where=name, expected=name, actual=OSError(2, "No such file", name), remedy=f"rm {name}"))

    assert raw_in(shown) == set()
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["where:", "expected:", "actual:", "remedy:"]


SECRETS = [
    "https://user:hunter2@host/",
    "https://user:hunter2 x@[host/",
    "https://user:hunt er2@[host/a",
    "https://user:a@hunter2@host/",
    "https://hunter2@host/",
    "s3://key:hun/hunter2@bucket/folder",
    "s3://bucket/a?X-Amz-Signature=hunter2&part=1",
    "https://host/a?sv=1&sig=hunter2",
    "https://host/a?access_token=hunter2#x",
    "GET 'https://user:hunter2@host/': Invalid port: '://u:hunter2@h'",
]


@pytest.mark.parametrize("address", SECRETS)
@pytest.mark.parametrize("kind", ALL)
def test_no_error_shows_a_password_or_a_signature_of_an_address(kind, address):
    shown = str(kind(f"It failed: {address}", where=address, actual=ValueError(address), remedy=f"Try {address}"))

    assert "hunter2" not in shown
    assert "hunter2" not in shown_address(address)


@pytest.mark.parametrize(
    "address", ["hf://datasets/user/name@main/a", "https://host:80/folder/", "s3://bucket/a b/c?part=1", "me@host: no"]
)
def test_what_is_no_secret_is_shown(address):
    assert without_secrets(address) == address


@pytest.mark.parametrize("address", ["s3://key:sec/ret@bucket/x", "https://user:pa ss@[host/", "s3://key@[bucket"])
def test_an_address_that_cannot_be_parsed_is_refused_for_its_secret(address):
    with refused(ValueError) as caught:
        require_no_secrets(address)

    assert "@" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(list(NAMES.values())))
def test_python_reads_the_literal_as_the_text(text):
    literal = python_text(text)

    assert ast.literal_eval(literal) == text
    assert raw_in(literal) == set()


AWKWARD = [*NAMES.values(), "it's", "$HOME `id` $(id)", "*?[x]", "a\\b\n'", "!x", "-dash", "~", "#", "%s", "a::b"]


def test_bash_reads_the_word_as_the_text(tmp_path):
    line = "printf '%s\\0' " + " ".join(map(shell_word, AWKWARD))
    done = subprocess.run(["/bin/bash", "-c", line], check=True, capture_output=True, cwd=tmp_path)

    assert raw_in(line) == set()
    assert shell_word(Path("-dash")) == "./-dash"  # a path that no command takes for an option
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(one) for one in AWKWARD]


@pytest.mark.parametrize("text", [MARKUP, *NAMES.values()])
def test_front_matter_reads_as_the_same_values(text):
    written = front_matter({"pretty_name": text, "configs": [{"config_name": text}], text: "---"})

    assert raw_in(written) == set()
    assert written.splitlines().count("---") == 2
    if text.isascii() or max(text) < "\ud800" or max(text) > "\udfff":
        read = yaml.safe_load(written.strip("-\n"))
        assert read == {"pretty_name": text, "configs": [{"config_name": text}], text: "---"}


def test_markdown_and_html_show_markup_as_text():
    text, code, page = markdown_text(MARKUP), markdown_code(MARKUP), html_text(MARKUP)

    assert "\n" not in text + code + page
    assert all(text[place - 1] == "\\" for place, one in enumerate(text) if one in "<[]|`*&" and place)
    assert code.startswith("``` ")
    assert code.count("|") == code.count("\\|")
    assert "<" not in page
    assert html.unescape(page) == escaped(MARKUP)


def test_nobody_need_listen_to_progress():
    with Quiet().stage("a\x1b", 1, "clips") as on_progress:
        on_progress(1)


def origin(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    """Let the package be installed from somewhere."""

    class Installed:
        """A distribution."""

        def read_text(self, name: str) -> str | None:
            return None if value is None else json.dumps(value)

    monkeypatch.setattr("importlib.metadata.distribution", lambda _name: Installed())


def checkout(place: Path) -> Path:
    place.mkdir()
    (place / "pyproject.toml").write_text("[project]\n")
    return place


@pytest.mark.parametrize("is_editable", [True, False])
def test_an_extra_is_installed_from_the_checkout_that_the_package_came_from(tmp_path, monkeypatch, is_editable):
    place = checkout(tmp_path / "it's [mine] 100%")
    origin(monkeypatch, {"url": place.as_uri(), "dir_info": {"editable": is_editable}})
    line = f"printf '%s\\n' {install_command('train')}"
    words = subprocess.run(["/bin/bash", "-c", line], check=True, capture_output=True, text=True).stdout.splitlines()

    assert words == ["pip", "install", *(["--editable"] if is_editable else []), f"{place}[train]"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"url": "file:///nowhere/that/is", "dir_info": {}},
        {"url": "https://host/x.whl", "archive_info": {}},
        {"url": 5, "dir_info": 7},
    ],
)
def test_an_extra_is_installed_by_its_packages_where_there_is_no_checkout(monkeypatch, value):
    origin(monkeypatch, value)

    assert install_command("train") == "pip install torch"
    assert install_command("s3") == "pip install s3fs"
    assert upgrade_command() == f"pip install NEWER (a newer wheel or clone of {PACKAGE})"


def test_every_extra_of_the_package_can_be_named():
    assert {"train", "dask", "ray", "report", "s3"} == set(NEEDED)


def test_a_clone_is_upgraded_by_pulling(tmp_path, monkeypatch):
    place = checkout(tmp_path / "a clone")
    (place / ".git").mkdir()
    origin(monkeypatch, {"url": place.as_uri(), "dir_info": {"editable": True}})

    assert upgrade_command() == f"git -C '{place}' pull && pip install --editable '{place}'"
