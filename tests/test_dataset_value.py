"""The dataset as a value: its columns, its schema as `datasets` reads it, its manifest."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, ClassLabel, Features, List, Value, load_dataset
from wording import refused

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.files.installing import upgrade_command
from toyadmos_datasets.values.columns import columns_of, dataset_schema, features_of
from toyadmos_datasets.values.manifest import (
    MANIFEST_NAME,
    Manifest,
    Shard,
    SkippedRecording,
    check_shard_sizes,
    read_manifest,
    shard_path,
    write_manifest,
)

PROMISED = {
    "toy": "string",
    "case": "int8",
    "channel": "int8",
    "recording_type": "string",
    "condition": "string",
    "condition_text": "string",
    "damage_source": "string",
    "damage": "list<part, state>",
    "damaged_parts": "list<string>",
    "take": "int32",
    "event_id": "string",
    "draw": "int32",
    "recording_ids": "list<string>",
    "target_start": "int64",
    "noise_recording_ids": "list<string>",
    "noise_start": "int64",
    "n_samples": "int64",
    "target_gain_db": "float64",
    "noise_gain_db": "float64",
    "headroom_db": "float64",
    "snr_db": "float64",
    "reference_level_db": "float64",
    "snr_achieved_db": "float64",
    "snr_active_db": "float64",
    "peak": "float64",
    "target_level_db": "float64",
    "target_active_level_db": "float64",
    "noise_level_db": "float64",
    "health": "list<string>",
    "recording_hashes": "list<string>",
    "noise_recording_hashes": "list<string>",
}
"""Columns beside clips, `label` and parts, in their order, with their types."""


def shard(number: int = 0, **changes: object) -> Shard:
    facts = {
        "path": shard_path("clean", "train", number, 2),
        "config": "clean",
        "split": "train",
        "n_rows": 3,
        "n_bytes": 5,
        "sha256": "ab" * 32,
        "n_clipped": 0,
    }
    return Shard(**facts | changes)


def manifest() -> Manifest:
    return Manifest(
        toy="ToyTrain",
        request={"toy": "ToyTrain", "snrs_db": [6.0], "cases": None},
        source={"kind": "tree", "identity": "00", "is_simulated": True},
        versions={"numpy": "2"},
        recipe_sha256="cd" * 32,
        headroom_db=3.0,
        shards=(shard(0), shard(1), shard(path=shard_path("snr_6db", "test", 0, 2), config="snr_6db", split="test")),
        skipped=(SkippedRecording(recording_id="r", member="ToyTrain/r.wav", reason="Odd.\n  where: é"),),
    )


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_every_promised_column_is_there_and_every_part_between_damaged_parts_and_take(toy):
    columns = columns_of(toy.name)

    start = list(columns).index("damaged_parts") + 1
    assert tuple(columns)[start : start + len(toy.parts)] == toy.parts
    assert {columns[part] for part in toy.parts} == {"string"}
    assert [(name, kind) for name, kind in columns.items() if name not in toy.parts] == list(PROMISED.items())


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_datasets_finds_the_features_in_the_schema(toy):
    features = Features.from_arrow_schema(dataset_schema(toy.name, 16_000))

    assert features["audio"] == Audio(sampling_rate=16_000)
    assert features["label"] == ClassLabel(names=["normal", "anomalous"])
    assert features["damaged_parts"] == List(Value("string"))
    assert features["case"] == Value("int8")
    assert list(features) == ["audio", "label", *columns_of(toy.name)]
    assert features == Features.from_dict(features_of(toy.name, 16_000))


def test_the_columns_types_are_those_that_the_features_promise():
    schema = dataset_schema("ToyTrain", 48_000)

    features = Features.from_arrow_schema(schema)

    assert features["audio"].sampling_rate == 48_000
    assert features.arrow_schema.remove_metadata() == schema.remove_metadata()


def test_stems_are_audio_after_the_mixture():
    schema = dataset_schema("ToyTrain", 16_000, stems=True)

    features = Features.from_arrow_schema(schema)

    assert list(features)[:4] == ["audio", "target", "noise", "label"]
    assert features["target"] == features["noise"] == features["audio"] == Audio(sampling_rate=16_000)
    assert features.arrow_schema.remove_metadata() == schema.remove_metadata()


def test_plain_datasets_opens_a_parquet_file_of_this_schema(tmp_path):
    schema = dataset_schema("ToyCar", 16_000)
    row = {"audio": {"bytes": b"fLaC", "path": "a.flac"}, "label": 1, "damaged_parts": ["shaft"], "case": 2}
    pq.write_table(pa.Table.from_pylist([row], schema=schema), tmp_path / "train.parquet")

    loaded = load_dataset(str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))

    assert loaded.features == Features.from_dict(features_of("ToyCar", 16_000))
    found = loaded.cast_column("audio", Audio(decode=False))[0]
    assert (found["label"], found["damaged_parts"], found["case"], found["snr_db"]) == (1, ["shaft"], 2, None)
    assert found["audio"] == {"bytes": b"fLaC", "path": "a.flac"}


def test_shards_are_named_as_the_hub_names_them():
    assert shard_path("snr_6db", "test", 3, 12) == "data/snr_6db/test-00003-of-00012.parquet"


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    write_manifest(tmp_path, manifest())

    found = read_manifest(tmp_path)

    assert found == manifest()
    assert canonical_json(found.request) == canonical_json(manifest().request)


def test_a_manifest_groups_its_shards_by_config_and_split():
    configs = manifest().configs

    assert {config: {split: len(shards) for split, shards in splits.items()} for config, splits in configs.items()} == {
        "clean": {"train": 2},
        "snr_6db": {"test": 1},
    }


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_a_manifest_is_an_error_that_says_how_to_get_one(tmp_path, exists):
    folder = tmp_path if exists else tmp_path / "none"

    with refused(DatasetError) as caught:
        read_manifest(folder)

    assert caught.value.actual == ("none" if exists else "no such folder")
    assert (
        caught.value.remedy
        == f"Give the folder of a dataset, or prepare one: toyadmos prepare --toy TOY --out {folder}"
    )


def test_a_manifest_of_another_version_is_an_error_that_says_what_to_do(tmp_path):
    _change(tmp_path, schema_version=5)

    with refused(DatasetError) as caught:
        read_manifest(tmp_path)

    assert (caught.value.expected, caught.value.actual) == ("schema_version 4", "5")
    assert upgrade_command() in caught.value.remedy


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 4}', '{"schema_version": 4, "shards": 3}'])
def test_a_damaged_manifest_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / MANIFEST_NAME).write_text(content)

    with refused(DatasetError) as caught:
        read_manifest(tmp_path)

    assert caught.value.where == str(tmp_path / MANIFEST_NAME)
    assert caught.value.remedy == "Prepare the folder again with the same command and --overwrite."


@pytest.mark.parametrize("changes", [{"shards": [{"path": "x"}]}, {"skipped": None}, {"surprise": 1}])
def test_a_manifest_with_other_fields_is_an_error(tmp_path, changes):
    _change(tmp_path, **changes)

    with refused(DatasetError):
        read_manifest(tmp_path)


def test_shards_of_the_right_size_pass(tmp_path):
    _write_shard(tmp_path, b"12345")

    check_shard_sizes(tmp_path, [shard()])


@pytest.mark.parametrize(
    ("content", "what", "actual"),
    [
        (None, "A shard is missing.", "no file"),
        (b"1234", "A shard has another size than it was written with.", "4 bytes"),
        (b"123456", "A shard has another size than it was written with.", "6 bytes"),
    ],
)
def test_a_shard_that_is_missing_or_of_another_size_is_an_error_with_its_hash(tmp_path, content, what, actual):
    if content is not None:
        _write_shard(tmp_path, content)

    with pytest.raises(DatasetError) as caught:
        check_shard_sizes(tmp_path, [shard()])

    assert (caught.value.what, caught.value.actual) == (what, actual)
    assert caught.value.expected == f"5 bytes, sha256 {'ab' * 32}"
    assert caught.value.remedy == "Prepare the folder again with the same command and --overwrite."


def _write_shard(folder, content: bytes) -> None:
    path = folder / shard().path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def _change(folder, **changes: object) -> None:
    write_manifest(folder, manifest())
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
