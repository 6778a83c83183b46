from __future__ import annotations

import contextlib
import lzma
import pickle
import time
import zlib
from pathlib import Path

import crafted
import py7zr
import pytest
from crafted import CraftedFile, CraftedFolder, clip
from hypothesis import given, settings
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.sevenzip.archive_contents import ArchiveTable
from toyadmos_datasets.errors import SourceError, SourceNotFoundError
from toyadmos_datasets.values.source import Source

DATA = {clip(n): crafted.noise(3000 + n, n) for n in range(1, 5)}
DELTA, BCJ, ARM = ({"id": one} for one in (py7zr.FILTER_DELTA, py7zr.FILTER_X86, py7zr.FILTER_ARM))
LZMA1, LZMA2, COPY = ({"id": one} for one in (py7zr.FILTER_LZMA, py7zr.FILTER_LZMA2, py7zr.FILTER_COPY))


def pack(path: Path, data: dict[str, bytes], filters: list[dict[str, int]] | None = None) -> Path:
    """Let py7zr write an archive, or a further block of one that is there."""
    with py7zr.SevenZipFile(path, "a", filters=filters) as archive:
        archive.set_encoded_header_mode(False)  # what py7zr appends to a packed header has a wrong CRC32
        for name, content in data.items():
            archive.writestr(content, name)
    return path


def read(source: Source) -> dict[str, bytes]:
    wanted = {member.path for member in source.members()}
    return {
        member.path: b"".join(chunks)
        for block in source.blocks()
        for member, chunks in source.read(block.number, wanted)
    }


@pytest.mark.parametrize(
    ("filters", "method"),
    [
        ([LZMA2], "LZMA2:23"),
        ([LZMA1], "LZMA:23"),
        ([DELTA, LZMA2], "Delta:1 LZMA2:23"),
        ([BCJ, LZMA2], "BCJ LZMA2:23"),
        ([ARM, LZMA1], "ARM LZMA:23"),
        ([COPY], "Copy"),
    ],
)
def test_archives_that_py7zr_wrote_read_back(tmp_path, filters, method):
    source = open_source(pack(tmp_path / "ToyTrain.7z", DATA, filters), "ToyTrain")

    assert read(source) == DATA
    assert [block.method for block in source.blocks()] == [method]


def test_a_packed_header_that_py7zr_wrote_is_understood(tmp_path):
    with py7zr.SevenZipFile(tmp_path / "ToyTrain.7z", "w") as archive:
        for name, content in DATA.items():
            archive.writestr(content, name)

    assert read(open_source(tmp_path, "ToyTrain")) == DATA


def test_every_block_reads_by_itself(tmp_path):
    archive = tmp_path / "ToyTrain.7z"
    names = list(DATA)
    pack(archive, {name: DATA[name] for name in names[:2]}, [LZMA2])
    pack(archive, {name: DATA[name] for name in names[2:3]}, [DELTA, LZMA2])
    pack(archive, {name: DATA[name] for name in names[3:]}, [COPY])
    source = open_source(archive, "ToyTrain")

    assert [member.block for member in source.members()] == [0, 0, 1, 2]
    assert [block.method for block in source.blocks()] == ["LZMA2:23", "Delta:1 LZMA2:23", "Copy"]
    for block in reversed(source.blocks()):
        found = {member.path: b"".join(chunks) for member, chunks in source.read(block.number, names)}
        assert found == {member.path: DATA[member.path] for member in source.members() if member.block == block.number}


def test_members_carry_size_and_checksum_from_the_header(tmp_path):
    source = open_source(pack(tmp_path / "ToyTrain.7z", DATA), "ToyTrain")

    assert [(one.path, one.n_bytes, one.crc32) for one in source.members()] == [
        (name, len(content), zlib.crc32(content)) for name, content in DATA.items()
    ]


def test_an_empty_file_that_py7zr_wrote_is_found(tmp_path):
    source = open_source(pack(tmp_path / "ToyTrain.7z", {**DATA, clip(9): b""}), "ToyTrain")

    assert read(source) == {**DATA, clip(9): b""}


def test_the_marker_of_the_simulation_is_seen_and_is_no_member(tmp_path):
    plain = open_source(pack(tmp_path / "ToyTrain.7z", DATA), "ToyTrain")
    (tmp_path / "simulated").mkdir()
    marked_path = pack(tmp_path / "simulated" / "ToyTrain.7z", {"ToyTrain/SIMULATED.txt": b"made up", **DATA})
    marked = open_source(marked_path, "ToyTrain")

    assert not plain.is_simulated
    assert marked.is_simulated
    assert [one.path for one in marked.members()] == list(DATA)


