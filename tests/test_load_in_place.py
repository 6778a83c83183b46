"""No second copy: clips stay in the shards, and what is kept beside them is small, found again and shared."""

from __future__ import annotations

import pickle
import sys
from dataclasses import asdict
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFile
from loading import first_shard, stored
from preparing import hashes, options
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.loading import clip_positions
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.shards import state_of

pytestmark = pytest.mark.usefixtures("datasets_cache")


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_cache_gets_no_clip_and_the_folder_nothing(copy, tmp_path):
    before = hashes(copy)
    loaded = load_dataset(copy, cache_dir=tmp_path / "hf")
    clips = [row["bytes"] for split in loaded for row in stored(copy, split=split)]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "hf").rglob("*") if path.is_file())

    assert not any(clip[1000:2000] in kept for clip in clips)
    assert size_of(tmp_path / "hf") < 50_000
    assert hashes(copy) == before


def test_a_mapped_clip_is_the_bytes_of_the_shard(copy, tmp_path):
    rows = load_dataset(copy, split="train", decode=False, cache_dir=tmp_path / "hf")
    _, path = first_shard(copy)
    clips = rows.data["audio"].chunk(0).field("bytes")
    mapped = clips.buffers()[2]

    assert mapped.to_pybytes() in path.read_bytes()
    assert not mapped.is_mutable
    assert [clip.as_py() for clip in clips] == [row["bytes"] for row in stored(copy)]


def test_pickling_and_what_is_derived_send_no_audio(copy):
    rows = load_dataset(copy, split="train")

    assert len(pickle.dumps(rows)) < 50_000
    assert len(pickle.dumps(rows.select(range(1, 4)).rename_column("audio", "sound"))) < 50_000
    assert pickle.loads(pickle.dumps(rows.remove_columns("toy")))[2]["audio"]["path"] == rows[2]["audio"]["path"]


def test_results_of_map_are_kept_in_the_cache_and_found_again(copy, tmp_path):
    def count(row):
        return {"n": len(row["audio"]["array"])}

    results = [load_dataset(copy, split="train", cache_dir=tmp_path / "hf").map(count).cache_files for _ in range(2)]

    assert results[0] == results[1]
    assert Path(results[0][0]["filename"]).is_relative_to(tmp_path / "hf")


def test_the_hashes_are_compared_once(copy, tmp_path, monkeypatch):
    checked = []
    real = clip_positions._check_hash
    monkeypatch.setattr(
        clip_positions, "_check_hash", lambda mapped, shard: checked.append(shard.path) or real(mapped, shard)
    )
    load_dataset(copy, cache_dir=tmp_path / "hf")
    load_dataset(copy, split="test", cache_dir=tmp_path / "hf")

    assert sorted(Path(path).name for path in checked) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00001.parquet",
    ]


def test_parquet_that_others_wrote_is_refused_rather_than_misread(copy, tmp_path):
    shard, path = first_shard(copy)
    pq.write_table(pq.read_table(path), path, compression="zstd")
    placed = clip_positions.PlacedShard(
        path=str(path),
        n_bytes=path.stat().st_size,
        mtime_ns=path.stat().st_mtime_ns,
        inode=path.stat().st_ino,
        sha256=sha256_of(path),
    )

    assert shard.sha256 != placed.sha256
    with pytest.raises(DatasetError) as caught:
        clip_positions.write_places([placed], tmp_path / "places.arrow")

    assert "as toyadmos prepare writes it" in caught.value.expected
    assert "ZSTD" in caught.value.actual


def test_rows_without_a_clip_stay_without_one(tmp_path):
    features = '{"info": {"features": {"audio": {"_type": "Audio"}, "n": {"dtype": "int64", "_type": "Value"}}}}'
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("audio", audio), ("n", pa.int64())], metadata={"huggingface": features})
    rows = [{"audio": {"bytes": b"abc" * n, "path": str(n)} if n % 3 else None, "n": n} for n in range(10)]
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.Table.from_pylist(rows, schema=schema),
        path,
        row_group_size=4,
        compression="none",
        use_dictionary=False,
        column_encoding={"audio.bytes": "DELTA_LENGTH_BYTE_ARRAY"},
    )
    state = asdict(state_of(path.stat()))
    shard = clip_positions.PlacedShard(path=str(path), **state, sha256=sha256_of(path))
    clip_positions.write_places([shard], tmp_path / "places.arrow")

    assert clip_positions.read_places(tmp_path / "places.arrow").to_pylist() == rows


