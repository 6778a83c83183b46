from __future__ import annotations

import contextlib
import dataclasses
import lzma
import struct

import crafted
import pytest
from crafted import AES, COPY, DELTA, LZMA2, CraftedFile, CraftedFolder, clip
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.sevenzip.header import read_header
from toyadmos_datasets.archives.sevenzip.volume_set import find_volumes
from toyadmos_datasets.errors import (
    ArchiveError,
    IndexConflictError,
    SourceError,
    UnsafeMemberError,
    UnsupportedMethodError,
)

RAW_LZMA2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18}]
RAW_DELTA = [{"id": lzma.FILTER_DELTA, "dist": 2}, *RAW_LZMA2]


def read(folder):
    volumes = find_volumes(folder, "ToyTrain")
    assert volumes is not None
    return read_header(volumes, "ToyTrain")


def one_block(**changes) -> CraftedFolder:
    folder = CraftedFolder([CraftedFile(clip(1), b"first"), CraftedFile(clip(2), b"second!")])
    return dataclasses.replace(folder, **changes)


def refusal_of(tmp_path, content: bytes, error: type[Exception]):
    with refused(error) as caught:
        read(crafted.write(tmp_path, content))
    return caught.value


def test_blocks_and_recordings_stand_in_the_table_with_their_places(tmp_path):
    data = [crafted.noise(n, n) for n in (1000, 2000, 1500)]
    second = CraftedFolder(
        [CraftedFile(clip(3), data[2])], coders=[LZMA2, DELTA], packed=crafted.squeeze(data[2], RAW_DELTA)
    )
    first = CraftedFolder([CraftedFile(clip(1), data[0]), CraftedFile(clip(2), data[1])])
    table, _ = read(crafted.write(tmp_path, crafted.archive([first, second]), n_volumes=3))

    assert table.paths == (clip(1), clip(2), clip(3))
    assert table.sizes == (1000, 2000, 1500)
    assert table.offsets == (0, 1000, 0)
    assert table.first == (0, 2, 3)
    assert [block.described().method for block in table.blocks] == ["Copy", "Delta:2 LZMA2:18"]
    assert table.blocks[0].offset == 32
    assert table.blocks[1].offset == 32 + 3000
    assert table.blocks[1].n_packed_bytes == len(second.packed or b"")
    assert not table.is_simulated


def test_members_that_are_no_recordings_are_left_out_but_keep_their_place(tmp_path):
    files = [
        CraftedFile("ToyTrain/license.pdf", b"%PDF"),
        CraftedFile(clip(1), b"sound"),
        CraftedFile("ToyTrain/SIMULATED.txt", b"!"),
    ]
    table, _ = read(crafted.write(tmp_path, crafted.archive([CraftedFolder(files)])))

    assert table.paths == (clip(1),)
    assert table.offsets == (4,)
    assert table.is_simulated


def test_an_empty_recording_has_a_block_of_its_own_and_a_folder_has_none(tmp_path):
    folder = CraftedFile("ToyTrain/case1.wav", attributes=0x10)
    content = crafted.archive([one_block()], [folder, CraftedFile(clip(9))])
    table, _ = read(crafted.write(tmp_path, content))

    assert table.paths == (clip(1), clip(2), clip(9))
    assert table.first == (0, 2, 3)
    assert (table.blocks[1].n_bytes, table.blocks[1].described().method) == (0, "Copy")


def test_a_packed_header_reads_as_a_plain_one(tmp_path):
    folder = one_block()
    plain = crafted.header([folder], [])
    packed = crafted.packed_header(folder.data, plain, LZMA2, crafted.squeeze(plain, RAW_LZMA2))
    expected, _ = read(crafted.write(tmp_path / "plain", crafted.archive([folder])))

    table, _ = read(crafted.write(tmp_path / "packed", packed, n_volumes=2))

    assert table == expected


@pytest.mark.parametrize(
    ("bindings", "coders", "order"),
    [([(1, 0)], [LZMA2, DELTA], ["21", "03"]), ([(0, 1)], [DELTA, LZMA2], ["21", "03"])],
)
def test_coders_are_ordered_by_their_bindings_not_by_their_place(tmp_path, bindings, coders, order):
    packed = crafted.squeeze(one_block().data, RAW_DELTA)
    content = crafted.archive([one_block(coders=coders, bindings=bindings, packed=packed)])
    table, _ = read(crafted.write(tmp_path, content))

    assert [coder.method for coder in table.blocks[0].coders] == order


@pytest.mark.parametrize("bindings", [[(0, 0)], [(1, 1)]])
def test_coders_that_feed_themselves_are_an_error(tmp_path, bindings):
    content = crafted.archive([one_block(coders=[COPY, COPY], bindings=bindings)])

    assert "not bound" in refusal_of(tmp_path, content, ArchiveError).actual


