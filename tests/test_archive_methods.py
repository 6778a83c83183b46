from __future__ import annotations

import lzma

import pytest
from wording import refused

from toyadmos_datasets.archives.sevenzip.coders import (
    Coder,
    describe,
    dictionary_bytes,
    lzma_filter,
    require_decodable,
)
from toyadmos_datasets.errors import ArchiveError, UnsupportedMethodError


def lzma1(dictionary: int, packed_parameters: int = 0x5D) -> Coder:
    return Coder(method="030101", properties=bytes([packed_parameters]) + dictionary.to_bytes(4, "little"))


def lzma2(setting: int) -> Coder:
    return Coder(method="21", properties=bytes([setting]))


DELTA = Coder(method="03", properties=b"\x01")


@pytest.mark.parametrize(
    ("coders", "text"),
    [
        ((lzma2(24),), "LZMA2:24"),
        ((lzma2(25),), "LZMA2:24m"),
        ((lzma1(1 << 24), DELTA), "Delta:2 LZMA:24"),
        ((lzma1(3000),), "LZMA:3000b"),
        ((lzma1(192 << 10),), "LZMA:192k"),
        ((Coder(method="00"),), "Copy"),
        ((lzma2(0), Coder(method="03030103")), "BCJ LZMA2:12"),
    ],
)
def test_coders_are_described_as_7zip_does(coders, text):
    assert describe(coders) == text


@pytest.mark.parametrize(("setting", "n_bytes"), [(0, 1 << 12), (1, 3 << 11), (18, 1 << 21), (40, 0xFFFFFFFF)])
def test_the_dictionary_of_lzma2_has_a_mantissa_of_two_or_three(setting, n_bytes):
    assert dictionary_bytes(lzma2(setting)) == n_bytes


def test_the_settings_of_lzma_are_unpacked():
    found = lzma_filter(lzma1(1 << 20, packed_parameters=(1 * 5 + 2) * 9 + 1))

    assert found == {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 1, "lp": 2, "pb": 1}


def test_a_dictionary_is_never_larger_than_what_is_decoded():
    assert lzma_filter(lzma2(37), n_bytes=5_000_000)["dict_size"] == 5_000_000
    assert lzma_filter(lzma2(37), n_bytes=1)["dict_size"] == 4096


def test_a_dictionary_of_gigabytes_is_an_error_that_says_how_large():
    with refused(ArchiveError) as caught:
        lzma_filter(lzma2(38), "here", n_bytes=1 << 40)

    assert caught.value.actual == "2.1 GB (LZMA2)"
    assert "-md=64m" in caught.value.remedy


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("040202", "BZip2"),
        ("030401", "PPMd"),
        ("040108", "Deflate"),
        ("040109", "Deflate64"),
        ("0303011b", "BCJ2"),
        ("04f71101", "Zstandard"),
        ("06f10701", "AES encryption"),
        ("0a", "ARM64"),
        ("0b", "RISCV"),
        ("c0ffee", "method c0ffee"),
    ],
)
def test_another_method_is_an_error_that_names_it(method, name):
    with refused(UnsupportedMethodError, name) as caught:
        require_decodable(Coder(method=method), "here")

    assert method in caught.value.actual
    assert "7z x" in caught.value.remedy


@pytest.mark.parametrize(
    "coder",
    [
        lzma2(41),
        Coder(method="21"),
        Coder(method="21", properties=b"\x10\x10"),
        Coder(method="03"),
        Coder(method="030101", properties=b"\x5d\0\0"),
        Coder(method="030101", properties=b"\xff\0\0\0\1"),
    ],
)
def test_impossible_settings_are_an_error(coder):
    with refused(ArchiveError, coder.name):
        require_decodable(coder, "here")


def test_literal_contexts_that_liblzma_lacks_are_an_error_that_names_them():
    with refused(UnsupportedMethodError):
        require_decodable(lzma1(1 << 20, packed_parameters=8), "here")


def test_a_branch_filter_with_settings_is_not_decoded():
    with pytest.raises(UnsupportedMethodError, match="BCJ"):
        require_decodable(Coder(method="03030103", properties=b"\1\0\0\0"), "here")


def test_copy_is_decodable():
    require_decodable(Coder(method="00"), "here")
