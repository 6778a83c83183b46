from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import pytest
from crafted import noise

from toyadmos_datasets.archive import open_source
from toyadmos_datasets.archive.reading import PIECE_BYTES
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


@pytest.mark.parametrize("target", ["1.wav", "/etc/passwd", "nowhere"])
def test_a_link_to_a_file_is_an_error(tree, target):
    (tree / "ToyTrain/case1/NormalSound_IND/7.wav").symlink_to(target)

    with pytest.raises(UnsafeMemberError, match="There is a link in the source") as caught:
        open_source(tree, "ToyTrain")

    assert "ToyTrain/case1/NormalSound_IND/7.wav" in caught.value.actual


def test_a_link_to_a_folder_is_an_error(tree):
    (tree / "ToyTrain/case2").symlink_to("case1", target_is_directory=True)

    with pytest.raises(UnsafeMemberError, match="There is a link in the source"):
        open_source(tree, "ToyTrain")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_an_error_and_is_never_opened(tree):
    os.mkfifo(tree / "ToyTrain/case1/7.wav")

    with pytest.raises(UnsafeMemberError, match="There is a pipe or a socket"):
        open_source(tree, "ToyTrain")


def test_two_names_that_differ_in_case_are_an_error(tree):
    put(tree, "ToyTrain/case1/NormalSound_IND/1.WAV")
    if len(list((tree / "ToyTrain/case1/NormalSound_IND").iterdir())) == 2:
        pytest.skip("this file system does not tell upper from lower case")

    with pytest.raises(IndexConflictError, match="upper and lower case"):
        open_source(tree, "ToyTrain")


def test_harmless_files_are_passed_over(tree):
    for name in (".DS_Store", "Thumbs.db", "LICENSE.pdf", "case1/._1.wav", "case1/desktop.ini"):
        put(tree, f"ToyTrain/{name}")

    assert read(open_source(tree, "ToyTrain")) == DATA


@pytest.mark.parametrize("name", ["1.wav.part", "1.flac", "notes.txt"])
def test_a_file_of_another_kind_is_an_error_that_names_it(tree, name):
    put(tree, f"ToyTrain/case1/{name}")

    with pytest.raises(SourceError, match="does not belong to the corpus") as caught:
        open_source(tree, "ToyTrain")

    assert caught.value.where == str(tree / "ToyTrain/case1" / name)
    assert "Move it out of the folder" in caught.value.remedy


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_text_is_an_error_that_can_be_shown(tree):
    os.close(os.open(os.fsencode(tree / "ToyTrain") + b"/\xff.wav", os.O_CREAT))

    with pytest.raises(UnsafeMemberError, match="cannot be shown") as caught:
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

    with pytest.raises(CorruptMemberError, match="changed its size") as caught:
        read(source)

    assert (caught.value.expected, caught.value.actual) == ("400 bytes", f"{len(content)} bytes")


def test_a_file_that_vanished_since_the_listing_is_an_error_that_names_it(tree):
    source = open_source(tree, "ToyTrain")
    gone = tree / "ToyTrain/case1/NormalSound_IND/1.wav"
    gone.unlink()

    with pytest.raises(SourceError, match="could not be read") as caught:
        read(source)

    assert caught.value.where == str(gone)


def test_a_folder_without_recordings_is_not_found(tmp_path):
    put(tmp_path, "ToyTrain/README.txt")

    with pytest.raises(SourceNotFoundError, match="holds no recordings of ToyTrain"):
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
