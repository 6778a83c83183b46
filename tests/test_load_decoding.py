"""Decoding: the samples that are stored, whatever way `datasets` is used, of any width and number of channels."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from loading import first_shard, measure_peak, pcm, stored
from preparing import options
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import Audio, as_plain_audio, decode_with_soundfile, load_dataset
from toyadmos_datasets.errors import DatasetError, MissingExtraError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.loading.audio_feature import TYPE_NAME
from toyadmos_datasets.rendering import Encoding
from toyadmos_datasets.signal.clip_codec import decode_clip, encode_stored

pytestmark = [
    pytest.mark.usefixtures("datasets_cache"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def train(prepared):
    return load_dataset(prepared, split="train")


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
    feature = Audio(sampling_rate=16000)
    encoded = feature.encode_example({"array": mono, "sampling_rate": 16000, "path": "a.flac"})
    decoded = feature.decode_example(encoded)

    assert np.array_equal(decoded["array"], mono)
    assert decoded["array"].dtype == np.float32
    assert (decoded["sampling_rate"], decoded["path"]) == (16000, "a.flac")


def test_sixteen_bits_are_encoded_as_such():
    mono = np.linspace(-1, 1, 100, endpoint=False)
    sixteen = np.round(mono * 32768) / 32768
    encode = Audio(sampling_rate=16000).encode_example
    formats = [
        soundfile.info(io.BytesIO(encode({"array": one, "sampling_rate": 16000, "path": None})["bytes"])).subtype
        for one in (sixteen, np.round(mono * (1 << 23)) / (1 << 23), sixteen * 2)
    ]

    assert formats == ["PCM_16", "PCM_24", "FLOAT"]


@pytest.mark.parametrize(("path", "form"), [("a.flac", "FLAC"), ("a.wav", "WAV"), (None, "WAV")])
def test_samples_are_encoded_as_their_path_says_and_else_as_wav(path, form):
    samples = np.arange(-50, 50, dtype=np.int16)
    encoded = Audio(sample_type="int16").encode_example({"array": samples, "sampling_rate": 16000, "path": path})
    found, _ = soundfile.read(io.BytesIO(encoded["bytes"]), dtype="int16")

    assert soundfile.info(io.BytesIO(encoded["bytes"])).format == form
    assert np.array_equal(found, samples)


def test_another_rate_is_reached_by_resampling(train):
    rows = train.cast_column("audio", Audio(sampling_rate=8000))

    assert rows[0]["audio"]["sampling_rate"] == 8000
    assert len(rows[0]["audio"]["array"]) == train[0]["n_samples"] // 2


def test_what_is_saved_names_the_feature_and_prepared_folders_do_not(prepared, train, tmp_path):
    train.save_to_disk(tmp_path / "saved")
    train.map(measure_peak).to_parquet(tmp_path / "saved.parquet")
    info = json.loads((tmp_path / "saved" / "dataset_info.json").read_text())
    metadata = json.loads(pq.read_schema(tmp_path / "saved.parquet").metadata[b"huggingface"])
    _, shard = first_shard(prepared)

    assert info["features"]["audio"]["_type"] == TYPE_NAME
    assert metadata["info"]["features"]["audio"]["_type"] == TYPE_NAME
    assert TYPE_NAME.encode() not in shard.read_bytes()


def test_what_is_given_away_as_plain_audio_names_nothing_of_ours(train, tmp_path):
    as_plain_audio(datasets.DatasetDict({"train": train})).save_to_disk(tmp_path / "saved")
    written = b"".join(path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file())

    assert type(datasets.load_from_disk(tmp_path / "saved")["train"].features["audio"]) is datasets.Audio
    assert TYPE_NAME.encode() not in written
    assert b"toyadmos_datasets" not in written


PLAIN_READER = """
import sys
sys.modules["toyadmos_datasets"] = None
import datasets
datasets.load_from_disk(sys.argv[1])
"""
IMPORTED = "import sys, {}; assert len(datasets.load_from_disk(sys.argv[1])[0]['audio']['array'])"


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (PLAIN_READER, f"Feature type '{TYPE_NAME}' not found"),
        (IMPORTED.format("datasets, toyadmos_datasets"), None),
        (IMPORTED.format("toyadmos_datasets, datasets"), None),
    ],
)
def test_what_is_saved_opens_where_this_package_is_imported_and_is_refused_elsewhere(train, tmp_path, code, refusal):
    train.save_to_disk(tmp_path / "saved")
    environment = os.environ | {"USE_TORCH": "0", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "saved")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)

    assert (done.returncode, refusal) == (0, None) or (refusal and refusal in done.stderr)


@pytest.mark.parametrize("order", ["datasets, toyadmos_datasets", "toyadmos_datasets, datasets"])
def test_a_folder_of_the_users_called_datasets_is_left_alone(tmp_path, order):
    (tmp_path / "datasets.py").write_text("mine = True")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {order}; assert datasets.mine"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_our_load_dataset_opens_what_was_saved_as_it_was_decoded(prepared, tmp_path):
    rows = load_dataset(prepared, decode="int16")
    rows.save_to_disk(tmp_path / "all")
    rows["train"].filter(lambda row: row["take"] > 0).save_to_disk(tmp_path / "one")
    one = load_dataset(tmp_path / "one")

    assert load_dataset(tmp_path / "all")["test"][0]["audio"]["array"].dtype == np.int16
    assert load_dataset(tmp_path / "all", split="train[:2]+test[:1]").num_rows == 3
    assert load_dataset(tmp_path / "all", split="train", decode="float32")[0]["audio"]["array"].dtype == np.float32
    assert load_dataset(tmp_path / "all", split="train", decode=False)[0]["audio"]["bytes"].startswith(b"RIFF")
    assert [clip["path"] for clip in one["audio"]] == [clip["path"] for clip in rows["train"]["audio"]]
    assert next(iter(load_dataset(tmp_path / "one", streaming=True)))["audio"]["array"].dtype == np.int16


def test_what_was_saved_has_no_configs_and_only_its_splits(train, tmp_path):
    train.save_to_disk(tmp_path / "saved")

    with refused(OptionError):
        load_dataset(tmp_path / "saved", "clean")
    with refused(OptionError):
        load_dataset(tmp_path / "saved", split="test")


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}"])
def test_what_was_saved_and_is_damaged_is_an_error_of_ours(train, tmp_path, name, content):
    train.save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / name).write_bytes(content)

    if (name, content) == ("dataset_info.json", b"{}"):
        assert load_dataset(tmp_path / "saved")[0]["audio"]["array"].size  # the table says it, too
    else:
        with refused(DatasetError):
            load_dataset(tmp_path / "saved")


@pytest.mark.parametrize(
    "changes",
    [
        {"_data_files": [{"filename": "../elsewhere.arrow"}]},
        {"_data_files": [{"filename": 5}]},
        {"_data_files": "data"},
        {"_format_columns": {"a": 1}},
        {"_fingerprint": 10**40},
    ],
)
def test_a_saved_state_with_wrong_types_or_names_is_an_error_of_ours(train, tmp_path, changes):
    train.save_to_disk(tmp_path / "saved")
    path = tmp_path / "saved" / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    with refused(DatasetError) as caught:
        load_dataset(tmp_path / "saved")

    assert "state.json" in caught.value.where


def test_any_dataset_can_be_decoded_with_soundfile(tmp_path):
    samples = np.linspace(-1, 1, 400, endpoint=False).astype(np.float32).reshape(2, 200)
    soundfile.write(tmp_path / "a.wav", samples.T, 8000, subtype="FLOAT")
    plain = datasets.Dataset.from_dict({"sound": [str(tmp_path / "a.wav")] * 3, "n": [1, 2, 3]})
    plain = plain.select([2, 0]).cast_column("sound", datasets.Audio())
    ours = decode_with_soundfile(datasets.DatasetDict({"train": plain.with_format("numpy", ["sound"])}))["train"]

    assert np.array_equal(ours[0]["sound"]["array"], samples)
    assert (len(ours), list(ours[0])) == (2, ["sound"])
    assert ours.cast_column("sound", datasets.Audio(sampling_rate=4000))[1]["sound"]["array"].shape == (2, 100)
    assert type(plain.features["sound"]) is datasets.Audio


PLAIN_AGAIN = {"again": datasets.Audio()}


def count_samples(row):
    return {"n": len(row["audio"]["array"]), "again": None}


def test_a_dataset_without_audio_is_said_to_have_none():
    with refused(OptionError) as caught:
        decode_with_soundfile(datasets.Dataset.from_dict({"a": [1], "b": [2]}))

    assert caught.value.actual == "a, b"


def test_wide_clips_are_not_cut_to_int16():
    file = io.BytesIO()
    soundfile.write(file, np.linspace(-1, 0.5, 100), 16000, format="FLAC", subtype="PCM_24")

    with refused(OptionError) as caught:
        Audio(sample_type="int16").decode_example({"bytes": file.getvalue(), "path": "a.flac"})
    assert (caught.value.where, caught.value.actual) == ("a.flac", "PCM_24")


@pytest.mark.parametrize("value", [{}, {"bytes": None, "path": None}, 3, {"array": None}])
def test_what_is_no_clip_is_not_stored(value):
    with refused(OptionError):
        Audio().encode_example(value)


def test_new_clips_beside_int16_are_not_left_to_another_encoder(prepared):
    rows = load_dataset(prepared, split="train", decode="int16")
    features = rows.features
    features["again"] = Audio(sample_type="int16")
    copied = rows.map(lambda row: {"again": row["audio"]}, features=features)

    assert np.array_equal(copied[1]["again"]["array"], rows[1]["audio"]["array"])
    with refused(OptionError) as caught:
        rows.map(count_samples, features=datasets.Features({**features, "n": datasets.Value("int64")} | PLAIN_AGAIN))
    assert caught.value.where == "again"


def test_clips_do_not_turn_into_lists_of_numbers_in_silence(train):
    with refused(OptionError):
        train.map(
            lambda some: {"audio": [some["audio"]]}, batched=True, batch_size=5, remove_columns=train.column_names
        )


def test_another_dataset_in_the_same_process_keeps_its_own_decoder(train):
    other = datasets.Dataset(pa.table({"audio": ["a.flac"]})).cast_column("audio", datasets.Audio())

    assert type(train.features["audio"]) is Audio
    assert type(other.features["audio"]) is datasets.Audio


def test_without_soundfile_the_error_names_it(prepared, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)

    with refused(MissingExtraError, "pip install soundfile") as caught:
        load_dataset(prepared)

    assert "decode=False" in caught.value.remedy


def test_int16_comes_as_the_very_integers_that_are_stored(prepared):
    rows = load_dataset(prepared, split="train", decode="int16")

    assert rows[0]["audio"]["array"].dtype == np.int16
    assert np.array_equal(rows[0]["audio"]["array"], pcm(stored(prepared)[0]["bytes"]))


def test_a_map_keeps_int16_and_what_it_found_is_not_taken_for_float32(prepared):
    found = {
        decode: load_dataset(prepared, split="train", decode=decode).map(measure_peak) for decode in ("int16", True)
    }

    assert found["int16"][0]["audio"]["array"].dtype == np.int16
    assert found["int16"][0]["loudest"] == pytest.approx(found[True][0]["loudest"] * 32768)


def test_int16_is_refused_where_it_would_lose_bits(tmp_path):
    source = write_tree(TinyCorpus().files(), tmp_path / "source")
    out = prepare(options(source, tmp_path, protocols=("basic",), bit_depth=24)).out

    assert load_dataset(out, split="train")[0]["audio"]["array"].dtype == np.float32
    with refused(OptionError):
        load_dataset(out, decode="int16")


channels = arrays(np.int16, st.tuples(st.integers(1, 4), st.integers(1, 50)))


@given(channels, st.sampled_from(["WAV", "FLAC"]))
def test_no_channel_is_averaged_away(samples, container):
    file = io.BytesIO()
    soundfile.write(file, samples.T, 16000, format=container, subtype="PCM_16")
    whole, rate_hz = decode_clip(file.getvalue(), "a", "int16")
    scaled, _ = decode_clip(file.getvalue(), "a")

    assert rate_hz == 16000
    assert np.array_equal(whole, samples[0] if len(samples) == 1 else samples)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, whole / np.float32(32768))


@given(channels)
def test_several_channels_survive_being_encoded_again(samples):
    feature = Audio(sampling_rate=16000, sample_type="int16")
    column = pa.array([{"array": samples.tolist(), "sampling_rate": 16000, "path": "a"}])
    (stored_again,) = feature.cast_storage(column).to_pylist()
    directly = feature.encode_example({"array": samples, "sampling_rate": 16000, "path": "a"})

    for encoded in (stored_again, directly):
        again = feature.decode_example(encoded)["array"]
        assert np.array_equal(np.atleast_2d(again), samples)


wide = arrays(
    np.int32, st.tuples(st.integers(1, 4), st.integers(1, 50)), elements=st.integers(-(1 << 23), (1 << 23) - 1)
)


@given(wide)
def test_wav_of_24_bits_is_decoded_exactly_and_without_soundfile(samples):
    content = b"".join(encode_stored(samples, Encoding(bit_depth=24)))
    expected = np.squeeze(samples, 0) if len(samples) == 1 else samples
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "soundfile", None)
        found, rate_hz = decode_clip(content, "a")
        with pytest.raises(OptionError) as caught:
            decode_clip(content, "a", "int16")

    assert caught.value.actual == "PCM_24"
    assert (found.dtype, rate_hz) == (np.float32, 16000)
    assert np.array_equal(found * np.float64(1 << 23), expected)


@pytest.mark.parametrize("subtype", ["PCM_32", "FLOAT", "PCM_U8", "ULAW"])
def test_other_wav_files_are_decoded_by_soundfile(subtype):
    file = io.BytesIO()
    soundfile.write(file, np.linspace(-1, 0.5, 100), 8000, format="WAV", subtype=subtype)
    samples, rate_hz = decode_clip(file.getvalue(), "a")

    assert rate_hz == 8000
    assert np.array_equal(samples, soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0])
