from __future__ import annotations

import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toyadmos_datasets.archives.corpus_layout import is_wav
from toyadmos_datasets.archives.file_kinds import (
    Ignore,
    has_hidden_folder,
    is_hidden,
    require_distinct,
    require_plain_kind,
    require_safe_name,
)
from toyadmos_datasets.errors import IndexConflictError, OptionError, UnsafeMemberError


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
    ],
)
def test_a_name_that_could_leave_its_folder_or_hide_is_an_error_that_says_why(path, reason):
    with pytest.raises(UnsafeMemberError, match=reason) as caught:
        require_safe_name(path, where="here")

    assert caught.value.actual == ascii(path)
    assert "fetch the source again" in caught.value.remedy


@pytest.mark.parametrize(
    "path", ["ToyTrain", "ToyTrain/case1/a b.wav", "ToyTrain/Lärm/騒音 (1).wav", "ToyTrain/..a/b..wav"]
)
def test_odd_but_harmless_names_are_allowed(path):
    require_safe_name(path, where="here")


@given(path=st.text(st.sampled_from("ab./\\:\0TC ~"), max_size=12))
@example("ToyTrain/a")
def test_no_allowed_name_leaves_the_toys_folder(path):
    try:
        require_safe_name(f"T/{path}", where="here")
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
    assert is_wav("a.wav")
    assert is_wav("a.WAV")
    assert not is_wav("a.wav.part")
    assert not is_wav("wav")


HIDDEN = (
    *(".DS_Store", "._a.wav", ".nfs0001", ".directory", ".stfolder", ".stversions", ".git", ".gitattributes", ".svn"),
    *(".hg", ".dvc", ".datalad", ".fseventsd", ".Spotlight-V100", ".Trashes", ".dropbox.attr", ".owncloudsync.log"),
    *(
        ".sync_abc.db",
        "@eaDir",
        "a.wav@SynoEAStream",
        "#recycle",
        "Desktop.ini",
        "desktop.ini",
        "Thumbs.db",
        "__MACOSX",
    ),
    *("System Volume Information", "$RECYCLE.BIN", "lost+found", "~$notes.docx", "a.wav.part", "a.wav.crdownload"),
)


@pytest.mark.parametrize("name", HIDDEN)
def test_what_systems_and_programs_leave_behind_is_known_by_its_name(name):
    assert is_hidden(name)
    assert has_hidden_folder(f"ToyTrain/{name}/case1")


@pytest.mark.parametrize("name", ["a.wav", "notes.txt", "Readme.txt", "case1", "..", ".", "party.wav", "recycle"])
def test_other_names_are_not_hidden(name):
    assert not is_hidden(name)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("x.wav", "ToyTrain/case1/x.wav"),
        ("X.WAV", "ToyTrain/case1/x.wav"),
        ("*_copy.wav", "ToyTrain/case1/x_copy.wav"),
        ("ToyTrain/case1/*", "ToyTrain/case1/x.wav"),
        ("case1/*", "ToyTrain/case1/x.wav"),
        ("backup", "ToyTrain/backup/case1/x.wav"),
        ("back*/", "ToyTrain/backup/case1/x.wav"),
        ("ch[12].wav", "ch2.wav"),
    ],
)
def test_a_pattern_takes_names_paths_and_whole_folders_whatever_their_capitals(pattern, path):
    assert Ignore(patterns=("else", pattern)).compiled().fullmatch(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("x", "ToyTrain/case1/x.wav"), ("ase1", "ToyTrain/case1/x.wav"), ("ch[12].wav", "ch3.wav"), ("a.wav", "aXwav")],
)
def test_a_pattern_takes_nothing_else(pattern, path):
    assert not Ignore(patterns=(pattern,)).compiled().fullmatch(path)


@pytest.mark.parametrize("pattern", ["", "/"])
def test_an_empty_pattern_is_an_error(pattern):
    with pytest.raises(OptionError, match="empty") as caught:
        Ignore(patterns=(pattern,))

    assert caught.value.where == "--ignore"


def test_two_files_that_would_be_one_recording_are_an_error_that_says_where_they_are():
    with pytest.raises(IndexConflictError, match="the same recording") as caught:
        require_distinct(["T/case1/a.wav", "T/case1/a.wav"], ["T/a.wav", "T/case1/a.wav"], where="here")

    assert caught.value.actual == "T/a.wav and T/case1/a.wav"