def test_a_source_says_what_and_where_it_is(tmp_path):
    pack(tmp_path / "whole.7z", DATA)
    crafted.write(tmp_path, (tmp_path / "whole.7z").read_bytes(), n_volumes=3)
    source = open_source(tmp_path, "ToyTrain")

    assert (source.toy, source.kind) == ("ToyTrain", "volumes")
    assert source.location == f"{tmp_path / 'ToyTrain.7z.001'} to .003"


def test_an_archive_without_recordings_is_not_found(tmp_path):
    with refused(SourceNotFoundError) as caught:
        open_source(pack(tmp_path / "ToyTrain.7z", {"ToyTrain/README": b"x"}), "ToyTrain")

    assert "no .wav file" in caught.value.actual


def test_an_archive_of_nothing_is_not_found(tmp_path):
    with refused(SourceNotFoundError):
        open_source(crafted.write(tmp_path, crafted.joined(b"", b"")), "ToyTrain")


def test_a_pickled_source_reads_the_same_without_its_header_being_read_again(tmp_path, monkeypatch):
    source = open_source(pack(tmp_path / "ToyTrain.7z", DATA), "ToyTrain")
    content = pickle.dumps(source)
    monkeypatch.setattr("toyadmos_datasets.archives.sevenzip.header.read_header", None)
    again = pickle.loads(content)

    assert again == source
    assert read(again) == DATA


def test_a_table_of_thirty_thousand_recordings_is_pickled_in_no_time():
    n = 30_000
    table = ArchiveTable(
        blocks=(),
        first=(0,),
        paths=tuple(clip(i) for i in range(n)),
        sizes=tuple(range(1_000_000, 1_000_000 + n)),
        crcs=tuple(range(n)),
        offsets=tuple(range(n)),
        is_simulated=False,
    )
    start = time.perf_counter()
    again = pickle.loads(pickle.dumps(table))
    duration_s = time.perf_counter() - start

    assert again == table
    assert duration_s < 0.5


_SMALL = {clip(n): crafted.noise(150, n) for n in (1, 2)}


def small_archive() -> bytes:
    """Two blocks, one packed and one stored, under a packed header: every kind of byte that an archive has."""
    filters = [{"id": lzma.FILTER_DELTA, "dist": 2}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18}]
    one, two = (CraftedFile(path, data) for path, data in _SMALL.items())
    packed = CraftedFolder([one], coders=[crafted.LZMA2, crafted.DELTA], packed=crafted.squeeze(one.data, filters))
    folders = [packed, CraftedFolder([two])]
    plain = crafted.header(folders, [])
    return crafted.packed_header(
        b"".join(map(crafted.packed, folders)), plain, crafted.LZMA2, crafted.squeeze(plain, filters[1:])
    )


CONTENT = small_archive()


@settings(max_examples=200)
@given(position=st.integers(0, len(CONTENT) - 1), flip=st.integers(1, 255), n_volumes=st.integers(0, 3))
def test_a_flipped_byte_anywhere_never_yields_wrong_bytes(tmp_path_factory, position, flip, n_volumes):
    content = bytearray(CONTENT)
    content[position] ^= flip
    folder = crafted.write(tmp_path_factory.mktemp("flip"), bytes(content), n_volumes=n_volumes)
    with contextlib.suppress(SourceError):
        source = open_source(folder, "ToyTrain")
        for block in source.blocks():
            for member, chunks in source.read(block.number, set(_SMALL)):
                with contextlib.suppress(SourceError):
                    assert b"".join(chunks) == _SMALL[member.path]


@given(n_bytes=st.integers(0, len(CONTENT) - 1))
def test_an_archive_cut_anywhere_is_an_error_when_it_is_opened(tmp_path_factory, n_bytes):
    folder = crafted.write(tmp_path_factory.mktemp("cut"), CONTENT[:n_bytes])

    with pytest.raises(SourceError):
        open_source(folder, "ToyTrain")


def test_the_archive_of_the_tests_above_is_sound(tmp_path):
    assert read(open_source(crafted.write(tmp_path, CONTENT), "ToyTrain")) == _SMALL
