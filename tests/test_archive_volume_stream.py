from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream, find_volumes, read_exactly
from toyadmos_datasets.errors import SourceError, VolumeError

OPEN_FILES = Path("/dev/fd")
CONTENT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def volumes(tmp_path_factory) -> VolumeSet:
    folder = tmp_path_factory.mktemp("volumes")
    for n in range(11):
        (folder / f"ToyTrain.7z.{n + 1:03d}").write_bytes(CONTENT[n * 100 : (n + 1) * 100])
    found = find_volumes(folder, "ToyTrain")
    assert found is not None
    return found


@given(offset=st.integers(0, 1100), n_bytes=st.integers(0, 1100))
def test_any_range_reads_as_in_the_joined_file(volumes, offset, n_bytes):
    with VolumeStream(volumes) as stream:
        stream.seek(offset)
        data = read_exactly(stream, n_bytes)

        assert data == CONTENT[offset : offset + n_bytes]
        assert stream.tell() == offset + len(data)


def test_buffered_reading_joins_the_volumes(volumes):
    with io.BufferedReader(VolumeStream(volumes), buffer_size=64) as buffered:
        assert buffered.read() == CONTENT


def test_seeking_from_here_and_from_the_end_works_as_in_files(volumes):
    with VolumeStream(volumes) as stream:
        assert stream.seek(-24, os.SEEK_END) == 1000
        assert stream.read(100) == CONTENT[1000:]
        assert stream.read(100) == b""
        assert stream.seek(-4, os.SEEK_CUR) == 1020
        with refused(ValueError):
            stream.seek(-1)


def test_a_pickled_stream_goes_on_where_it_was_without_an_open_file(volumes):
    with VolumeStream(volumes) as stream:
        stream.read(150)
        position = stream.tell()
        content = pickle.dumps(stream)

    with pickle.loads(content) as again:
        assert read_exactly(again, 10) == CONTENT[position : position + 10]


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="this system does not list open files")
def test_only_one_volume_is_open_at_a_time(volumes):
    before = len(list(OPEN_FILES.iterdir()))

    with VolumeStream(volumes) as stream:
        read_exactly(stream, 1024)
        while_open = len(list(OPEN_FILES.iterdir()))

    assert while_open == before + 1


def test_a_volume_that_changed_its_size_is_an_error(tmp_path):
    path = tmp_path / "ToyTrain.7z"
    path.write_bytes(b"0123456789")
    volumes = VolumeSet(paths=(path,), sizes=(10,))
    path.write_bytes(b"01234")

    with VolumeStream(volumes) as stream, refused(VolumeError) as caught:
        stream.read(1)

    assert (caught.value.expected, caught.value.actual) == ("10 bytes", "5 bytes")


def test_a_volume_cut_short_under_the_reader_is_an_error(tmp_path):
    path = tmp_path / "ToyTrain.7z"
    path.write_bytes(b"0123456789")
    with VolumeStream(VolumeSet(paths=(path,), sizes=(10,))) as stream:
        stream.read(4)
        os.truncate(path, 4)

        with refused(VolumeError):
            stream.read(4)


def test_a_volume_that_vanished_is_an_error_that_names_it(tmp_path):
    volumes = VolumeSet(paths=(tmp_path / "ToyTrain.7z.001",), sizes=(10,))

    with VolumeStream(volumes) as stream, refused(SourceError) as caught:
        stream.read(1)

    assert caught.value.where == str(tmp_path / "ToyTrain.7z.001")
    assert "ENOENT" in caught.value.actual
