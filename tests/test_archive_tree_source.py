from __future__ import annotations

import os
import pickle
import random
import shutil
from pathlib import Path

import pytest
from crafted import noise
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.source_reading import PIECE_BYTES
from toyadmos_datasets.errors import (
    CorruptMemberError,
    IndexConflictError,
    SourceError,
    SourceNotFoundError,
    UnsafeMemberError,
)

DATA = {
    "ToyTrain/EnvironmentalNoise_CNT/9.wav": noise(500),
    "ToyTrain/case1/AnomalousSound_IND/2.wav": noise(300),
    "ToyTrain/case1/NormalSound_IND/1.wav": noise(400),
    "ToyTrain/case1/NormalSound_IND/10.wav": b"",
}


@pytest.fixture
def tree(tmp_path) -> Path:
    paths = list(DATA)
    random.Random(1).shuffle(paths)  # noqa: S311
    for path in paths:
        put(tmp_path, path, DATA[path])
    return tmp_path


def put(root: Path, path: str, content: bytes = b"x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def read(source) -> dict[str, bytes]:
    return {
        member.path: b"".join(chunks)
        for block in source.blocks()
        for member, chunks in source.read(block.number, set(DATA))
    }


def test_every_file_is_a_block_in_the_order_of_paths(tree):
    source = open_source(tree, "ToyTrain")

    assert [member.path for member in source.members()] == sorted(DATA)
    assert [member.block for member in source.members()] == [0, 1, 2, 3]
    assert {member.crc32 for member in source.members()} == {None}
    assert [(block.n_bytes, block.n_packed_bytes) for block in source.blocks()] == [
        (len(DATA[path]), len(DATA[path])) for path in sorted(DATA)
    ]
    assert (source.toy, source.kind, source.location) == ("ToyTrain", "tree", str(tree / "ToyTrain"))


def test_every_file_reads_as_it_stands(tree):
    assert read(open_source(tree, "ToyTrain")) == DATA


def test_an_unwanted_file_is_not_read(tree):
    source = open_source(tree, "ToyTrain")

    assert list(source.read(0, {sorted(DATA)[1]})) == []


def test_large_files_come_in_pieces_and_every_byte_is_told(tmp_path):
    content = bytes(2 * PIECE_BYTES + 5)
    put(tmp_path, "ToyTrain/case1/1.wav", content)
    source = open_source(tmp_path, "ToyTrain")
    told: list[int] = []
    [(member, chunks)] = source.read(0, ["ToyTrain/case1/1.wav"], told.append)

    assert member.n_bytes == len(content)
    assert list(chunks) == []
    assert max(told) <= PIECE_BYTES
    assert sum(told) == len(content)


def test_the_identity_follows_from_names_sizes_and_times_not_from_the_place_or_listing_order(tree, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for path, content in DATA.items():
        file = put(other, path, content)
        facts = (tree / path).stat()
        os.utime(file, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    identity = open_source(tree, "ToyTrain").identity

    assert open_source(other, "ToyTrain").identity == identity
    os.utime(other / min(DATA), ns=(1, 1))
    assert open_source(other, "ToyTrain").identity != identity


def test_the_folder_may_be_given_itself_and_through_a_link(tree, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "here"
    link.symlink_to(tree / "ToyTrain", target_is_directory=True)

    assert read(open_source(tree / "ToyTrain", "ToyTrain")) == DATA
    assert read(open_source(link, "ToyTrain")) == DATA


def test_links_to_recordings_and_folders_are_followed_and_counted(tree, tmp_path_factory):
    store = tmp_path_factory.mktemp("annex")
    first, other = (
        tree / path for path in ("ToyTrain/case1/NormalSound_IND/1.wav", "ToyTrain/case1/AnomalousSound_IND")
    )
    shutil.move(first, store / "object")
    shutil.move(other, store / "disk2")
    first.symlink_to(store / "object")
    other.symlink_to(store / "disk2", target_is_directory=True)
    source = open_source(tree, "ToyTrain")

    assert read(source) == DATA
    assert [(one.code, one.n) for one in source.oddities] == [("links", 2)]


def test_the_identity_follows_the_file_that_a_link_leads_to(tree, tmp_path_factory):
    content = tmp_path_factory.mktemp("annex") / "object"
    link = tree / "ToyTrain/case1/NormalSound_IND/1.wav"
    plain = open_source(tree, "ToyTrain").identity
    shutil.move(link, content)
    link.symlink_to(content)

    assert open_source(tree, "ToyTrain").identity == plain
    os.utime(content, ns=(1, 1))
    assert open_source(tree, "ToyTrain").identity != plain


def test_all_links_that_lead_nowhere_or_in_a_circle_are_one_error_that_names_them(tree):
    toy = tree / "ToyTrain"
    (toy / "case1/NormalSound_IND/7.wav").symlink_to("../../.git/annex/objects/7")
    (toy / "case2").symlink_to("/mnt/not-mounted/case2")
    (toy / "case1/NormalSound_IND/8.wav").symlink_to("8.wav")
    (toy / "case1/up").symlink_to("..", target_is_directory=True)
    (toy / "whole").symlink_to(tree.parent, target_is_directory=True)

    with refused(SourceError, "git annex get") as caught:
        open_source(tree, "ToyTrain")

    for name in (
        "8.wav (a link that leads to itself)",
        "7.wav (a link to",
        "case2 (a link to",
        "up (a link that leads back",
    ):
        assert name in caught.value.actual
    patterns = ["[78].wav", "case2", "up", "whole"]
    assert read(open_source(tree, "ToyTrain", ignore=patterns)) == DATA


def test_a_circle_of_links_by_way_of_another_folder_ends(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "back").symlink_to(tree / "ToyTrain", target_is_directory=True)
    (tree / "ToyTrain/case1/out").symlink_to(elsewhere, target_is_directory=True)

    with refused(SourceError) as caught:
        open_source(tree, "ToyTrain")

    assert "ToyTrain/case1/out/back (a link that leads back" in caught.value.actual


def test_links_that_cannot_be_followed_beside_the_toys_folder_are_nobodys_concern(tree):
    (tree / "latest").symlink_to("gone")
    (tree / "all").symlink_to(tree, target_is_directory=True)

    assert read(open_source(tree, "ToyTrain")) == DATA


def test_a_tree_whose_content_is_all_elsewhere_says_so_and_not_that_nothing_is_there(tmp_path):
    for number in range(12):
        link = tmp_path / f"ToyTrain/case1/NormalSound_IND/{number:02d}.wav"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("../../.git/annex/objects/x")

    with refused(SourceError, "12") as caught:
        open_source(tmp_path, "ToyTrain")

    assert "and 2 more" in caught.value.actual


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_an_error_and_is_never_opened(tree):
    os.mkfifo(tree / "ToyTrain/case1/7.wav")

    with refused(UnsafeMemberError):
        open_source(tree, "ToyTrain")


def test_two_names_that_differ_in_case_are_an_error(tree):
    put(tree, "ToyTrain/case1/NormalSound_IND/1.WAV")
    if len(list((tree / "ToyTrain/case1/NormalSound_IND").iterdir())) == 2:
        pytest.skip("this file system does not tell upper from lower case")

    with refused(IndexConflictError):
        open_source(tree, "ToyTrain")


def test_what_systems_leave_behind_is_passed_over_and_counted(tree):
    for name in (".DS_Store", "Thumbs.db", "case1/._1.wav", "case1/desktop.ini", "@eaDir/1.wav", ".git/annex/a.wav"):
        put(tree, f"ToyTrain/{name}")
    source = open_source(tree, "ToyTrain")

    assert read(source) == DATA
    assert [(one.code, one.n) for one in source.oddities] == [("hidden", 6)]


def test_files_that_are_no_recordings_are_one_counted_oddity_with_ten_examples(tree):
    names = [f"ToyTrain/case1/notes{n:02d}.txt" for n in range(12)]
    for name in (*names, "ToyTrain/LICENSE.pdf", "beside.txt"):
        put(tree, name)
    source = open_source(tree, "ToyTrain")

    assert read(source) == DATA
    [oddity] = source.oddities
    assert (oddity.code, oddity.n, oddity.examples) == ("passed_over", 12, tuple(names[:10]))


def test_strays_do_not_change_the_identity(tree):
    plain = open_source(tree, "ToyTrain")
    put(tree, "ToyTrain/case1/1.npy")
    put(tree, "ToyTrain/.nfs0001")

    assert open_source(tree, "ToyTrain").identity == plain.identity


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_weird_name_of_what_is_not_read_is_no_error_and_can_be_shown(tree):
    os.close(os.open(os.fsencode(tree / "ToyTrain") + b"/\xff\\.txt", os.O_CREAT))
    [oddity] = open_source(tree, "ToyTrain").oddities

    oddity.examples[0].encode()
    assert oddity.n == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the system lets this user look everywhere")
def test_a_folder_that_may_not_be_looked_at_is_an_error_unless_it_is_of_the_system(tree):
    (tree / "ToyTrain/lost+found").mkdir(mode=0)
    (tree / "theirs").mkdir(mode=0)

    assert read(open_source(tree, "ToyTrain")) == DATA
    (tree / "ToyTrain/case2").mkdir(mode=0)
    with pytest.raises(SourceError) as caught:
        open_source(tree, "ToyTrain")

    assert type(caught.value) is SourceError


def test_what_is_ignored_is_no_recording_and_is_counted(tree):
    put(tree, "ToyTrain/case1/NormalSound_IND/1_copy.wav")
    put(tree, "ToyTrain/enhanced/2.wav")
    source = open_source(tree, "ToyTrain", ignore=["*_copy.wav", "enhanced"])

    assert read(source) == DATA
    [oddity] = source.oddities
    assert (oddity.code, oddity.n) == ("ignored", 2)
    assert oddity.examples == ("ToyTrain/case1/NormalSound_IND/1_copy.wav", "ToyTrain/enhanced/2.wav")


def test_leaving_out_recordings_keeps_the_identity_and_says_which_are_left(tree):
    plain = open_source(tree, "ToyTrain")
    less, other = (open_source(tree, "ToyTrain", ignore=[name]) for name in ("1.wav", "AnomalousSound_IND"))

    assert [len(one.members()) for one in (plain, less, other)] == [4, 3, 3]
    assert plain.identity == less.identity == other.identity
    assert plain.ignored == open_source(tree, "ToyTrain", ignore=["nothing"]).ignored == ""
    assert len({plain.ignored, less.ignored, other.ignored}) == 3


def test_what_is_ignored_and_no_recording_of_the_corpus_changes_neither_identity_nor_request(tree):
    plain = open_source(tree, "ToyTrain")
    put(tree, "ToyTrain/enhanced/2.wav")
    source = open_source(tree, "ToyTrain", ignore=["enhanced"])

    assert (source.identity, source.ignored) == (plain.identity, "")


def test_the_choice_between_two_files_of_one_name_changes_the_identity(tree):
    put(tree, "ToyTrain/case2/NormalSound_IND/1.wav", b"other")
    one, two = (open_source(tree, "ToyTrain", ignore=[f"case{n}/NormalSound_IND/1.wav"]) for n in (1, 2))

    assert one.identity != two.identity


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_text_is_an_error_that_can_be_shown(tree):
    os.close(os.open(os.fsencode(tree / "ToyTrain") + b"/\xff.wav", os.O_CREAT))

    with refused(UnsafeMemberError) as caught:
        open_source(tree, "ToyTrain")

    str(caught.value).encode()
    assert caught.value.actual == r"'ToyTrain/\udcff.wav'"


def test_odd_names_read_as_they_stand(tmp_path):
    put(tmp_path, "ToyTrain/Lärm/騒音 (1).wav", b"abc")
    source = open_source(tmp_path, "ToyTrain")
    [(member, chunks)] = [(one, list(parts)) for one, parts in source.read(0, ["ToyTrain/Lärm/騒音 (1).wav"])]

    assert member.path == "ToyTrain/Lärm/騒音 (1).wav"
    assert chunks == [b"abc"]


@pytest.mark.parametrize("content", [b"", noise(399), noise(401)])
def test_a_file_that_changed_its_size_since_the_listing_is_an_error(tree, content):
    source = open_source(tree, "ToyTrain")
    (tree / "ToyTrain/case1/NormalSound_IND/1.wav").write_bytes(content)

    with refused(CorruptMemberError) as caught:
        read(source)

    assert (caught.value.expected, caught.value.actual) == ("400 bytes", f"{len(content)} bytes")


def test_a_file_that_vanished_since_the_listing_is_an_error_that_names_it(tree):
    source = open_source(tree, "ToyTrain")
    gone = tree / "ToyTrain/case1/NormalSound_IND/1.wav"
    gone.unlink()

    with refused(SourceError) as caught:
        read(source)

    assert caught.value.where == str(gone)


def test_a_folder_without_recordings_is_not_found(tmp_path):
    put(tmp_path, "ToyTrain/README.txt")

    with refused(SourceNotFoundError):
        open_source(tmp_path, "ToyTrain")


def test_the_marker_of_the_simulation_is_seen_and_is_no_member(tree):
    assert not open_source(tree, "ToyTrain").is_simulated
    put(tree, "ToyTrain/SIMULATED.txt")
    source = open_source(tree, "ToyTrain")

    assert source.is_simulated
    assert len(source.members()) == len(DATA)


def test_a_pickled_source_reads_the_same(tree):
    source = open_source(tree, "ToyTrain")
    again = pickle.loads(pickle.dumps(source))

    assert again == source
    assert read(again) == DATA


def test_the_place_is_kept_absolute_for_workers_elsewhere(tree, monkeypatch):
    monkeypatch.chdir(tree)
    source = open_source(".", "ToyTrain")
    monkeypatch.chdir("/")

    assert read(source) == DATA
