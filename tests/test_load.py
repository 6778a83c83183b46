"""Loading a prepared folder: what comes out, what survives what `datasets` does with it, and damage."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toyadmos_datasets import load, load_dataset
from toyadmos_datasets.errors import DatasetError, MissingExtraError, OptionError
from toyadmos_datasets.load.audio import SoundfileAudio
from toyadmos_datasets.values.dataset import read_manifest

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Give `datasets` a cache of its own, and no progress bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        datasets.disable_progress_bars()
        yield
        datasets.enable_progress_bars()


@pytest.fixture
def copy(prepared, tmp_path):
    return Path(shutil.copytree(prepared, tmp_path / "dataset"))


@pytest.fixture
def train(prepared):
    return load_dataset(prepared, split="train")


def stored(folder: Path, config: str = "clean", split: str = "train") -> list[dict[str, object]]:
    """Read what the shards hold, without datasets."""
    shards = read_manifest(folder).configs[config][split]
    return [row for shard in shards for row in pq.read_table(folder / shard.path)["audio"].to_pylist()]


def pcm(content: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(content), dtype="int16")[0]


def outcome_of(act):
    """Return what comes back, or the error that comes instead."""
    try:
        return act()
    except DatasetError as error:
        return error


def measure_peak(row):
    return {"loudest": float(np.abs(row["audio"]["array"]).max())}


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
        assert audio["path"] == original["path"] == f"{row['event_id']}_ch1.flac"
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


WAYS = {
    "a slice": lambda ds: ds[:3]["audio"][1],
    "a list of rows": lambda ds: ds[[1, 0]]["audio"][0],
    "a column": lambda ds: ds["audio"][1],
    "iteration": lambda ds: list(ds)[1]["audio"],
    "batches": lambda ds: next(iter(ds.iter(2)))["audio"][1],
    "select": lambda ds: ds.select([1])[0]["audio"],
    "filter": lambda ds: ds.filter(lambda row: row["take"] == ds[1]["take"])[0]["audio"],
    "filter by audio": lambda ds: ds.filter(lambda row: np.array_equal(row["audio"]["array"], ds[1]["audio"]["array"]))[
        0
    ]["audio"],
    "shuffle": lambda ds: next(row for row in ds.shuffle(seed=3) if row["take"] == ds[1]["take"])["audio"],
    "train_test_split": lambda ds: ds.train_test_split(1, shuffle=False)["train"][1]["audio"],
    "rename_column": lambda ds: ds.rename_column("audio", "sound")[1]["sound"],
    "remove_columns": lambda ds: ds.remove_columns(["label", "toy"])[1]["audio"],
    "flatten_indices": lambda ds: ds.select([1]).flatten_indices()[0]["audio"],
    "concatenate": lambda ds: datasets.concatenate_datasets([ds, ds])[len(ds) + 1]["audio"],
    "map": lambda ds: ds.map(lambda row: {"twice": 2 * row["take"]})[1]["audio"],
    "map by audio": lambda ds: ds.map(measure_peak)[1]["audio"],
    "map in batches": lambda ds: ds.map(
        lambda rows: {"n": [len(clip["array"]) for clip in rows["audio"]]}, batched=True, batch_size=2
    )[1]["audio"],
    "map twice": lambda ds: ds.map(measure_peak).map(lambda _: {"n": 1})[1]["audio"],
    "map in processes": lambda ds: ds.map(measure_peak, num_proc=2)[1]["audio"],
    "to_iterable_dataset": lambda ds: list(ds.to_iterable_dataset())[1]["audio"],
    "an iterable that is mapped": lambda ds: list(ds.to_iterable_dataset().map(measure_peak))[1]["audio"],
    "pickle": lambda ds: pickle.loads(pickle.dumps(ds))[1]["audio"],
    "numpy rows": lambda ds: ds.with_format("numpy")[1]["audio"],
    "a numpy slice": lambda ds: ds.with_format("numpy")[:2]["audio"][1],
    "a mapped one as numpy": lambda ds: ds.map(measure_peak).with_format("numpy")[1]["audio"],
    "an iterable of numpy": lambda ds: list(ds.to_iterable_dataset().with_format("numpy"))[1]["audio"],
    "pandas": lambda ds: ds.with_format("pandas")[:2]["audio"].iloc[1],
}


@pytest.mark.parametrize("way", WAYS)
def test_audio_is_decoded_whatever_way_it_is_reached(train, way):
    expected = train[1]["audio"]["array"]
    audio = WAYS[way](train)

    assert audio["array"].dtype == np.float32
    assert np.array_equal(audio["array"], expected)
    assert int(audio["sampling_rate"]) == 16000


@pytest.mark.parametrize("processes", [None, 2])
def test_audio_is_decoded_in_what_an_earlier_run_has_mapped(prepared, processes):
    first = load_dataset(prepared, "snr_6db", "train").map(measure_peak, num_proc=processes)
    again = load_dataset(prepared, "snr_6db", "train").map(measure_peak, num_proc=processes)

    assert again.cache_files == first.cache_files != []
    assert np.abs(again[2]["audio"]["array"]).max() == pytest.approx(again[2]["loudest"])
    assert np.abs(again.map(lambda _: {"n": 1})[2]["audio"]["array"]).max() == pytest.approx(again[2]["loudest"])


def test_a_map_that_looks_at_the_audio_keeps_its_bytes(prepared, train):
    mapped = train.map(measure_peak).cast_column("audio", datasets.Audio(decode=False))

    assert list(mapped["audio"]) == stored(prepared)


def test_a_map_can_change_the_audio(train):
    def louder(row):
        return {"audio": row["audio"] | {"array": row["audio"]["array"] * 3}}

    mapped = train.map(louder)

    assert np.array_equal(mapped[0]["audio"]["array"], train[0]["audio"]["array"] * 3)


samples = st.one_of(
    arrays(np.int16, st.integers(1, 200)).map(lambda x: x.astype(np.float32) / 32768),
    arrays(np.int32, st.integers(1, 200), elements=st.integers(-(1 << 23), (1 << 23) - 1)).map(
        lambda x: (x / (1 << 23)).astype(np.float32)
    ),
    arrays(np.float32, st.integers(1, 200), elements=st.floats(-4, 4, width=32)),
)


@given(samples)
def test_encoding_what_was_decoded_loses_nothing(mono):
    feature = SoundfileAudio(sampling_rate=16000)
    encoded = feature.encode_example({"array": mono, "sampling_rate": 16000, "path": "a.flac"})
    decoded = feature.decode_example(encoded)

    assert np.array_equal(decoded["array"], mono)
    assert decoded["array"].dtype == np.float32
    assert (decoded["sampling_rate"], decoded["path"]) == (16000, "a.flac")


def test_sixteen_bits_are_encoded_as_such():
    mono = np.linspace(-1, 1, 100, endpoint=False)
    sixteen = np.round(mono * 32768) / 32768
    encode = SoundfileAudio(sampling_rate=16000).encode_example
    formats = [
        soundfile.info(io.BytesIO(encode({"array": one, "sampling_rate": 16000, "path": None})["bytes"])).subtype
        for one in (sixteen, np.round(mono * (1 << 23)) / (1 << 23), sixteen * 2)
    ]

    assert formats == ["PCM_16", "PCM_24", "FLOAT"]


def test_another_rate_is_reached_by_resampling(train):
    rows = train.cast_column("audio", SoundfileAudio(sampling_rate=8000))

    assert rows[0]["audio"]["sampling_rate"] == 8000
    assert len(rows[0]["audio"]["array"]) == train[0]["n_samples"] // 2


def test_what_is_saved_opens_in_plain_datasets(train, tmp_path):
    train.save_to_disk(tmp_path / "saved")
    train.map(measure_peak).to_parquet(tmp_path / "saved.parquet")
    info = json.loads((tmp_path / "saved" / "dataset_info.json").read_text())
    metadata = json.loads(pq.read_schema(tmp_path / "saved.parquet").metadata[b"huggingface"])

    assert type(datasets.load_from_disk(tmp_path / "saved").features["audio"]) is datasets.Audio
    assert info["features"]["audio"]["_type"] == "Audio"
    assert metadata["info"]["features"]["audio"]["_type"] == "Audio"
    assert "SoundfileAudio" not in json.dumps([info, metadata])


def test_another_dataset_in_the_same_process_keeps_its_own_decoder(train):
    other = datasets.Dataset(pa.table({"audio": ["a.flac"]})).cast_column("audio", datasets.Audio())

    assert type(train.features["audio"]) is SoundfileAudio
    assert type(other.features["audio"]) is datasets.Audio


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


def test_the_hashes_are_compared_once(copy, monkeypatch):
    hashed = []
    module = sys.modules[f"{load.__name__}.load"]
    real = module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path: hashed.append(path.name) or real(path))
    load_dataset(copy)
    load_dataset(copy, split="test")

    assert sorted(hashed) == ["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"]


@pytest.mark.parametrize("name", ["snr_9db", "", "clean "])
def test_an_unknown_config_is_answered_with_those_that_there_are(prepared, name):
    with pytest.raises(OptionError, match="no such config") as caught:
        load_dataset(prepared, name)

    assert caught.value.expected == "clean, snr_6db"
    assert caught.value.actual == name


@pytest.mark.parametrize("split", ["validation", "train+valid[:3]", ""])
def test_an_unknown_split_is_answered_with_those_that_there_are(prepared, split):
    with pytest.raises(OptionError, match="no such split") as caught:
        load_dataset(prepared, split=split)

    assert caught.value.expected == "train, test"


@pytest.mark.parametrize("split", ["train[:1", "train[x]", "train[:200%]", "train[1:2:3]"])
def test_a_broken_expression_is_answered_with_examples(prepared, split):
    with pytest.raises(OptionError, match="not an expression for a split") as caught:
        load_dataset(prepared, split=split)

    assert "train[10%:20%]" in caught.value.expected


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_a_manifest_is_not_a_dataset(tmp_path, exists):
    folder = tmp_path if exists else tmp_path / "nothing"

    with pytest.raises(DatasetError, match="no prepared dataset") as caught:
        load_dataset(folder)

    assert "toyadmos prepare" in caught.value.remedy
    assert caught.value.where == str(folder)


def test_a_cut_run_is_not_a_dataset(copy):
    (copy / "manifest.json").unlink()

    with pytest.raises(DatasetError, match="not complete"):
        load_dataset(copy)


def test_a_damaged_manifest_is_refused(copy):
    (copy / "manifest.json").write_text((copy / "manifest.json").read_text()[:-20])

    with pytest.raises(DatasetError, match="damaged") as caught:
        load_dataset(copy)

    assert caught.value.where == str(copy / "manifest.json")


def test_a_newer_manifest_is_refused_with_how_to_upgrade(copy):
    content = json.loads((copy / "manifest.json").read_text()) | {"schema_version": 99}
    (copy / "manifest.json").write_text(json.dumps(content))

    with pytest.raises(DatasetError, match="version") as caught:
        load_dataset(copy)

    assert caught.value.actual == "99"
    assert "pip install --upgrade toyadmos-datasets" in caught.value.remedy


def first_shard(folder: Path):
    shard = read_manifest(folder).configs["clean"]["train"][0]
    return shard, folder / shard.path


def test_a_missing_shard_is_an_error_with_its_hash(copy):
    shard, path = first_shard(copy)
    path.unlink()

    with pytest.raises(DatasetError, match="missing") as caught:
        load_dataset(copy, split="train")

    assert caught.value.where == str(path)
    assert shard.sha256 in caught.value.expected
    assert "--overwrite" in caught.value.remedy


@given(keep=st.floats(0, 1, exclude_max=True))
def test_a_truncated_shard_is_an_error_with_its_hash(prepared, tmp_path_factory, keep):
    folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("cut") / "dataset"))
    shard, path = first_shard(folder)
    os.truncate(path, int(keep * shard.n_bytes))

    with pytest.raises(DatasetError, match="another size") as caught:
        load_dataset(folder, split="train")

    assert shard.sha256 in caught.value.expected
    assert caught.value.where == str(path)


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.999])
def test_a_flipped_bit_in_a_shard_is_an_error_with_its_hash(copy, place):
    shard, path = first_shard(copy)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(content)

    with pytest.raises(DatasetError, match="changed since it was written") as caught:
        load_dataset(copy, split="train")

    assert caught.value.expected == f"sha256 {shard.sha256}"
    assert caught.value.actual.startswith("sha256 ")
    assert caught.value.where == str(path)
    assert "--overwrite" in caught.value.remedy


def test_a_shard_that_is_damaged_after_it_was_loaded_is_noticed(copy):
    load_dataset(copy)
    _, path = first_shard(copy)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    os.utime(path, ns=(1, 10**18))

    with pytest.raises(DatasetError, match="changed since it was written"):
        load_dataset(copy)


@given(data=st.data())
def test_a_damaged_clip_is_an_error_that_names_it_or_the_same_samples(prepared, data):
    original = stored(prepared)[0]
    content = bytearray(original["bytes"])
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        content[data.draw(st.integers(0, len(content) - 1), label="place")] ^= 1 << data.draw(st.integers(0, 7))
    feature = SoundfileAudio(sampling_rate=16000)
    outcome = outcome_of(lambda: feature.decode_example({"bytes": bytes(content), "path": original["path"]}))

    if isinstance(outcome, DatasetError):
        assert outcome.where == original["path"]
        assert f"{len(content)} bytes" in outcome.actual
        assert "toyadmos verify" in outcome.remedy
    else:
        assert np.array_equal(outcome["array"], pcm(original["bytes"]) / 32768)


def test_a_damaged_clip_among_others_is_an_error_that_names_it(train):
    content = train.cast_column("audio", datasets.Audio(decode=False))[1]["audio"]["bytes"]
    table = pa.table({"audio": [{"bytes": content, "path": "a.flac"}, {"bytes": content[:500], "path": "b.flac"}]})
    rows = datasets.Dataset(table).cast_column("audio", SoundfileAudio(sampling_rate=16000))

    assert len(rows[0]["audio"]["array"]) > 0
    with pytest.raises(DatasetError, match="cannot be decoded") as caught:
        rows[1]
    assert caught.value.where == "b.flac"


def test_without_soundfile_the_error_names_it(prepared, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)

    with pytest.raises(MissingExtraError, match="soundfile") as caught:
        load_dataset(prepared)

    assert "pip install soundfile" in caught.value.remedy
    assert "decode=False" in caught.value.remedy


def test_plain_readers_need_nothing_but_datasets(prepared, tmp_path):
    code = """
        import json, logging, sys, warnings
        for absent in ("toyadmos_datasets", "soundfile", "soxr", "librosa"):
            sys.modules[absent] = None
        warnings.simplefilter("error")
        records = []
        logging.Handler.emit = lambda self, record: records.append(record.getMessage())
        logging.getLogger().addHandler(logging.Handler())
        from datasets import Audio, get_dataset_config_names, load_dataset
        from huggingface_hub import DatasetCard
        folder = sys.argv[1]
        default, snr = load_dataset(folder), load_dataset(folder, "snr_6db")
        row = snr["test"].cast_column("audio", Audio(decode=False))[0]
        card = DatasetCard.load(folder + "/README.md").data
        print(json.dumps({
            "configs": get_dataset_config_names(folder),
            "rows": default.num_rows,
            "features": repr(snr["train"].features["audio"]),
            "label": snr["train"].features["label"].names,
            "columns": snr["train"].column_names,
            "snrs": [sorted(set(snr["train"]["snr_db"])), sorted(set(default["train"]["snr_db"]))],
            "starts": row["audio"]["bytes"][:4].decode(),
            "license": [card.license, card.license_name, card.license_link],
            "infos": [info["config_name"] for info in card.dataset_info],
            "records": records,
            "decoders": sorted({"torch", "torchcodec"} & set(sys.modules)),
        }))
    """
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(prepared)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    seen = json.loads(done.stdout)
    shards = read_manifest(prepared).shards

    assert seen["configs"] == seen["infos"] == ["clean", "snr_6db"]
    assert seen["rows"] == {shard.split: shard.n_rows for shard in shards if shard.config == "clean"}
    assert seen["features"].startswith("Audio(sampling_rate=16000, decode=True")
    assert seen["label"] == ["normal", "anomalous"]
    assert seen["columns"] == pq.read_schema(prepared / shards[0].path).names
    assert seen["snrs"] == [[6.0], [None]]
    assert seen["starts"] == "fLaC"
    assert seen["license"][0] == "other"
    assert seen["records"] == seen["decoders"] == []


def test_the_card_spells_the_features_as_datasets_does(prepared):
    card = (prepared / "README.md").read_text()
    infos = datasets.info.DatasetInfosDict.from_directory(str(prepared))
    shard, path = first_shard(prepared)
    features = datasets.Features.from_arrow_schema(pq.read_schema(path))

    assert card.startswith("---\n")
    assert infos["clean"].features == features
    assert infos["clean"].splits["train"].num_examples == shard.n_rows
