from __future__ import annotations

import lzma
import tracemalloc

import crafted
import pytest
from crafted import COPY, DELTA, LZMA2, CraftedFile, CraftedFolder, clip
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.source_reading import PIECE_BYTES
from toyadmos_datasets.errors import CorruptMemberError

FILTERS = [{"id": lzma.FILTER_DELTA, "dist": 2}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18}]
DATA = {clip(n): crafted.noise(40_000 + n, n) for n in (1, 2, 3)}


def block(files: list[CraftedFile]) -> CraftedFolder:
    data = b"".join(file.data for file in files)
    return CraftedFolder(files, coders=[LZMA2, DELTA], packed=crafted.squeeze(data, FILTERS))


def three_in_one() -> CraftedFolder:
    return block([CraftedFile(path, data) for path, data in DATA.items()])


@pytest.fixture
def source(tmp_path):
    folder = crafted.write(tmp_path, crafted.archive([three_in_one()]), n_volumes=3)
    return open_source(folder, "ToyTrain")


def read(source, wanted, on_bytes=None) -> dict[str, bytes]:
    return {
        member.path: b"".join(chunks)
        for one in source.blocks()
        for member, chunks in source.read(one.number, wanted, on_bytes)
    }


def test_all_recordings_of_a_block_come_out_whole_and_in_their_order(source):
    found = read(source, list(DATA))

    assert found == DATA
    assert list(found) == list(DATA)


@pytest.mark.parametrize("wanted", [{clip(1)}, {clip(2)}, {clip(3)}, {clip(1), clip(3)}])
def test_only_wanted_recordings_come_out(source, wanted):
    assert read(source, wanted) == {path: DATA[path] for path in DATA if path in wanted}


def test_what_is_not_in_the_block_is_ignored(source):
    assert read(source, {"ToyTrain/elsewhere.wav", clip(2)}) == {clip(2): DATA[clip(2)]}


def test_a_block_with_nothing_wanted_is_not_even_opened(source):
    for path in source.volumes.paths:
        path.unlink()

    assert read(source, {"ToyTrain/elsewhere.wav"}) == {}


def test_decoding_stops_after_the_last_wanted_recording(source):
    told: list[int] = []
    read(source, {clip(2)}, told.append)

    assert sum(told) == len(DATA[clip(1)]) + len(DATA[clip(2)])


def test_every_decoded_byte_is_told(source):
    told: list[int] = []
    read(source, set(DATA), told.append)

    assert sum(told) == source.blocks()[0].n_bytes


def test_a_recording_that_is_not_consumed_is_skipped_and_the_next_is_whole(source):
    found = {}
    for member, chunks in source.read(0, set(DATA)):
        if member.path == clip(2):
            next(chunks)
        elif member.path == clip(3):
            found[member.path] = b"".join(chunks)

    assert found == {clip(3): DATA[clip(3)]}


def test_a_wrong_checksum_is_an_error_at_the_end_of_its_recording_that_says_where_to_look(tmp_path):
    files = [CraftedFile(path, data) for path, data in DATA.items()]
    files[1].crc32 = 0xDEADBEEF
    source = open_source(crafted.write(tmp_path, crafted.archive([block(files)]), n_volumes=3), "ToyTrain")
    received = bytearray()

    def consume() -> None:
        for member, chunks in source.read(0, set(DATA)):
            for chunk in chunks:
                if member.path == clip(2):
                    received.extend(chunk)

    with refused(CorruptMemberError) as caught:
        consume()

    assert len(received) == len(DATA[clip(2)])
    assert caught.value.expected == "CRC32 deadbeef over 40002 bytes"
    assert caught.value.actual.startswith("CRC32 ")
    assert clip(2) in caught.value.where
    assert "ToyTrain.7z.00" in caught.value.where
    assert "block 0" in caught.value.where
    assert "Compare the md5 of ToyTrain.7z.00" in caught.value.remedy


def test_a_corrupt_recording_that_is_not_wanted_does_no_harm(tmp_path):
    files = [CraftedFile(path, data) for path, data in DATA.items()]
    files[1].crc32 = 0
    source = open_source(crafted.write(tmp_path, crafted.archive([block(files)])), "ToyTrain")

    assert read(source, {clip(1), clip(3)}) == {path: DATA[path] for path in (clip(1), clip(3))}


