"""Loading a prepared folder: which rows come, and what is answered to those who ask for others."""

from __future__ import annotations

import shutil

import datasets
import numpy as np
import pytest
from loading import pcm, stored
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.values.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("datasets_cache")


@pytest.fixture
def train(prepared):
    return load_dataset(prepared, split="train")


def test_all_splits_come_by_name(prepared):
    loaded = load_dataset(prepared)
    shards = read_manifest(prepared).configs["clean"]

    assert isinstance(loaded, datasets.DatasetDict)
    assert loaded.num_rows == {split: sum(shard.n_rows for shard in of_split) for split, of_split in shards.items()}
    assert set(loaded) == {"train", "test"}


def test_audio_comes_as_the_very_samples_that_are_stored(prepared, train):
    for row, original in zip(train, stored(prepared), strict=True):
        audio = row["audio"]

        assert set(audio) == {"array", "sampling_rate", "path"}
        assert audio["array"].dtype == np.float32
        assert audio["array"].shape == (row["n_samples"],)
        assert np.array_equal(audio["array"], pcm(original["bytes"]) / 32768)
        assert audio["sampling_rate"] == 16000
        assert audio["path"] == original["path"] == f"{row['event_id']}_ch1.wav"
        assert np.abs(audio["array"]).max() == pytest.approx(row["peak"])


def test_labels_keep_their_names(prepared):
    test = load_dataset(prepared, split="test")

    assert test.features["label"].names == ["normal", "anomalous"]
    assert {test.features["label"].int2str(one) for one in test["label"]} == {"normal", "anomalous"}


def test_a_config_can_be_chosen_and_the_first_is_the_default(prepared):
    snr = load_dataset(prepared, "snr_6db", "train")

    assert set(snr["snr_db"]) == {6.0}
    assert set(load_dataset(prepared, split="train")["snr_db"]) == {None}
    assert not np.array_equal(snr[0]["audio"]["array"], load_dataset(prepared, split="train")[0]["audio"]["array"])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("train", (5, 0)),
        ("train[:50%]", (2, 0)),
        ("train[1:3]", (2, 0)),
        ("train[-1:]+test[:1]", (1, 1)),
        ("all", (5, 5)),
    ],
)
def test_splits_can_be_expressions(prepared, expression, expected):
    takes = load_dataset(prepared)["train"]["event_id"]
    loaded = load_dataset(prepared, split=expression)["event_id"]
    n_train = len(set(loaded) & set(takes))

    assert (n_train, len(loaded) - n_train) == expected


def test_without_decoding_the_bytes_come_as_they_are_stored(prepared):
    loaded = load_dataset(prepared, split="train", decode=False)

    assert list(loaded["audio"]) == stored(prepared)


def test_only_shards_in_the_manifest_are_read(copy):
    (copy / "data" / "clean" / "train-00007-of-00009.parquet").write_bytes(
        (copy / "data" / "clean" / "train-00000-of-00001.parquet").read_bytes()
    )
    n_listed = sum(shard.n_rows for shard in read_manifest(copy).configs["clean"]["train"])

    assert len(load_dataset(copy, split="train")) == n_listed
    assert len(datasets.load_dataset(str(copy), split="train", verification_mode="no_checks")) == 2 * n_listed


@pytest.mark.parametrize("name", ["train [1]", "a*b?", "train#1 ü", "{x}", "100%"])
def test_any_folder_name_will_do(prepared, tmp_path, name):
    folder = shutil.copytree(prepared, tmp_path / name)

    assert len(load_dataset(folder, split="train")) == len(stored(prepared))


def test_relative_paths_and_texts_will_do(prepared, monkeypatch):
    monkeypatch.chdir(prepared.parent)

    assert len(load_dataset("dataset", split="train")) == len(stored(prepared))


@pytest.mark.parametrize("name", ["snr_9db", "", "clean "])
def test_an_unknown_config_is_answered_with_those_that_there_are(prepared, name):
    with refused(OptionError) as caught:
        load_dataset(prepared, name)

    assert caught.value.expected == "clean, snr_6db"
    assert caught.value.actual == name


@pytest.mark.parametrize("split", ["validation", "train+valid[:3]", ""])
def test_an_unknown_split_is_answered_with_those_that_there_are(prepared, split):
    with refused(OptionError) as caught:
        load_dataset(prepared, split=split)

    assert caught.value.expected == "train, test"


@pytest.mark.parametrize("split", ["train[:1", "train[x]", "train[:200%]", "train[1:2:3]"])
def test_a_broken_expression_is_answered_with_examples(prepared, split):
    with refused(OptionError) as caught:
        load_dataset(prepared, split=split)

    assert "train[10%:20%]" in caught.value.expected


def test_options_of_a_build_are_refused_for_what_is_prepared(prepared):
    with refused(OptionError) as caught:
        load_dataset(prepared, snr_db=6)

    assert caught.value.where == "snr_db"


def test_an_unknown_decoding_is_answered_with_those_that_there_are(prepared):
    with refused(OptionError) as caught:
        load_dataset(prepared, decode="float64")

    assert "int16" in caught.value.expected