@pytest.mark.parametrize(
    ("coder", "name"),
    [
        (AES, "AES encryption"),
        ((b"\x04\x02\x02", b""), "BZip2"),
        ((b"\x03\x04\x01", b"\x06\0\0\0\1"), "PPMd"),
        ((b"\x04\x01\x08", b""), "Deflate"),
        ((b"\x04\xf7\x11\x01", b"\1\5\0\0\0"), "Zstandard"),
        ((b"\x07\x77", b""), "method 0777"),
    ],
)
def test_an_unknown_method_is_named_when_the_archive_is_opened(tmp_path, coder, name):
    error = refusal_of(tmp_path, crafted.archive([one_block(coders=[coder])]), UnsupportedMethodError)

    assert "7z x" in error.remedy
    assert "ToyTrain.7z" in error.where


def test_a_coder_of_several_streams_is_named(tmp_path):
    bcj2 = b"\x01\x14\x03\x03\x01\x1b\x04\x01" + b"".join(map(crafted.number, (0, 1, 2, 3)))
    folder = one_block(coder_bytes=bcj2)

    refusal_of(tmp_path, crafted.archive([folder]), UnsupportedMethodError)


def test_an_encrypted_header_is_an_error_that_names_encryption(tmp_path):
    folder = one_block()
    plain = crafted.header([folder], [])

    refusal_of(tmp_path, crafted.packed_header(folder.data, plain, AES, plain), UnsupportedMethodError)


def test_a_header_packed_over_and_over_is_an_error(tmp_path):
    folder = one_block()
    plain = crafted.header([folder], [])
    content = crafted.packed_header(folder.data, plain, COPY, plain)
    for _ in range(4):
        raw = content[32 + struct.unpack("<Q", content[12:20])[0] :]
        content = crafted.packed_header(content[32 : -len(raw)], raw, COPY, raw)

    assert "packed more than" in refusal_of(tmp_path, content, ArchiveError).actual


def test_a_packed_header_with_a_wrong_checksum_is_an_error(tmp_path):
    folder = one_block()
    plain = crafted.header([folder], [])

    refusal_of(tmp_path, crafted.packed_header(folder.data, plain, COPY, plain[:-1] + b"\7"), ArchiveError)


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"pack_size": 1 << 40}, "ends at byte"),
        ({"sizes": [13]}, "makes 13 bytes of 12"),
        ({"coders": [LZMA2], "sizes": [1 << 40]}, "bytes decoded from 12"),
        ({"coders": [LZMA2, DELTA], "sizes": [12, 13]}, "Delta makes 13 bytes of 12"),
        ({"files": [CraftedFile(clip(1), b"first", n_bytes=99), CraftedFile(clip(2), b"second!")]}, "do not add up"),
    ],
)
def test_sizes_that_cannot_be_true_are_an_error(tmp_path, changes, actual):
    error = refusal_of(tmp_path, crafted.archive([one_block(**changes)]), ArchiveError)

    assert actual in error.actual
    assert "fetch those that differ again" in error.remedy


