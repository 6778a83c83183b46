from __future__ import annotations

import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wording import refused

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
    "path",
    [
        "../x.wav",
        "ToyTrain/../../x.wav",
        "ToyTrain/./x.wav",
        "ToyTrain//x.wav",
        "ToyTrain/x.wav/",
        "/ToyTrain/x.wav",
        "//server/share/x.wav",
        "C:/ToyTrain/x.wav",
        "c:x.wav",
        "ToyTrain\\x.wav",
        "\\\\server\\share\\x.wav",
        "ToyTrain/..\\..\\x.wav",
        "ToyTrain/x.wav\0.txt",
        "ToyTrain/\x1b[31mx.wav",
        "ToyTrain/x\n.wav",
        "ToyTrain/\udcff.wav",
        "",
    ],
)
def test_a_name_that_could_leave_its_folder_or_hide_is_an_error_that_says_why(path):
    with refused(UnsafeMemberError) as caught:
        require_safe_name(path, where="here")

    assert caught.value.actual == ascii(path)


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
    "mode",
    [
        stat.S_IFLNK,
        stat.S_IFCHR,
        stat.S_IFBLK,
        stat.S_IFIFO,
        stat.S_IFSOCK,
    ],
)
def test_a_unix_link_or_device_is_an_error(mode):
    with refused(UnsafeMemberError):
        require_plain_kind("ToyTrain/x.wav", attributes=((mode | 0o644) << 16) | 0x8000, where="here")


@pytest.mark.parametrize("attributes", [0x400, 0x410, 0x40])
def test_a_windows_link_or_device_is_an_error(attributes):
    with refused(UnsafeMemberError):
        require_plain_kind("ToyTrain/x.wav", attributes=attributes, where="here")


@pytest.mark.parametrize("attributes", [None, 0, 0x20, 0x10, (0o100644 << 16) | 0x8000, (0o040755 << 16) | 0x8010])
def test_files_and_folders_are_allowed(attributes):
    require_plain_kind("ToyTrain/x.wav", attributes=attributes, where="here")


def test_the_same_name_twice_is_an_error_that_names_it():
    with refused(IndexConflictError) as caught:
        require_distinct(["T/a.wav", "T/b.wav", "T/a.wav"], where="here")

    assert caught.value.actual == "T/a.wav and T/a.wav"


@pytest.mark.parametrize(
    ("one", "other"), [("T/a.wav", "T/A.WAV"), ("T/case1/x", "T/Case1/x"), ("T/straße", "T/STRASSE")]
)
def test_two_names_that_differ_in_case_alone_are_an_error_that_names_both(one, other):
    with refused(IndexConflictError) as caught:
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
    with refused(OptionError) as caught:
        Ignore(patterns=(pattern,))

    assert caught.value.where == "--ignore"


def test_two_files_that_would_be_one_recording_are_an_error_that_says_where_they_are():
    with refused(IndexConflictError) as caught:
        require_distinct(["T/case1/a.wav", "T/case1/a.wav"], ["T/a.wav", "T/case1/a.wav"], where="here")

    assert caught.value.actual == "T/a.wav and T/case1/a.wav"
