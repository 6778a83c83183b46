"""Where decoding of a solid block may begin in the middle of it, and what comes out from there."""

from __future__ import annotations

import io
import lzma
import random

import crafted
import pytest
from crafted import COPY, LZMA2, CraftedFile, CraftedFolder, clip
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.sevenzip.archive_contents import PackedBlock
from toyadmos_datasets.archives.sevenzip.block_parts import DeltaCarry, find_parts
from toyadmos_datasets.archives.sevenzip.coders import Coder
from toyadmos_datasets.archives.sevenzip.lzma2_chunks import CONFIRMING_CHUNKS, MANY_CHUNKS, walk_restarts
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeStream
from toyadmos_datasets.errors import CorruptMemberError

N_MEMBERS = 12
PIECE = 7_001
DATA = {clip(n): b"RIFF" + crafted.noise(9_000 + 37 * n, n) for n in range(1, N_MEMBERS + 1)}
WHOLE = b"".join(DATA.values())
STARTS = dict(zip(DATA, [sum(map(len, list(DATA.values())[:n])) for n in range(N_MEMBERS)], strict=True))


def delta_coder(distance: int) -> tuple[bytes, bytes]:
    return b"\x03", bytes([distance - 1])


def source_of(folder, packed: bytes, coders, data=DATA, n_volumes: int = 3):
    files = [CraftedFile(path, content) for path, content in data.items()]
    content = crafted.archive([CraftedFolder(files, coders=coders, packed=packed)])
    return open_source(crafted.write(folder, content, n_volumes=n_volumes), "ToyTrain")


def read_parts(source, wanted) -> dict[str, bytes]:
    return {
        member.path: b"".join(chunks)
        for part in source.parts(0, wanted)
        for member, chunks in source.read(0, part.members, None, part.restart)
    }


def walked(packed: bytes, n_bytes: int, **more: int) -> list[tuple[int, int]]:
    """Positions and decoded places at which an LZMA2 stream may be entered."""
    block = PackedBlock(
        number=0,
        offset=0,
        n_packed_bytes=len(packed),
        coders=(Coder(method="21", properties=b"\x0c"),),
        sizes=(n_bytes,),
    )
    return [(one.position, one.offset) for one in walk_restarts(io.BytesIO(packed), block, **more)]


@pytest.mark.parametrize("n_stored", [0, 500])
def test_a_walk_finds_every_reset_and_each_decodes_by_itself(n_stored):
    packed = crafted.restarting(WHOLE, PIECE, n_stored=n_stored)

    found = walked(packed, len(WHOLE))

    assert [offset for _, offset in found] == list(range(0, len(WHOLE), PIECE))
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18}]
    for (start, offset), (stop, _) in zip(found, [*found[1:], (len(packed) - 1, 0)], strict=True):
        piece = lzma.decompress(packed[start:stop] + b"\0", format=lzma.FORMAT_RAW, filters=filters)
        assert piece == WHOLE[offset : offset + PIECE]


def test_a_stream_without_resets_can_be_entered_at_its_beginning_alone():
    packed = crafted.squeeze(WHOLE, [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18}])

    assert walked(packed, len(WHOLE)) == [(0, 0)]


def test_a_false_reset_in_packed_bytes_is_not_followed():
    inner = crafted.restarting(WHOLE, 2_000, n_stored=100)
    packed = crafted.restarting(inner, 20_000, n_stored=1000)

    assert [offset for _, offset in walked(packed, len(inner))] == list(range(0, len(inner), 20_000))


@pytest.mark.parametrize("wrong", [b"\x00\x00", b"\xff\xff", b"\x00\x63"])
def test_behind_a_chunk_of_a_wrong_size_no_restart_is_found(wrong):
    packed = bytearray(crafted.restarting(WHOLE, PIECE, n_stored=200))
    right = walked(bytes(packed), len(WHOLE))
    spoilt = 8
    packed[right[spoilt][0] + 1 : right[spoilt][0] + 3] = wrong

    found = walked(bytes(packed), len(WHOLE))

    assert 0 < len(found) <= spoilt
    assert found == right[: len(found)]


