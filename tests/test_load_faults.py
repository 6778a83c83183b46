"""Damage, newer versions, and a folder that is replaced while it is read: an error that says so, never a mixture."""

from __future__ import annotations

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
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import first_shard, outcome_of, pcm, stored
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import BusyError, DatasetError
from toyadmos_datasets.files.installing import upgrade_command
from toyadmos_datasets.loading import consistent_read
from toyadmos_datasets.loading.audio_feature import Audio
from toyadmos_datasets.signal.clip_codec import write_clip

pytestmark = pytest.mark.usefixtures("datasets_cache")


@pytest.fixture
def train(prepared):
    return load_dataset(prepared, split="train")


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_a_manifest_is_not_a_dataset(tmp_path, exists):
    folder = tmp_path if exists else tmp_path / "nothing"

    with refused(DatasetError) as caught:
        load_dataset(folder)

    assert "toyadmos prepare" in caught.value.remedy
    assert caught.value.where == str(folder)


def test_a_cut_run_is_not_a_dataset(copy):
    (copy / "manifest.json").unlink()

    with refused(DatasetError):
        load_dataset(copy)


def test_a_damaged_manifest_is_refused(copy):
    (copy / "manifest.json").write_text((copy / "manifest.json").read_text()[:-20])

    with refused(DatasetError) as caught:
        load_dataset(copy)

    assert caught.value.where == str(copy / "manifest.json")


def test_a_newer_manifest_is_refused_with_how_to_upgrade(copy):
    content = json.loads((copy / "manifest.json").read_text()) | {"schema_version": 99}
    (copy / "manifest.json").write_text(json.dumps(content))

    with refused(DatasetError) as caught:
        load_dataset(copy)

    assert caught.value.actual == "99"
    assert upgrade_command() in caught.value.remedy


def test_a_missing_shard_is_an_error_with_its_hash(copy):
    shard, path = first_shard(copy)
    path.unlink()

    with refused(DatasetError) as caught:
        load_dataset(copy, split="train")

    assert caught.value.where == str(path)
    assert shard.sha256 in caught.value.expected
    assert "--overwrite" in caught.value.remedy


@given(keep=st.floats(0, 1, exclude_max=True))
def test_a_truncated_shard_is_an_error_with_its_hash(prepared, tmp_path_factory, keep):
    folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("cut") / "dataset"))
    shard, path = first_shard(folder)
    os.truncate(path, int(keep * shard.n_bytes))

    with pytest.raises(DatasetError) as caught:
        load_dataset(folder, split="train")

    assert shard.sha256 in caught.value.expected
    assert caught.value.where == str(path)


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.999])
def test_a_flipped_bit_in_a_shard_is_an_error_with_its_hash(copy, place):
    shard, path = first_shard(copy)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(content)

    with refused(DatasetError) as caught:
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

    with refused(DatasetError):
        load_dataset(copy)


@given(st.sampled_from(["WAV", "FLAC"]), st.data())
def test_a_damaged_clip_is_an_error_that_names_it_or_the_same_samples(prepared, container, data):
    original = stored(prepared)[0]
    samples = pcm(original["bytes"])
    content = bytearray(write_clip(samples, 16_000, container, "PCM_16"))
    if container == "WAV" or data.draw(st.booleans(), label="cut"):  # what else damages a WAV, the shard's hash finds
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        content[data.draw(st.integers(0, len(content) - 1), label="place")] ^= 1 << data.draw(st.integers(0, 7))
    feature = Audio(sampling_rate=16000)
    outcome = outcome_of(lambda: feature.decode_example({"bytes": bytes(content), "path": original["path"]}))

    if isinstance(outcome, DatasetError):
        assert outcome.where == original["path"]
        assert f"{len(content)} bytes" in outcome.actual
        assert "toyadmos verify" in outcome.remedy
    else:
        assert np.array_equal(outcome["array"], samples / 32768)