@pytest.fixture
def split_up(prepared, tmp_path, monkeypatch) -> Path:
    """The same dataset in shards of three clips, and in row groups of two."""
    monkeypatch.setattr(sys.modules["toyadmos_datasets.rendering.render_job"], "ROWS_A_SHARD", 3)
    monkeypatch.setattr(sys.modules["toyadmos_datasets.rendering.shard_writer"], "ROWS_A_GROUP", 2)
    return prepare(options(prepared.parent / "source", tmp_path, protocols=("basic",), snrs_db=(6.0,))).out


@pytest.mark.parametrize("n_rows", [1, 4, 1000])
def test_rows_are_the_same_in_however_many_shards_groups_and_kept_pieces_they_lie(
    prepared, split_up, tmp_path, monkeypatch, n_rows
):
    monkeypatch.setattr(clip_positions, "_BATCH_ROWS", n_rows)
    found = load_dataset(split_up, split="train", decode=False, cache_dir=tmp_path / "hf")
    expected = load_dataset(prepared, split="train", decode=False, cache_dir=tmp_path / "hf")

    assert len(read_manifest(split_up).configs["clean"]["train"]) > 1
    assert found.to_list() == expected.to_list()
    assert found[2:5] == expected[2:5]
    assert pickle.loads(pickle.dumps(found)).to_list() == expected.to_list()


def n_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_no_shard_stays_open_for_its_clips_to_be_mapped(split_up, tmp_path):
    load_dataset(split_up, split="train", cache_dir=tmp_path / "hf")
    n_open = n_open_files()
    rows = load_dataset(split_up, split="train", cache_dir=tmp_path / "hf")
    loader_spans = clip_positions.read_spans(next((tmp_path / "hf").rglob("train.arrow")))

    assert n_open_files() == n_open
    assert len(rows) == len(loader_spans.start)


def test_other_metadata_leave_the_rows_as_they_are(prepared, tmp_path):
    table = load_dataset(prepared, split="train", decode=False, cache_dir=tmp_path / "hf").data
    other = table.replace_schema_metadata({"a": "b"})

    assert other.schema.metadata == {b"a": b"b"} != table.schema.metadata
    for found in (other, pickle.loads(pickle.dumps(other))):
        assert found.fast_slice(1, 2).schema.metadata == {b"a": b"b"}
        assert found.fast_gather([0, 3]).to_pylist() == table.fast_gather([0, 3]).to_pylist()


@pytest.fixture
def far(prepared):
    memory = fsspec.filesystem("memory")
    memory.put(str(prepared), "/shared", recursive=True)
    yield "memory://shared"
    memory.rm("/shared", recursive=True)


def test_an_address_is_copied_once_and_then_mapped(prepared, far, tmp_path, monkeypatch):
    rows = load_dataset(far, split="train", decode=False, cache_dir=tmp_path / "hf")
    n_bytes = size_of(tmp_path / "hf")
    monkeypatch.setattr(fsspec.filesystem("memory"), "cat_file", None)
    again = load_dataset(far, split="train", decode=False, cache_dir=tmp_path / "hf")

    assert list(rows["audio"]) == list(again["audio"]) == stored(prepared)
    assert size_of(tmp_path / "hf") == n_bytes < size_of(prepared / "data" / "clean")


@pytest.mark.parametrize("kind", [ConnectionResetError, RuntimeError])
def test_a_line_that_breaks_while_an_address_is_copied_is_no_fault_of_the_disk(
    far, prepared, tmp_path, monkeypatch, kind
):
    shard, _ = first_shard(prepared)
    read = MemoryFile.read

    def break_off(file, n_bytes=-1):
        if file.path.endswith(shard.path):
            raise kind("secret: the line is dead")
        return read(file, n_bytes)

    monkeypatch.setattr(MemoryFile, "read", break_off)
    with refused(DatasetError) as caught:
        load_dataset(far, split="train", cache_dir=tmp_path / "hf")

    assert caught.value.where == f"memory://shared/{shard.path}"
    assert "secret" not in str(caught.value)
    assert not list((tmp_path / "hf").rglob("*.parquet"))


def test_a_tampered_copy_of_an_address_is_an_error_and_not_kept(far, prepared, tmp_path):
    shard, _ = first_shard(prepared)
    memory = fsspec.filesystem("memory")
    content = bytearray(memory.cat_file(f"/shared/{shard.path}"))
    content[len(content) // 2] ^= 1
    memory.pipe_file(f"/shared/{shard.path}", bytes(content))

    for _ in range(2):
        with refused(DatasetError) as caught:
            load_dataset(far, split="train", cache_dir=tmp_path / "hf")
        assert caught.value.expected == f"sha256 {shard.sha256}"
        assert caught.value.where == f"memory://shared/{shard.path}"