def test_a_chain_that_ends_early_gives_no_restart_from_its_last_chunks():
    packed = bytearray(crafted.restarting(WHOLE, 500, n_stored=500))
    right = walked(bytes(packed), len(WHOLE))
    packed[right[40][0]] = 0

    assert walked(bytes(packed), len(WHOLE)) == right[: 40 - CONFIRMING_CHUNKS]


def test_a_chain_whose_sizes_do_not_add_up_to_the_block_gives_none_from_its_last_chunks():
    packed = crafted.restarting(WHOLE, 500, n_stored=500)
    right = walked(packed, len(WHOLE))

    assert walked(packed, len(WHOLE) + 1) == right[: len(right) - CONFIRMING_CHUNKS]
    assert walked(packed + b"\0", len(WHOLE)) == right[: len(right) - CONFIRMING_CHUNKS]
    assert len(walked(packed, len(WHOLE) - 5_000)) < len(right) - 9


def test_a_walk_goes_no_further_than_the_bytes_that_are_there():
    packed = crafted.restarting(WHOLE, 500, n_stored=500)
    right = walked(packed, len(WHOLE))

    assert walked(packed, len(WHOLE), stop=right[60][0]) == right[: 60 - CONFIRMING_CHUNKS]
    assert walked(packed, len(WHOLE), stop=0) == []


def test_a_walk_gives_up_among_chunks_of_a_few_bytes():
    packed = crafted.restarting(bytes(3 * MANY_CHUNKS), 2, n_stored=1)

    assert len(walked(packed, 3 * MANY_CHUNKS)) < MANY_CHUNKS


@given(st.binary(max_size=300), st.integers(1, 1 << 20))
def test_no_bytes_make_a_walk_fail_or_leave_the_block(packed, n_bytes):
    for position, offset in walked(packed, n_bytes):
        assert 0 <= position < len(packed)
        assert 0 <= offset < n_bytes


def test_a_walk_reads_headers_only(tmp_path):
    source = source_of(tmp_path, crafted.restarting(WHOLE, PIECE, n_stored=3000), [LZMA2])
    read: list[int] = []

    class Counted(VolumeStream):
        def readinto(self, buffer):
            n_bytes = super().readinto(buffer)
            read.append(n_bytes)
            return n_bytes

    parts = list(find_parts(source.volumes, source.table, block=0, wanted=set(DATA), open_stream=Counted))

    assert len(parts) > N_MEMBERS // 2
    assert sum(read) < len(WHOLE) // 100


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("n_stored", [0, 500])
def test_parts_decode_to_the_same_bytes_though_recordings_cross_resets(tmp_path, distance, n_stored):
    coders = [LZMA2, delta_coder(distance)] if distance else [LZMA2]
    packed = crafted.restarting(WHOLE, PIECE, distance=distance, n_stored=n_stored)
    source = source_of(tmp_path, packed, coders)

    parts = list(source.parts(0, set(DATA)))

    assert [path for part in parts for path in part.members] == list(DATA)
    assert [part.begin for part in parts] == [STARTS[part.members[0]] for part in parts]
    assert [part.restart and part.restart.offset for part in parts] == [
        part.begin // PIECE * PIECE or None for part in parts
    ]
    assert read_parts(source, set(DATA)) == DATA


@pytest.mark.parametrize("distance", [5, 8, 255, 256])
def test_behind_a_delta_whose_history_no_file_tells_decoding_begins_at_the_beginning(tmp_path, distance):
    packed = crafted.restarting(WHOLE, PIECE, distance=distance)
    source = source_of(tmp_path, packed, [LZMA2, delta_coder(distance)])

    assert [part.restart for part in source.parts(0, set(DATA))] == [None]
    assert read_parts(source, set(DATA)) == DATA