def test_a_reader_can_continue_after_a_corrupt_recording(tmp_path):
    files = [CraftedFile(path, data) for path, data in DATA.items()]
    files[1].crc32 = 0
    source = open_source(crafted.write(tmp_path, crafted.archive([block(files)])), "ToyTrain")
    bad, good = [], {}
    for member, chunks in source.read(0, set(DATA)):
        try:
            good[member.path] = b"".join(chunks)
        except CorruptMemberError:
            bad.append(member.path)

    assert bad == [clip(2)]
    assert good == {path: DATA[path] for path in (clip(1), clip(3))}


def test_a_block_that_cannot_be_decoded_fails_every_recording_from_there_on(tmp_path):
    folder = three_in_one()
    packed = bytearray(folder.packed or b"")
    packed[len(packed) // 2] ^= 0xFF
    folder.packed = bytes(packed)
    source = open_source(crafted.write(tmp_path, crafted.archive([folder]), n_volumes=4), "ToyTrain")
    outcome = {}
    for member, chunks in source.read(0, set(DATA)):
        try:
            outcome[member.path] = b"".join(chunks) == DATA[member.path]
        except CorruptMemberError as error:
            outcome[member.path] = error

    assert outcome.pop(clip(1)) is True
    for error in outcome.values():
        assert isinstance(error, CorruptMemberError)
        assert "ToyTrain.7z.00" in error.remedy


def test_packed_bytes_that_end_early_are_an_error_that_says_after_how_many(tmp_path):
    folder = three_in_one()
    folder.packed = (folder.packed or b"")[:-40] + b"\0" * 40
    folder.packed = folder.packed[: len(folder.packed) // 3]
    source = open_source(crafted.write(tmp_path, crafted.archive([folder])), "ToyTrain")

    with refused(CorruptMemberError):
        read(source, set(DATA))


def test_two_volumes_of_one_size_swapped_are_never_read_as_they_stand(tmp_path):
    folder = crafted.write(tmp_path, crafted.archive([three_in_one()]), n_volumes=5)
    second, third = (folder / f"ToyTrain.7z.00{n}" for n in (2, 3))
    two, three = second.read_bytes(), third.read_bytes()
    second.write_bytes(three)
    third.write_bytes(two)

    with refused(CorruptMemberError):
        read(open_source(folder, "ToyTrain"), set(DATA))


def test_memory_stays_flat_while_a_solid_block_is_streamed(tmp_path):
    size = 20 << 20
    content = bytes(size)
    files = [CraftedFile(clip(1), content)]
    folder = CraftedFolder(files, coders=[LZMA2, DELTA], packed=crafted.squeeze(content, FILTERS))
    source = open_source(crafted.write(tmp_path, crafted.archive([folder])), "ToyTrain")
    del files, folder, content
    n_bytes = largest = 0
    tracemalloc.start()
    for _, chunks in source.read(0, {clip(1)}):
        for chunk in chunks:
            n_bytes += len(chunk)
            largest = max(largest, len(chunk))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert n_bytes == size
    assert largest <= PIECE_BYTES
    assert peak < 8 * PIECE_BYTES


def test_an_empty_recording_comes_out_empty(tmp_path):
    content = crafted.archive([three_in_one()], [CraftedFile(clip(9))])
    source = open_source(crafted.write(tmp_path, content), "ToyTrain")

    assert read(source, {clip(9)}) == {clip(9): b""}


def test_a_stored_block_comes_out_as_it_stands(tmp_path):
    folder = CraftedFolder([CraftedFile(path, data) for path, data in DATA.items()], coders=[COPY])
    source = open_source(crafted.write(tmp_path, crafted.archive([folder]), n_volumes=7), "ToyTrain")

    assert read(source, set(DATA)) == DATA


def test_a_reader_that_is_left_midway_leaves_no_file_open(source):
    for _, chunks in source.read(0, set(DATA)):
        next(chunks)
        break

    for path in source.volumes.paths:
        path.unlink()  # fails on Windows while a file is open; a leak is a ResourceWarning elsewhere
