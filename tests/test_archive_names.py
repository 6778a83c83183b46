from __future__ import annotations

import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toyadmos_datasets.archive.names import (
    is_harmless,
    is_recording,
    require_distinct,
    require_plain_kind,
    require_safe_name,
)
from toyadmos_datasets.errors import IndexConflictError, UnsafeMemberError


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../x.wav", "climbs"),
        ("ToyTrain/../../x.wav", "climbs"),
        ("ToyTrain/./x.wav", "climbs"),
        ("ToyTrain//x.wav", "empty part"),
        ("ToyTrain/x.wav/", "empty part"),
        ("/ToyTrain/x.wav", "absolute"),
        ("//server/share/x.wav", "absolute"),
        ("C:/ToyTrain/x.wav", "absolute"),
        ("c:x.wav", "absolute"),
        ("ToyTrain\\x.wav", "backslash"),
        ("\\\\server\\share\\x.wav", "backslash"),
        ("ToyTrain/..\\..\\x.wav", "backslash"),
        ("ToyTrain/x.wav\0.txt", "NUL"),
        ("ToyTrain/\x1b[31mx.wav", "cannot be shown"),
        ("ToyTrain/x\n.wav", "cannot be shown"),
        ("ToyTrain/\udcff.wav", "cannot be shown"),
        ("", "empty"),
        ("ToyCar/x.wav", "not in the folder ToyTrain"),
        ("x.wav", "not in the folder ToyTrain"),
    ],
)
def test_a_name_that_could_leave_its_folder_or_hide_is_an_error_that_says_why(path, reason):
    with pytest.raises(UnsafeMemberError, match=reason) as caught:
        require_safe_name(path, toy="ToyTrain", where="here")

    assert caught.value.actual == ascii(path)
    assert "fetch the source again" in caught.value.remedy


@pytest.mark.parametrize(
    "path", ["ToyTrain", "ToyTrain/case1/a b.wav", "ToyTrain/Lärm/騒音 (1).wav", "ToyTrain/..a/b..wav"]
)
def test_odd_but_harmless_names_are_allowed(path):
    require_safe_name(path, toy="ToyTrain", where="here")


@given(path=st.text(st.sampled_from("ab./\\:\0TC ~"), max_size=12))
@example("ToyTrain/a")
def test_no_allowed_name_leaves_the_toys_folder(path):
    try:
        require_safe_name(f"T/{path}", toy="T", where="here")
    except UnsafeMemberError:
        return

    parts = path.replace("\\", "/").split("/")
    assert not {"", ".", ".."} & set(parts)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFLNK, "a link"),
        (stat.S_IFCHR, "a device"),
        (stat.S_IFBLK, "a device"),
        (stat.S_IFIFO, "a pipe or a socket"),
        (stat.S_IFSOCK, "a pipe or a socket"),
    ],
)
def test_a_unix_link_or_device_is_an_error(mode, kind):
    with pytest.raises(UnsafeMemberError, match=f"There is {kind} in the source"):
        require_plain_kind("ToyTrain/x.wav", attributes=((mode | 0o644) << 16) | 0x8000, where="here")


@pytest.mark.parametrize(("attributes", "kind"), [(0x400, "a link"), (0x410, "a link"), (0x40, "a device")])
def test_a_windows_link_or_device_is_an_error(attributes, kind):
    with pytest.raises(UnsafeMemberError, match=f"There is {kind} in the source"):
        require_plain_kind("ToyTrain/x.wav", attributes=attributes, where="here")


@pytest.mark.parametrize("attributes", [None, 0, 0x20, 0x10, (0o100644 << 16) | 0x8000, (0o040755 << 16) | 0x8010])
def test_files_and_folders_are_allowed(attributes):
    require_plain_kind("ToyTrain/x.wav", attributes=attributes, where="here")


def test_the_same_name_twice_is_an_error_that_names_it():
    with pytest.raises(IndexConflictError, match="A name is there twice") as caught:
        require_distinct(["T/a.wav", "T/b.wav", "T/a.wav"], where="here")

    assert caught.value.actual == "T/a.wav and T/a.wav"


@pytest.mark.parametrize(
    ("one", "other"), [("T/a.wav", "T/A.WAV"), ("T/case1/x", "T/Case1/x"), ("T/straße", "T/STRASSE")]
)
def test_two_names_that_differ_in_case_alone_are_an_error_that_names_both(one, other):
    with pytest.raises(IndexConflictError, match="differ only in upper and lower case") as caught:
        require_distinct([one, other], where="here")

    assert caught.value.actual == f"{one} and {other}"


def test_wav_files_are_recordings_however_they_are_written():
    assert is_recording("T/a.wav")
    assert is_recording("T/a.WAV")
    assert not is_recording("T/a.wav.part")
    assert not is_recording("T/._a.wav")


@pytest.mark.parametrize(
    "name", ["SIMULATED.txt", ".DS_Store", "._a.wav", "Thumbs.db", "LICENSE.pdf", "README.md", "MD5SUMS"]
)
def test_files_that_usually_lie_beside_recordings_are_harmless(name):
    assert is_harmless(f"ToyTrain/case1/{name}")


@pytest.mark.parametrize("name", ["a.wav.part", "a.flac", "a.mp3", "notes.txt", "README.wav.tmp.exe".lower()])
def test_other_files_are_not_harmless(name):
    assert not is_harmless(f"ToyTrain/case1/{name}")
