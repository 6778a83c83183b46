"""Tables are read from memory that Arrow gives up by itself, at whatever moment its threads come to it."""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from wording import refused

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.planning.custom_table import read_examples
from toyadmos_datasets.values.index import read_index
from toyadmos_datasets.values.parquet_files import open_in_own_memory
from toyadmos_datasets.values.recipe import read_recipe
from toyadmos_datasets.values.shared_recipe import read_shared_recipe


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 5000], ids=len)
def test_a_file_is_read_whole_into_memory_that_is_not_pythons(tmp_path, content):
    path = tmp_path / os.fsdecode(b"byte \xff")
    path.write_bytes(content)
    before = pa.total_allocated_bytes()
    file = open_in_own_memory(path)

    assert pa.total_allocated_bytes() - before >= len(content)
    assert file.read() == content


@pytest.mark.parametrize("read", [read_recipe, read_shared_recipe, read_index, read_examples])
@pytest.mark.parametrize("name", ["table.parquet", "table.csv"])
def test_arrows_threads_are_handed_no_file_of_pythons(tmp_path, monkeypatch, read, name):
    handed = []
    path = tmp_path / name
    pq.write_table(pa.table({"a": [1]}), path) if name.endswith("parquet") else path.write_text("a\n1\n")
    for module, reader in ((pq, "read_metadata"), (pa_csv, "read_csv")):
        monkeypatch.setattr(module, reader, _noting(getattr(module, reader), handed))

    with pytest.raises(DatasetError):  # what it holds is of no use; how it was read is what counts
        read(path)

    assert [type(one) for one in handed] == [pa.BufferReader]


def _noting(reader, handed):
    def read(source, **options):
        handed.append(source)
        return reader(source, **options)

    return read


@pytest.mark.parametrize("read", [read_recipe, read_shared_recipe, read_index, read_examples])
def test_a_file_that_is_missing_is_said_to_be(tmp_path, read):
    with refused(DatasetError) as caught:
        read(tmp_path / "none.parquet")

    assert caught.value.where == str(tmp_path / "none.parquet")
