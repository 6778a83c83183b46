"""Files that should be small: one of gigabytes is refused before it is in memory, wherever it is."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.archives.remote.volume_list import read_manifest as read_table
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.checked_json import MAX_JSON_BYTES, read_json
from toyadmos_datasets.files.reading import MAX_CARD_BYTES, MAX_RECIPE_BYTES, read_bounded, read_bounded_file
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.sharing import Remote, fetch_recipe
from toyadmos_datasets.values.parquet_files import (
    MAX_FOOTER_BYTES,
    require_bounded_group,
    require_rows,
    require_short_footer,
)
from toyadmos_datasets.verifying.dataset_verification import check_card

HUGE = 4 << 30


class Endless(io.RawIOBase):
    """What a server sends that does not stop, and has not told how much it is."""

    n_read = 0

    def read(self, n: int = -1) -> bytes:
        assert n > 0
        self.n_read += n
        return bytes(n)


def sparse(path, n_bytes: int = HUGE):
    with path.open("wb") as file:
        file.truncate(n_bytes)
    return path


@pytest.fixture
def little_memory():
    """Fail where a test takes more than 32 MiB of memory."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 32 << 20


def test_content_within_the_bound_is_read_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)

    assert read_bounded_file(tmp_path / "a", 100, remedy="-") == b"x" * 100


def test_one_byte_more_is_an_error_that_names_file_bound_and_remedy(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 101)
    with refused(DatasetError) as caught:
        read_bounded_file(tmp_path / "a", 100, remedy="Look again.")

    assert caught.value.where == str(tmp_path / "a")
    assert (caught.value.expected, caught.value.actual) == ("at most 100 bytes", "101 bytes")


@pytest.mark.usefixtures("little_memory")
def test_what_never_ends_is_read_to_the_bound_and_no_further():
    file = Endless()
    with pytest.raises(DatasetError) as caught:
        read_bounded(file, 3 << 20, where="https://host/x", remedy="-")

    assert (caught.value.where, caught.value.actual) == ("https://host/x", "more")
    assert file.n_read == (3 << 20) + 1


@pytest.mark.usefixtures("little_memory")
def test_a_manifest_of_gigabytes_is_refused_near_and_far(tmp_path):
    path = sparse(tmp_path / "manifest.json")
    for read in (lambda: read_json(path), DatasetLocation(address=f"file://{tmp_path}").manifest):
        with pytest.raises(DatasetError) as caught:
            read()

        assert "manifest.json" in caught.value.where
        assert str(MAX_JSON_BYTES) in caught.value.expected


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("name", "most"),
    [("manifest.json", MAX_JSON_BYTES), ("README.md", MAX_CARD_BYTES), ("recipe.parquet", MAX_RECIPE_BYTES)],
)
def test_shared_files_of_gigabytes_are_refused_by_their_size(tmp_path, name, most):
    sparse(tmp_path / name)
    with pytest.raises(DatasetError) as caught:
        Remote(address=f"file://{tmp_path}").read(name)

    assert caught.value.where == f"file://{tmp_path}/{name}"
    assert caught.value.expected == f"at most {most} bytes"
    assert caught.value.actual == f"{HUGE} bytes"


@pytest.mark.usefixtures("little_memory")
def test_a_shared_recipe_of_gigabytes_is_not_fetched(tmp_path):
    sparse(tmp_path / "x.toyrecipe")
    with refused(DatasetError):
        fetch_recipe(f"file://{tmp_path}/x.toyrecipe", tmp_path / "out.toyrecipe")

    assert not (tmp_path / "out.toyrecipe").exists()


@pytest.mark.usefixtures("little_memory")
def test_a_card_and_a_table_of_volumes_of_gigabytes_are_refused(tmp_path, manifest):
    sparse(tmp_path / "README.md")
    (problem,) = check_card(tmp_path, manifest)
    with pytest.raises(OptionError):
        read_table(sparse(tmp_path / "volumes.csv"), "ToyTrain")

    assert problem.path == str(tmp_path / "README.md")


@pytest.fixture
def manifest(prepared):
    return DatasetLocation(address=str(prepared)).manifest()


def footer_of(n_bytes: int) -> io.BytesIO:
    return io.BytesIO(b"PAR1" + bytes(100) + n_bytes.to_bytes(4, "little") + b"PAR1")


@pytest.mark.parametrize("n_bytes", [MAX_FOOTER_BYTES + 1, (1 << 31) - 1, (1 << 32) - 1])
def test_a_footer_that_says_that_it_is_huge_is_refused_before_it_is_read(n_bytes):
    with pytest.raises(DatasetError) as caught:
        require_short_footer(footer_of(n_bytes), where="shard", remedy="-")

    assert str(n_bytes) in caught.value.actual


def test_a_shard_that_is_shorter_than_a_footer_is_refused():
    with pytest.raises(DatasetError):
        require_short_footer(io.BytesIO(b"PAR1"), where="shard", remedy="-")


def require_bounded(table: pa.Table, n_rows: int, **options) -> None:
    """Look at a file with a table as readers of shards do."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    with pq.ParquetFile(file) as parquet:
        require_rows(parquet.metadata, n_rows, where="shard", remedy="-")
        for group in range(parquet.num_row_groups):
            require_bounded_group(parquet, group, where="shard", remedy="-")


PLAIN = {"compression": "none", "use_dictionary": False}


@pytest.mark.parametrize(
    ("options", "n_rows"),
    [(PLAIN | {"compression": "zstd"}, 1000), (PLAIN | {"use_dictionary": True}, 1000), (PLAIN, 999)],
    ids=["compressed", "as a dictionary", "other rows than the manifest"],
)
def test_a_shard_of_which_few_bytes_become_many_is_refused_by_its_footer(options, n_rows):
    table = pa.table({"text": ["x" * 1000] * 1000})
    with pytest.raises(DatasetError) as caught:
        require_bounded(table, n_rows, **options)

    assert caught.value.where == "shard"
    require_bounded(table, 1000, **PLAIN)


@pytest.mark.usefixtures("datasets_cache")
def test_streaming_refuses_a_distant_shard_with_a_huge_footer(prepared):
    memory = fsspec.filesystem("memory")
    memory.put(str(prepared), "/huge-footer", recursive=True)
    content = json.loads(memory.cat_file("/huge-footer/manifest.json"))
    for shard in content["shards"]:
        place = f"/huge-footer/{shard['path']}"
        damaged = memory.cat_file(place)[:-8] + ((1 << 31) - 1).to_bytes(4, "little") + b"PAR1"
        shard["sha256"] = hashlib.sha256(damaged).hexdigest()
        memory.pipe(place, damaged)
    memory.pipe("/huge-footer/manifest.json", json.dumps(content).encode())
    with pytest.raises(DatasetError) as caught:
        load_dataset("memory://huge-footer", split="train", streaming=True)
    memory.rm("/huge-footer", recursive=True)

    assert str((1 << 31) - 1) in caught.value.actual