def test_a_recording_larger_than_a_wav_file_can_be_is_an_error(tmp_path):
    size = 1 << 32
    packed = bytes(size // 8000)
    folder = CraftedFolder([CraftedFile(clip(1), n_bytes=size)], coders=[LZMA2], sizes=[size], packed=packed)

    assert "do not add up" in refusal_of(tmp_path, crafted.archive([folder]), ArchiveError).actual


def test_a_dictionary_of_gigabytes_is_an_error(tmp_path):
    size = 3 << 30
    files = [CraftedFile(clip(n), n_bytes=size // 2) for n in (1, 2)]
    folder = CraftedFolder(files, coders=[(b"\x21", b"\x27")], sizes=[size], packed=bytes(size // 8000))

    refusal_of(tmp_path, crafted.archive([folder]), ArchiveError)


def test_counts_that_cannot_be_true_are_an_error(tmp_path):
    streams = one_block().data
    huge = crafted.number(1 << 27)
    headers = [
        b"\x01\x05" + huge + b"\0" * 50,
        b"\x01\x04\x06\x00" + huge + b"\0" * 50,
        b"\x01\x04\x06\x00\x01\x09\x0c\x00\x07\x0b" + huge + b"\0" * 50,
        b"\x01\x05" + crafted.number(2_000_000) + bytes(3_000_000),
    ]
    for raw in headers:
        refusal_of(tmp_path, crafted.joined(streams, raw), ArchiveError)


def test_a_header_that_unpacks_to_gigabytes_is_an_error(tmp_path):
    size = 1 << 31
    raw = b"\x17\x06\x00\x01\x09" + crafted.number(300_000) + b"\x00\x07\x0b\x01\x00\x01\x21\x21\x01\x0c\x0c"
    raw += crafted.number(size) + b"\x0a\x01\0\0\0\0\x00\x00"

    assert (
        "2147483648 bytes of header" in refusal_of(tmp_path, crafted.joined(bytes(300_000), raw), ArchiveError).actual
    )


def test_files_without_checksums_are_an_error(tmp_path):
    content = crafted.archive([one_block()], with_crcs=False)

    assert "no CRC32" in refusal_of(tmp_path, content, ArchiveError).actual


@pytest.mark.parametrize(
    "name",
    ["../x.wav", "/x.wav", "C:/x.wav", "ToyTrain\\x.wav", "ToyTrain/../x.wav", "//a/b/x.wav", "ToyTrain/\ue000.wav"],
)
def test_an_unsafe_name_is_an_error(tmp_path, name):
    folder = one_block(files=[CraftedFile(name, b"first"), CraftedFile(clip(2), b"second!")])

    assert refusal_of(tmp_path, crafted.archive([folder]), UnsafeMemberError).actual == ascii(name)


def test_an_unsafe_name_of_an_empty_recording_is_an_error(tmp_path):
    content = crafted.archive([one_block()], [CraftedFile("../empty.wav")])

    refusal_of(tmp_path, content, UnsafeMemberError)


def test_an_unsafe_name_of_what_is_not_read_is_no_error(tmp_path):
    odd = [CraftedFile("../folder", attributes=0x10), CraftedFile("C:\\notes.txt"), CraftedFile("/etc/passwd")]
    table, _ = read(crafted.write(tmp_path, crafted.archive([one_block()], odd)))

    assert table.paths == (clip(1), clip(2))


def test_a_folder_that_is_a_link_is_an_error(tmp_path):
    content = crafted.archive([one_block()], [CraftedFile("ToyTrain/case2", attributes=0x410)])

    refusal_of(tmp_path, content, UnsafeMemberError)


def test_a_name_that_is_no_text_is_an_error(tmp_path):
    folder = one_block(files=[CraftedFile("ToyTrain/\ud800.wav", b"first"), CraftedFile(clip(2), b"second!")])

    refusal_of(tmp_path, crafted.archive([folder]), ArchiveError)


def test_a_link_is_an_error_whatever_it_points_to(tmp_path):
    link = CraftedFile(clip(1), b"/etc/passwd", attributes=(0o120777 << 16) | 0x8000)

    refusal_of(tmp_path, crafted.archive([CraftedFolder([link])]), UnsafeMemberError)


@pytest.mark.parametrize("name", [clip(1), clip(1).upper().replace("TOYTRAIN", "ToyTrain")])
def test_a_name_twice_or_in_another_case_is_an_error(tmp_path, name):
    folder = one_block(files=[CraftedFile(clip(1), b"first"), CraftedFile(name, b"second!")])

    refusal_of(tmp_path, crafted.archive([folder]), IndexConflictError)


def test_more_files_than_places_and_fewer_are_errors(tmp_path):
    good = crafted.header([one_block()], [])
    names = f"{clip(1)}\0{clip(2)}\0".encode("utf-16-le")
    one_name = f"{clip(1)}\0".encode("utf-16-le")
    attributes = struct.pack("<II", crafted.FILE_MODE, crafted.FILE_MODE)
    streams = good[: good.index(b"\x05\x02" + crafted.prop(0x11, b"\0" + names))]
    fewer = streams + b"\x05\x01" + crafted.prop(0x11, b"\0" + one_name) + b"\x00\x00"
    none = b"\x01\x05\x02" + crafted.prop(0x11, b"\0" + names) + crafted.prop(0x15, b"\1\0" + attributes) + b"\0\0"

    assert "more places" in refusal_of(tmp_path, crafted.joined(one_block().data, fewer), ArchiveError).actual
    assert "more files" in refusal_of(tmp_path, crafted.joined(one_block().data, none), ArchiveError).actual


def test_the_identity_changes_with_toy_and_content_and_not_with_the_cut_into_volumes(tmp_path):
    other = one_block(files=[CraftedFile(clip(1), b"First"), CraftedFile(clip(2), b"second!")])
    _, identity = read(crafted.write(tmp_path / "a", crafted.archive([one_block()])))
    _, same = read(crafted.write(tmp_path / "b", crafted.archive([one_block()]), n_volumes=5))
    _, changed = read(crafted.write(tmp_path / "c", crafted.archive([other])))

    assert identity == same
    assert changed != identity


@given(data=st.data())
def test_a_header_with_any_byte_changed_is_an_error_or_still_a_header(tmp_path_factory, data):
    """The checksums are made to fit, so what is met here is a liar, not an accident."""
    folder = one_block(coders=[LZMA2, DELTA], packed=crafted.squeeze(one_block().data, RAW_DELTA))
    raw = bytearray(crafted.header([folder], [CraftedFile(clip(9))]))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    where = tmp_path_factory.mktemp("liar")
    crafted.write(where, crafted.joined(folder.packed or b"", bytes(raw)))

    with contextlib.suppress(SourceError):
        source = open_source(where, "ToyTrain")
        for block in source.blocks():
            for member, chunks in source.read(block.number, [one.path for one in source.members()]):
                assert sum(map(len, chunks)) == member.n_bytes < 10_000
