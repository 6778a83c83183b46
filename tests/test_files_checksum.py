"""Checksums are of the bytes, whatever the size."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from toyadmos_datasets.files.atomic import HashedFile
from toyadmos_datasets.files.reading import sha256_of

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of the bytes ``abc``.

Source:
    FIPS 180-2, appendix B.1.
"""


def test_the_checksum_of_abc_is_the_standards(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")

    assert sha256_of(tmp_path / "abc") == ABC


@pytest.mark.parametrize("n_bytes", [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**20 + 7])
def test_files_longer_than_a_piece_are_hashed_whole(tmp_path, n_bytes):
    content = bytes(range(256)) * (n_bytes // 256) + bytes(n_bytes % 256)
    (tmp_path / "file").write_bytes(content)

    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_one_flipped_bit_changes_the_checksum(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00" * 1000)
    (tmp_path / "b").write_bytes(b"\x00" * 999 + b"\x01")

    assert sha256_of(tmp_path / "a") != sha256_of(tmp_path / "b")


def test_a_large_file_is_not_held_in_memory(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(64 * 2**20)
    tracemalloc.start()
    sha256_of(tmp_path / "sparse")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2 * 2**20


def test_what_is_written_is_hashed_and_counted_on_its_way(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        hashed = HashedFile(file)
        for part in (b"a", b"", b"bc"):
            hashed.write(part)

    assert (hashed.sha256, hashed.n_bytes, hashed.closed) == (ABC, 3, True)
    assert (tmp_path / "file").read_bytes() == b"abc"
