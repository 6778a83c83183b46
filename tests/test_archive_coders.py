from __future__ import annotations

import lzma
import random
import struct
from collections.abc import Callable

import pytest
from crafted import noise, squeeze
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.archives.sevenzip.coders import Coder, open_chain
from toyadmos_datasets.archives.source_reading import PIECE_BYTES

LZMA1 = Coder(method="030101", properties=b"\x5d" + (1 << 20).to_bytes(4, "little"))
LZMA2 = Coder(method="21", properties=b"\x12")
DELTA = Coder(method="03", properties=b"\x01")
COPY = Coder(method="00")
BRANCH = {
    "03030103": lzma.FILTER_X86,
    "03030205": lzma.FILTER_POWERPC,
    "03030401": lzma.FILTER_IA64,
    "03030501": lzma.FILTER_ARM,
    "03030701": lzma.FILTER_ARMTHUMB,
    "03030805": lzma.FILTER_SPARC,
}
FILTER_1 = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}
FILTER_2 = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}
FILTER_DELTA = {"id": lzma.FILTER_DELTA, "dist": 2}


def code(n_bytes: int) -> bytes:
    """What branch filters change: calls and jumps of x86 and of the others, close together."""
    picker = random.Random(n_bytes)  # noqa: S311
    words = (b"\xe8" + struct.pack("<i", 4000), b"\xe9\x10\x20\x00\x00", b"\xeb\x00\x00\x10", b"\x48\x00\x10\x01")
    slot = 5 << 37 | 100 << 13
    bundle = 0x16 | slot << 5 | slot << 46 | slot << 87  # three branches of an Itanium
    words += (bundle.to_bytes(16, "little"), b"\x00\xf0\x00\xf8", b"\x40\x00\x10\x00", noise(7, 3))
    return b"".join(picker.choice(words) for _ in range(n_bytes // 4 + 1))[:n_bytes]


def reader(packed: bytes, step: int = 1 << 30) -> Callable[[int], bytes]:
    left = bytearray(packed)

    def read(n_bytes: int) -> bytes:
        part = bytes(left[: min(n_bytes, step)])
        del left[: len(part)]
        return part

    return read


def decode(coders: list[Coder], packed: bytes, size: int, *, step: int = 1 << 30, ask: int = PIECE_BYTES) -> bytes:
    read = open_chain(coders, [size] * len(coders), reader(packed, step))
    out = bytearray()
    while len(out) < size and (part := read(min(ask, size - len(out)))):
        assert len(part) <= ask
        out += part
    return bytes(out)


def filtered(data: bytes, spec: dict[str, int]) -> bytes:
    """A filter's output alone: what is left when LZMA2 around it is undone."""
    packed = squeeze(data, [spec, FILTER_2])
    return lzma.decompress(packed, format=lzma.FORMAT_RAW, filters=[FILTER_2])


@pytest.mark.parametrize(
    ("coders", "filters"),
    [
        ([LZMA1], [FILTER_1]),
        ([LZMA2], [FILTER_2]),
        ([LZMA1, DELTA], [FILTER_DELTA, FILTER_1]),
        ([LZMA2, DELTA], [FILTER_DELTA, FILTER_2]),
        ([COPY, LZMA2, COPY, DELTA], [FILTER_DELTA, FILTER_2]),
        ([LZMA2, DELTA, DELTA], [FILTER_DELTA, FILTER_DELTA, FILTER_2]),
    ],
)
@pytest.mark.parametrize("ask", [1000, PIECE_BYTES])
def test_what_was_packed_comes_out(coders, filters, ask):
    data = noise(200_000)

    assert decode(coders, squeeze(data, filters), len(data), ask=ask) == data


@pytest.mark.parametrize("method", BRANCH)
@pytest.mark.parametrize("compressor", [LZMA1, LZMA2, COPY])
@pytest.mark.parametrize("size", [0, 1, 3, 5, 16, 65_535, 65_536, 65_537, 200_003])
def test_branch_filters_give_out_their_last_bytes_with_every_compressor(method, compressor, size):
    data = code(size)
    inner = filtered(data, {"id": BRANCH[method]}) if size else b""
    packed = inner if compressor.is_copy else squeeze(inner, [FILTER_1 if compressor is LZMA1 else FILTER_2])

    assert decode([compressor, Coder(method=method)], packed, size) == data


def test_the_data_of_the_tests_above_is_changed_by_the_filters():
    data = code(200_003)

    for spec in BRANCH.values():
        assert filtered(data, {"id": spec}) != data


def test_six_filters_in_a_row_are_more_than_liblzma_takes_at_once_and_come_out():
    data = code(100_000)
    inner = data
    for spec in BRANCH.values():
        inner = filtered(inner, {"id": spec})
    coders = [Coder(method=method) for method in reversed(BRANCH)]

    assert decode([LZMA2, *coders], squeeze(inner, [FILTER_2]), len(data)) == data
    assert decode([LZMA1, *coders], squeeze(inner, [FILTER_1]), len(data)) == data
    assert decode([COPY, *coders], inner, len(data)) == data


def test_one_compressor_over_another_comes_out():
    data = noise(50_000)
    once = squeeze(data, [FILTER_1])
    read = open_chain([LZMA2, LZMA1], [len(once), len(data)], reader(squeeze(once, [FILTER_2])))

    assert b"".join(iter(lambda: read(PIECE_BYTES), b"")) == data


@given(step=st.integers(7, 5000), ask=st.integers(7, 70_000))
def test_neither_the_size_of_reads_nor_of_requests_changes_the_bytes(step, ask):
    data = code(10_000)
    inner = filtered(data, {"id": lzma.FILTER_X86})
    coders = [LZMA1, Coder(method="03030103")]

    assert decode(coders, squeeze(inner, [FILTER_1]), len(data), step=step, ask=ask) == data


def test_decoding_stops_at_the_size_that_the_archive_gives():
    data = bytes(300_000)
    read = open_chain([LZMA1], [1000], reader(squeeze(data, [FILTER_1])))

    assert len(read(PIECE_BYTES)) == 1000
    assert read(PIECE_BYTES) == b""


def test_a_bomb_comes_out_in_pieces_of_the_size_that_was_asked_for():
    packed = squeeze(bytes(16 << 20), [FILTER_2])
    read = open_chain([LZMA2, DELTA], [1 << 40, 1 << 40], reader(packed))

    assert len(packed) < 6_000
    assert 0 < len(read(PIECE_BYTES)) <= PIECE_BYTES


@pytest.mark.parametrize("coders", [[LZMA1], [LZMA2], [LZMA2, DELTA], [LZMA1, Coder(method="03030103")]])
def test_a_packed_stream_that_ends_early_gives_less_and_ends(coders):
    data = noise(100_000)
    packed = squeeze(data, [FILTER_1 if coders[0] is LZMA1 else FILTER_2])

    assert len(decode(coders, packed[: len(packed) // 2], len(data))) < len(data)


def test_an_empty_packed_stream_gives_nothing():
    assert decode([LZMA2], b"", 100) == b""
    assert decode([COPY], b"", 100) == b""