@pytest.mark.parametrize(
    ("coders", "packed"),
    [
        ([COPY], WHOLE),
        (
            [(b"\x03\x01\x01", b"\x5d\x00\x00\x04\x00")],
            crafted.squeeze(WHOLE, [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 18}]),
        ),
        ([LZMA2, delta_coder(2), delta_coder(1)], crafted.restarting(crafted.delta(WHOLE, 1), PIECE, distance=2)),
        ([LZMA2], crafted.squeeze(WHOLE, [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 18}])),
    ],
    ids=["Copy", "LZMA", "two filters", "no resets"],
)
def test_other_blocks_are_one_part(tmp_path, coders, packed):
    source = source_of(tmp_path, packed, coders)

    assert [part.restart for part in source.parts(0, set(DATA))] == [None]
    assert read_parts(source, set(DATA)) == DATA


def test_parts_have_the_wanted_recordings_alone(tmp_path):
    source = source_of(tmp_path, crafted.restarting(WHOLE, PIECE, distance=2), [LZMA2, delta_coder(2)])
    wanted = {clip(5), clip(6), clip(11)}

    assert read_parts(source, wanted) == {path: DATA[path] for path in sorted(wanted)}
    assert list(source.parts(0, {"ToyTrain/elsewhere.wav"})) == []


def test_a_recording_too_short_to_tell_the_history_goes_with_what_is_before_it(tmp_path):
    data = DATA | {clip(5): b"R"}
    whole = b"".join(data.values())
    source = source_of(tmp_path, crafted.restarting(whole, PIECE, distance=4), [LZMA2, delta_coder(4)], data)

    assert all(part.members[0] != clip(5) for part in source.parts(0, set(data)))
    assert read_parts(source, set(data)) == data


def test_a_file_that_is_no_wav_is_told_wrong_where_its_history_was_guessed_and_the_next_is_right(tmp_path):
    data = DATA | {clip(5): b"junk" + DATA[clip(5)][4:]}
    whole = b"".join(data.values())
    source = source_of(tmp_path, crafted.restarting(whole, 200, distance=2), [LZMA2, delta_coder(2)], data)
    restart = next(part.restart for part in source.parts(0, set(data)) if part.members[0] == clip(5))
    outcome = {}
    for member, chunks in source.read(0, {clip(5), clip(6)}, None, restart):
        try:
            outcome[member.path] = b"".join(chunks)
        except CorruptMemberError:
            outcome[member.path] = b""

    assert outcome == {clip(5): b"", clip(6): data[clip(6)]}
    assert dict(read_whole(source)) == data


def read_whole(source):
    for member, chunks in source.read(0, set(DATA)):
        yield member.path, b"".join(chunks)


def test_what_is_decoded_is_counted_from_the_restart_on(tmp_path):
    source = source_of(tmp_path, crafted.restarting(WHOLE, PIECE), [LZMA2])
    part = next(part for part in source.parts(0, {clip(7)}))
    told: list[int] = []

    for _, chunks in source.read(0, part.members, told.append, part.restart):
        assert b"".join(chunks) == DATA[clip(7)]

    assert sum(told) == part.stop - part.restart.offset


@given(data=st.binary(min_size=1, max_size=400), distance=st.integers(1, 4), before=st.binary(max_size=50))
def test_the_first_bytes_of_a_file_undo_any_history(data, distance, before):
    whole = before + b"RIFF" + data
    cut = random.Random(len(data)).randrange(len(before) + 1)  # noqa: S311
    filtered, given_out = crafted.delta(whole, distance)[cut:], bytearray()
    for place, byte in enumerate(filtered):
        given_out.append((byte + (given_out[place - distance] if place >= distance else 0)) & 0xFF)
    carry, start = DeltaCarry(distance), len(before)
    carry.derive(bytes(given_out[start - cut : start - cut + distance]), start)

    assert carry.add_to(bytes(given_out[start - cut :]), start) == whole[start:]
