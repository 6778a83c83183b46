from __future__ import annotations

import os
import struct
import zlib

import crafted
import pytest
from wording import refused

from toyadmos_datasets.archives.sevenzip.signature import read_next_header
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeStream, find_volumes
from toyadmos_datasets.errors import ArchiveError, VolumeError

CONTENT = crafted.joined(crafted.noise(5000), b"the header")


def read(folder):
    volumes = find_volumes(folder, "ToyTrain")
    assert volumes is not None
    with VolumeStream(volumes) as stream:
        return read_next_header(volumes, stream)


@pytest.mark.parametrize("n_volumes", [0, 1, 2, 7])
def test_the_header_is_found_at_the_end_of_the_volumes(tmp_path, n_volumes):
    assert read(crafted.write(tmp_path, CONTENT, n_volumes=n_volumes)) == b"the header"


def test_missing_last_volumes_are_named_with_the_bytes_that_are_missing(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=5)
    size = (tmp_path / "ToyTrain.7z.001").stat().st_size
    for n in (4, 5):
        (tmp_path / f"ToyTrain.7z.00{n}").unlink()

    with refused(VolumeError) as caught:
        read(tmp_path)

    assert caught.value.actual == f"{3 * size} bytes in 3 file(s): {len(CONTENT) - 3 * size} missing"
    assert "Fetch ToyTrain.7z.004 to ToyTrain.7z.005 into" in caught.value.remedy


def test_one_missing_last_volume_is_named(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=5)
    (tmp_path / "ToyTrain.7z.005").unlink()

    with refused(VolumeError) as caught:
        read(tmp_path)

    assert "Fetch ToyTrain.7z.005 into" in caught.value.remedy


def test_a_truncated_last_volume_is_named(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=5)
    last = tmp_path / "ToyTrain.7z.005"
    last.write_bytes(last.read_bytes()[:-3])

    with refused(VolumeError) as caught:
        read(tmp_path)

    assert caught.value.where == str(last)
    assert "3 missing" in caught.value.actual
    assert "Fetch ToyTrain.7z.005 again" in caught.value.remedy


def test_a_truncated_whole_archive_is_an_error(tmp_path):
    with refused(VolumeError):
        read(crafted.write(tmp_path, CONTENT[:-1]))


@pytest.mark.parametrize("garbage", [b"\0", b"<html>" * 300])
def test_anything_after_the_end_is_an_error(tmp_path, garbage):
    with refused(ArchiveError) as caught:
        read(crafted.write(tmp_path, CONTENT + garbage, n_volumes=2))

    assert f"{len(garbage)} too many" in caught.value.actual
    assert caught.value.where.endswith("ToyTrain.7z.002")
    assert "Fetch ToyTrain.7z.002 again" in caught.value.remedy


def test_a_first_volume_that_is_no_archive_is_an_error(tmp_path):
    with refused(ArchiveError) as caught:
        read(crafted.write(tmp_path, b"<!DOCTYPE html>" * 100))

    assert caught.value.actual.startswith("3c 21 44 4f 43 54")


@pytest.mark.parametrize("content", [b"", CONTENT[:31]])
def test_a_first_volume_of_less_than_32_bytes_is_an_error(tmp_path, content):
    with refused(ArchiveError):
        read(crafted.write(tmp_path, content))


def test_the_first_volume_swapped_with_another_is_an_error(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=5)
    first, second = (tmp_path / f"ToyTrain.7z.00{n}" for n in (1, 2))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)

    with refused(ArchiveError):
        read(tmp_path)


@pytest.mark.parametrize("position", range(8, 32))
def test_a_flipped_byte_in_the_start_header_is_an_error(tmp_path, position):
    content = bytearray(CONTENT)
    content[position] ^= 0x10

    with refused(ArchiveError):
        read(crafted.write(tmp_path, bytes(content)))


def test_a_flipped_byte_in_the_header_is_an_error_that_names_its_volume(tmp_path):
    content = bytearray(CONTENT)
    content[-1] ^= 1

    with refused(ArchiveError) as caught:
        read(crafted.write(tmp_path, bytes(content), n_volumes=3))

    assert caught.value.where.endswith("ToyTrain.7z.003")
    assert caught.value.expected == f"CRC32 {zlib.crc32(b'the header'):08x}"


def test_a_header_that_is_all_there_and_larger_than_any_can_be_is_an_error_before_it_is_read(tmp_path):
    size = (1 << 28) + 1
    start = struct.pack("<QQI", 0, size, 0)
    crafted.write(tmp_path, CONTENT[:8] + struct.pack("<I", zlib.crc32(start)) + start)
    os.truncate(tmp_path / "ToyTrain.7z", 32 + size)  # a hole: it takes no room

    with refused(ArchiveError) as caught:
        read(tmp_path)

    assert caught.value.actual == f"{size} bytes"


def test_a_header_of_petabytes_is_an_error_before_anything_is_read(tmp_path):
    start = struct.pack("<QQI", 0, 1 << 50, 0)
    content = CONTENT[:8] + struct.pack("<I", zlib.crc32(start)) + start + CONTENT[32:]

    with refused(VolumeError):
        read(crafted.write(tmp_path, content))