def test_a_damaged_clip_among_others_is_an_error_that_names_it(train):
    content = train.cast_column("audio", datasets.Audio(decode=False))[1]["audio"]["bytes"]
    table = pa.table({"audio": [{"bytes": content, "path": "a.wav"}, {"bytes": content[:500], "path": "b.wav"}]})
    rows = datasets.Dataset(table).cast_column("audio", Audio(sampling_rate=16000))

    assert len(rows[0]["audio"]["array"]) > 0
    with refused(DatasetError) as caught:
        rows[1]
    assert caught.value.where == "b.wav"


@pytest.mark.parametrize("is_far", [False, True], ids=["near", "far"])
@pytest.mark.parametrize("place", [0.3, 0.6])
def test_a_flipped_bit_in_a_page_is_noticed_while_streaming(copy, place, is_far):
    shard, path = first_shard(copy)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(content)

    with refused(DatasetError) as caught:
        list(load_dataset(f"file://{copy}" if is_far else copy, split="train", streaming=True))

    assert shard.sha256 in caught.value.expected


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_missing_or_truncated_shard_is_an_error_with_its_hash_either_way(copy, streaming, damage):
    shard, path = first_shard(copy)
    path.unlink() if damage == "missing" else os.truncate(path, shard.n_bytes // 2)

    with refused(DatasetError) as caught:
        load_dataset(copy, split="train", streaming=streaming)

    assert shard.sha256 in caught.value.expected


REPLACING = """
    import sys
    from pathlib import Path
    from preparing import options
    from toyadmos_datasets.jobs.prepare import prepare
    source, place = Path(sys.argv[1]), Path(sys.argv[2])
    for seed in (1, 0) * 4:
        prepare(options(source, place, protocols=("basic",), seed=seed, overwrite=True))
"""


def test_a_reader_gets_the_old_or_the_new_dataset_during_a_commit(tmp_path):
    source = write_tree(TinyCorpus(n_normal=8).files(), tmp_path / "source")
    command = [sys.executable, "-c", textwrap.dedent(REPLACING), str(source), str(tmp_path)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "support"), *filter(None, sys.path)])
    }
    seen = set()
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            if not (tmp_path / "out" / "manifest.json").exists():
                continue
            both = load_dataset(tmp_path / "out", cache_dir=tmp_path / "hf")
            seen.add((frozenset(both["train"]["event_id"]), frozenset(both["test"]["event_id"])))
            assert len({*both["train"]["event_id"], *both["test"]["event_id"]}) == 10
            assert not set(both["train"]["event_id"]) & set(both["test"]["event_id"])
            assert sum(len(row["audio"]["array"]) for row in both["train"]) == sum(both["train"]["n_samples"])

    assert process.returncode == 0
    assert 1 <= len(seen) <= 2


def test_rows_that_are_mapped_outlive_the_folder(copy):
    rows = load_dataset(copy, split="train")
    expected = rows[1]["audio"]["array"]
    shutil.rmtree(copy)

    assert np.array_equal(rows[1]["audio"]["array"], expected)


def test_a_shard_that_was_replaced_is_not_taken_for_the_one_that_was_loaded(copy):
    sent = pickle.dumps(load_dataset(copy, split="train"))  # as to a worker process
    _, path = first_shard(copy)
    os.utime(path, ns=(1, 10**18))

    with refused(DatasetError):
        pickle.loads(sent)


def test_streaming_on_after_a_replacement_is_an_error(copy):
    rows = load_dataset(copy, split="train", streaming=True)
    manifest = json.loads((copy / "manifest.json").read_text())
    for shard in manifest["shards"]:
        shard["sha256"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))

    with refused(DatasetError):
        next(iter(rows))


def test_a_folder_that_is_replaced_at_every_look_is_busy(copy):
    def opening(_):
        (copy / "manifest.json").write_text((copy / "manifest.json").read_text() + " ")

    with refused(BusyError):
        consistent_read.open_consistently(copy, opening)
