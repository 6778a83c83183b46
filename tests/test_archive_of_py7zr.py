"""Archives that py7zr wrote and added to, as the simulation's are."""

from __future__ import annotations

import zlib
from pathlib import Path

import py7zr
import pytest

from toyadmos_datasets.archives import open_source

NAMES = [f"ToyTrain/case1/NormalSound_IND/3100010001_ToyTrain_case1_normal_IND_ch{n}_0001.wav" for n in (1, 2)]


def add(archive: Path, name: str, content: bytes, *, packed_header: bool) -> None:
    with py7zr.SevenZipFile(archive, "a" if archive.exists() else "w") as container:
        container.set_encoded_header_mode(packed_header)
        container.writestr(content, name)


@pytest.mark.parametrize("packed_header", [True, False])
def test_an_archive_that_was_added_to_opens_with_every_member(tmp_path, packed_header):
    # py7zr leaves the checksum of a packed header out when it adds, which the format allows.
    for name in NAMES:
        add(tmp_path / "ToyTrain.7z", name, name.encode() * 50, packed_header=packed_header)

    members = open_source(tmp_path, "ToyTrain").members()

    assert [member.path for member in members] == NAMES
    assert [member.crc32 for member in members] == [zlib.crc32(name.encode() * 50) for name in NAMES]
