"""The law of what is read back: a damaged file gives the value that was written or a `ToyAdmosError`, nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import uuid

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutating import mutated_bytes, mutated_json, mutated_json_bytes
from preparing import toyadmos

from toyadmos_datasets import load_dataset
from toyadmos_datasets.archives.remote import license_consent
from toyadmos_datasets.archives.remote.volume_list import published_manifest, read_manifest, write_manifest
from toyadmos_datasets.errors import DatasetError, OutputConflictError, ToyAdmosError
from toyadmos_datasets.exporting.export_job import DONE_NAME, export_folder
from toyadmos_datasets.files import lock
from toyadmos_datasets.files.checked_json import parse_json
from toyadmos_datasets.loading.clip_cache import split_places
from toyadmos_datasets.loading.clip_positions import read_places, read_spans
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.sharing.bucket import RECORD_NAME, Bucket
from toyadmos_datasets.sharing.recipe_opening import parse_manifest
from toyadmos_datasets.simulation.simulated_corpus import CorpusRecord, corpus_folder
from toyadmos_datasets.values.manifest import MANIFEST_NAME

shortly = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def found_or_refused(read, refusal=ToyAdmosError):
    """Return what is read, or None where that is refused as it should be; any other exception fails the test."""
    with contextlib.suppress(refusal):
        return read()
    return None


@shortly
@given(data=st.data())
def test_a_mutated_object_is_the_same_or_refused(data):
    value = {"a": [1, 2.5, None, {"b": "text"}], "c": True}
    content = data.draw(mutated_json_bytes(value))
    found = found_or_refused(lambda: parse_json(content, where="x", remedy="-"))

    assert found is None or json.loads(json.dumps(found, allow_nan=False)) == found


@shortly
@given(data=st.data())
def test_a_mutated_manifest_is_valid_or_refused_near_and_far(prepared, data):
    whole = json.loads((prepared / MANIFEST_NAME).read_bytes())
    content = data.draw(mutated_json_bytes(whole))
    memory, name = fsspec.filesystem("memory"), f"/mutated-{uuid.uuid4().hex}/{MANIFEST_NAME}"
    memory.pipe(name, content)
    far = found_or_refused(DatasetLocation(address=f"memory:/{name.removesuffix('/' + MANIFEST_NAME)}").manifest)
    memory.rm(name)
    shared = found_or_refused(lambda: parse_manifest(content, "x"))

    assert far == shared
    if far is not None:
        assert all(shard.path.startswith("data/") and ".." not in shard.path for shard in far.shards)
        assert isinstance(far.source["is_simulated"], bool)
        assert all(isinstance(shard.n_rows, int) and shard.n_rows >= 0 for shard in far.shards)


def test_a_bit_flipped_anywhere_in_what_is_kept_of_places_is_found_and_mended(prepared, tmp_path):
    place = DatasetLocation(address=str(prepared))
    splits = next(iter(place.manifest().configs.values()))
    kept = split_places(place, "train", splits["train"], tmp_path)
    whole, rows = kept.read_bytes(), read_places(kept)
    for at in range(0, len(whole), 97):
        kept.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        for read in (read_places, read_spans):
            with pytest.raises(DatasetError) as caught:
                read(kept)

            assert caught.value.where == str(kept)
    again = split_places(place, "train", splits["train"], tmp_path)

    assert again.read_bytes() == whole
    assert read_places(again).equals(rows)


RECORD = {"sharing": "0" * 64, "last": "manifest.json", "sent": {"data/a/train-00000-of-00001.parquet": "1" * 64}}


@shortly
@given(content=mutated_json_bytes(RECORD))
def test_a_mutated_record_of_a_bucket_names_nothing_outside(content):
    memory, name = fsspec.filesystem("memory"), uuid.uuid4().hex
    memory.pipe(f"/{name}/{RECORD_NAME}", content)
    record = Bucket(f"memory://{name}", may_share_audio=True)._record()
    memory.rm(f"/{name}", recursive=True)

    assert record.last in {None, "manifest.json", "dataset.toyrecipe"}
    assert all(isinstance(one, str) and len(one) == 64 for one in record.sent.values())


@shortly
@given(content=mutated_json_bytes({"host": platform.node(), "pid": os.getpid()}))
def test_a_mutated_file_of_the_holder_names_a_process_or_none(tmp_path, content):
    (tmp_path / lock.HOLDER_NAME).write_bytes(content)

    assert lock._holder(tmp_path).startswith("held by ")


@shortly
@given(data=st.data())
def test_a_mutated_memory_of_the_licence_never_accepts_another(tmp_path, monkeypatch, data):
    monkeypatch.setattr(license_consent, "_memory", lambda: tmp_path / "memory.json")
    file = published_manifest("ToyTrain").license_file
    whole = {"license": "x", "md5": "f" * 32, "accepted": "2020-01-01"}
    (tmp_path / "memory.json").write_bytes(data.draw(mutated_json_bytes(whole)))

    assert not license_consent._is_remembered(file)


SIMULATED = CorpusRecord(toy="ToyTrain", size="tiny", seed=0, model=1, tree=True, volumes=False)


@shortly
@given(data=st.data())
def test_a_mutated_record_of_a_simulated_corpus_is_the_same_or_a_conflict(tmp_path, data):
    whole = {"toy": "ToyTrain", "size": "tiny", "seed": 0, "model": 1, "tree": True, "volumes": False}
    (tmp_path / "tree" / "ToyTrain").mkdir(parents=True, exist_ok=True)
    (tmp_path / "simulated.json").write_bytes(data.draw(mutated_json_bytes(whole)))

    assert found_or_refused(corpus_folder(tmp_path, SIMULATED).state, OutputConflictError) in {"done", None}


@shortly
@given(data=st.data())
def test_a_mutated_job_of_an_export_is_the_same_or_a_conflict(tmp_path, data):
    job = {"layout": "folder", "shards": ["0" * 64], "config": None}
    (tmp_path / DONE_NAME).write_bytes(data.draw(mutated_json_bytes({"request": job})))

    assert found_or_refused(export_folder(tmp_path, job).state, OutputConflictError) in {"done", None}


@shortly
@given(data=st.data())
def test_a_mutated_table_of_volumes_lists_valid_volumes_or_is_refused(tmp_path, data):
    path = tmp_path / "volumes.csv"
    write_manifest(path, published_manifest("ToyTrain").volumes)
    path.write_bytes(data.draw(mutated_bytes(path.read_bytes())))
    found = found_or_refused(lambda: read_manifest(path, "ToyTrain"))

    assert found is None or all(one.n_bytes >= 0 and "/" not in one.name for one in found.volumes)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_verify_and_load_handle_a_folder_with_a_mutated_manifest(prepared, tmp_path, capsys, datasets_cache, data):
    folder = tmp_path / "mutated"
    if not folder.exists():
        shutil.copytree(prepared, folder)
    whole = json.loads((prepared / MANIFEST_NAME).read_bytes())
    (folder / MANIFEST_NAME).write_text(data.draw(mutated_json(whole)))
    found_or_refused(lambda: load_dataset(folder))
    ran = toyadmos(capsys, "verify", folder)

    assert "did not foresee" not in ran.err
    assert "Traceback" not in ran.err
