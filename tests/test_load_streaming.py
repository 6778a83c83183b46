"""Streaming: the same rows as they come, from a folder or an address, for workers and ranks to share."""

from __future__ import annotations

import sys

import datasets
import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from loading import measure_peak
from preparing import options
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import DatasetError, MissingExtraError, OptionError
from toyadmos_datasets.files.installing import install_command
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.loading.location import DatasetLocation

pytestmark = pytest.mark.usefixtures("datasets_cache")

CANARY = "canary-5c1f"


@pytest.fixture
def far(prepared):
    memory = fsspec.filesystem("memory")
    memory.put(str(prepared), "/streamed", recursive=True)
    yield "memory://streamed"
    memory.rm("/streamed", recursive=True)


def test_the_same_rows_come_as_they_are_asked_for(prepared, far):
    mapped = load_dataset(prepared, split="train")
    for place in (prepared, far):
        streamed = load_dataset(place, split="train", streaming=True)
        rows = list(streamed)

        assert isinstance(streamed, datasets.IterableDataset)
        assert streamed.features["label"].names == ["normal", "anomalous"]
        assert [row["event_id"] for row in rows] == mapped["event_id"]
        assert all(
            np.array_equal(row["audio"]["array"], other["audio"]["array"])
            for row, other in zip(rows, mapped, strict=True)
        )


def test_all_splits_come_by_name(prepared):
    assert set(load_dataset(prepared, "snr_6db", streaming=True)) == {"train", "test"}


@pytest.mark.parametrize(("decode", "expected"), [("int16", np.int16), (True, np.float32)])
def test_decoding_stays_with_what_is_made_of_it(prepared, decode, expected):
    rows = load_dataset(prepared, split="train", streaming=True, decode=decode).shuffle(seed=1).map(measure_peak)

    assert next(iter(rows))["audio"]["array"].dtype == expected
    assert next(iter(rows))["loudest"] > 0


def test_bytes_come_as_they_are(prepared):
    row = next(iter(load_dataset(prepared, split="train", streaming=True, decode=False)))

    assert row["audio"]["bytes"].startswith(b"RIFF")


def test_shards_are_shared_and_a_state_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["toyadmos_datasets.rendering.render_job"], "ROWS_A_SHARD", 2)
    source = write_tree(TinyCorpus(n_normal=8).files(), tmp_path / "source")
    rows = load_dataset(prepare(options(source, tmp_path, protocols=("basic",))).out, split="test", streaming=True)
    events = [row["event_id"] for row in rows]
    parts = [[row["event_id"] for row in rows.shard(rows.num_shards, number)] for number in range(rows.num_shards)]
    before = iter(rows)
    seen = [next(before)["event_id"] for _ in range(3)]
    again = load_dataset(tmp_path / "out", split="test", streaming=True)
    again.load_state_dict(rows.state_dict())

    assert rows.num_shards == 3
    assert sorted(event for part in parts for event in part) == sorted(events)
    assert seen + [row["event_id"] for row in again] == events


def test_an_expression_is_refused_with_what_to_do_instead(prepared):
    with refused(OptionError) as caught:
        load_dataset(prepared, split="train[:2]", streaming=True)

    assert ".take(n)" in caught.value.remedy


def test_an_address_without_a_dataset_is_said_to_be_one():
    with refused(DatasetError) as caught:
        load_dataset("memory://nothing/here")

    assert caught.value.where == "memory://nothing/here/manifest.json"


def test_an_unknown_kind_of_address_is_refused():
    with refused(OptionError):
        load_dataset("gopher://host/dataset")


def test_a_package_that_an_address_needs_is_named(monkeypatch):
    def absent(*_, **__):
        raise ImportError("install s3fs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", absent)

    with pytest.raises(MissingExtraError, match="s3://") as caught:
        load_dataset("s3://bucket/dataset")

    assert caught.value.remedy == install_command("s3")


def test_secrets_are_not_shown(monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(f"403 for key {CANARY}")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    place = f"s3://user:{CANARY}@bucket/dataset"

    with pytest.raises(DatasetError) as caught:
        load_dataset(place, storage_options={"secret": CANARY})

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert CANARY not in repr(DatasetLocation(address="s3://bucket", storage_options={"secret": CANARY}))


@pytest.mark.parametrize("how", ["its manifest is gone", "another manifest", "a shard of another size", "no shard"])
def test_a_far_dataset_that_is_replaced_while_it_streams_gives_no_row_of_another(far, monkeypatch, how):
    rows = load_dataset(far, split="train", streaming=True)
    memory = fsspec.filesystem("memory")
    (path,) = [name for name in memory.find("/streamed/data/clean") if "train" in name]
    content = memory.cat(path)
    manifest = "/streamed/manifest.json"

    def replace() -> None:
        """Put another dataset there, as sharing does: its manifest goes first, and comes last."""
        memory.rm(manifest)
        if how == "another manifest":
            memory.pipe(manifest, b"{}")
        if how == "a shard of another size":
            memory.pipe(path, content + b"more")
        if how == "no shard":
            memory.rm(path)

    if how in {"its manifest is gone", "another manifest"}:
        original = pq.ParquetFile.read_row_group

        def read_row_group(self, *arguments, **options):
            table = original(self, *arguments, **options)
            if memory.exists(manifest):
                replace()
            return table

        monkeypatch.setattr(pq.ParquetFile, "read_row_group", read_row_group)
    else:
        replace()

    with refused(DatasetError):
        next(iter(rows))


def test_a_far_shard_that_stops_coming_is_not_called_damaged(far, monkeypatch):
    rows = load_dataset(far, split="train", streaming=True)

    def read_row_group(*_: object, **__: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", read_row_group)
    with pytest.raises(DatasetError) as caught:
        next(iter(rows))

    assert caught.value.actual == "ConnectionResetError"
    assert "damaged" not in str(caught.value)
