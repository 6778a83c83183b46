"""Clips of a near and a far microphone, with their stems: as they are rendered, told, built and exported."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from preparing import hashes, options
from tiny import TinyCorpus, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.builder import ToyAdmos
from toyadmos_datasets.errors import DiskFullError, OptionError
from toyadmos_datasets.exporting import ExportOptions, export_dataset
from toyadmos_datasets.files import job_folder
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.values.manifest import read_manifest

ASKED: dict[str, Any] = {"toy": "ToyCar", "protocols": ("noise-aware",), "supplemental_events": 1}
CORPUS = TinyCorpus(toy="ToyCar", n_normal=7, conditions=("ab01",), n_noise=4)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return CORPUS.files()


@pytest.fixture(scope="module")
def near_and_far(files, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("near")
    return prepare(options(write_tree(files, place / "source"), place, **ASKED)).out


def rows_of(folder: Path, split: str, config: str = "noise_aware") -> list[dict[str, Any]]:
    shards = read_manifest(folder).configs[config][split]
    return [row for shard in shards for row in pq.read_table(folder / shard.path).to_pylist()]


def samples(clip: dict[str, Any]) -> np.ndarray:
    found, _ = soundfile.read(io.BytesIO(clip["bytes"]), dtype="int16", always_2d=True)
    return found.astype(np.int64)


@pytest.mark.parametrize("split", ["train", "supplemental", "test"])
def test_the_stems_of_near_and_far_add_up_and_have_the_level_that_was_asked_for(near_and_far, split):
    rows = rows_of(near_and_far, split)

    assert rows
    for row in rows:
        audio, target, noise = (samples(row[name]) for name in ("audio", "target", "noise"))
        assert audio.shape == target.shape == noise.shape == (row["n_samples"], 2)
        assert np.abs(target + noise - audio).max() <= 1
        level_db = 10 * np.log10(np.mean((noise / 2**15) ** 2)) + row["headroom_db"]
        assert row["reference_level_db"] - level_db == pytest.approx(row["snr_db"], abs=0.05)


def test_both_microphones_hear_one_take_of_noise_with_one_gain(near_and_far, files, tmp_path):
    single = {"protocols": ("basic",), "toy": "ToyCar", "stems": True}
    alone = {
        channel: prepare(
            options(near_and_far.parent / "source", tmp_path / channel, channels=channel, headroom_db=0.0, **single)
        ).out
        for channel in ("1", "3")
    }
    clean = {
        channel: {
            row["event_id"]: samples(row["audio"])
            for split in ("train", "test")
            for row in rows_of(out, split, "clean")
        }
        for channel, out in alone.items()
    }

    for row in rows_of(near_and_far, "test"):
        target = samples(row["target"])
        gain = 10 ** (-row["headroom_db"] / 20)
        for place, channel in enumerate(("1", "3")):
            expected = np.rint(clean[channel][row["event_id"]][:, 0] * gain)
            assert np.abs(target[:, place] - expected).max() <= 1
        assert [one.split("_")[-2] for one in row["noise_recording_ids"]] == ["ch1", "ch3"]
        assert len({one.split("_")[-1] for one in row["noise_recording_ids"]}) == 1


def test_a_tree_and_volumes_give_the_same_bytes(near_and_far, files, tmp_path):
    volumes = write_volumes(files, tmp_path / "volumes", toy="ToyCar")
    other = prepare(options(volumes, tmp_path, **ASKED)).out

    first, second = (
        {path: found for path, found in hashes(folder).items() if not path.endswith("manifest.json")}
        for folder in (near_and_far, other)
    )
    assert first == second


def test_an_audit_finds_nothing_and_the_card_tells_the_channels(near_and_far):
    report = audit(near_and_far)
    card = (near_and_far / "README.md").read_text()

    assert [one for one in report.findings if one.severity in {"leak", "problem"}] == []
    assert "2 channels, one a microphone" in card
    assert "0: two of them, in one clip, in the order of `recording_ids`" in card
    assert "a tensor of shape (2, n_samples)" in card


def test_the_builder_knows_that_there_are_stems():
    assert {"audio", "target", "noise"} <= set(ToyAdmos("car-noise-aware").info.features)
    assert "noise" not in ToyAdmos("car-basic").info.features


# --- exports


def exported(dataset: Path, out: Path, layout: str, config: str = "noise_aware") -> Path:
    export_dataset(ExportOptions(folder=dataset, layout=layout, out=out, config=config))
    return out / "dev_data" / "raw" / "ToyCar"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_challenge_of_2026_finds_every_clip_by_its_rules_with_near_on_the_left(near_and_far, tmp_path):
    # Source: nttcslab/dcase2023_task2_baseline_ae, version 5, as read: its patterns, more than one channel.
    machine = exported(near_and_far, tmp_path / "out", "dcase2026")
    found = {
        (split, label): sorted((machine / split).glob(f"section_00_*_{label}_*.wav"))
        for split in ("train", "test")
        for label in ("normal", "anomaly")
    }
    labels = {one["file_name"]: one for one in table(tmp_path / "out" / "labels.csv")}
    train = rows_of(near_and_far, "train")

    assert found["train", "anomaly"] == []
    assert len(found["train", "normal"]) == len(train)
    n_anomalous = sum(row["label"] for row in rows_of(near_and_far, "test"))
    assert len(found["test", "anomaly"]) == n_anomalous > 0
    assert {one.name.split("_", 6)[-1] for one in found["train", "normal"]} == {"case_1_mic_1-3_noise_6dB.wav"}
    for path in (one for paths in found.values() for one in paths):
        assert soundfile.info(path).channels == 2
    first = found["train", "normal"][0]
    row = next(row for row in train if row["event_id"] == labels[str(first.relative_to(tmp_path / "out"))]["event_id"])
    left, right = soundfile.read(first, dtype="int16")[0].T
    assert [channel.tolist() for channel in (left, right)] == samples(row["audio"]).T.tolist()


def test_supplemental_clips_are_the_noise_alone_and_are_called_so(near_and_far, tmp_path):
    machine = exported(near_and_far, tmp_path / "out", "dcase2026")
    (path,) = machine.glob("supplemental/*.wav")
    (row,) = rows_of(near_and_far, "supplemental")
    (told,) = [one for one in table(tmp_path / "out" / "labels.csv") if "/supplemental/" in one["file_name"]]
    attributes = {one["file_name"] for one in table(machine / "attributes_00.csv")}

    assert path.name == "section_00_noise_0001_case_1_mic_1-3_noise_6dB.wav"
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], samples(row["noise"]))
    assert told["label"] == "noise"
    assert f"ToyCar/supplemental/{path.name}" in attributes


def test_an_export_that_was_cut_goes_on_to_the_same_bytes(near_and_far, tmp_path, monkeypatch):
    exported(near_and_far, tmp_path / "whole", "dcase2026")
    original, left = job_folder.write_file, [len(rows_of(near_and_far, "train")) + 1]

    def write_file(path: Path) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise DiskFullError("full", where=path)
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(job_folder, "write_file", write_file)
        with pytest.raises(DiskFullError):
            exported(near_and_far, tmp_path / "cut", "dcase2026")
    exported(near_and_far, tmp_path / "cut", "dcase2026")

    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")


def test_the_layouts_of_other_years_take_what_they_have_a_place_for(near_and_far, tmp_path):
    machine = exported(near_and_far, tmp_path / "2023", "dcase2023")

    assert {soundfile.info(path).channels for path in machine.rglob("*.wav")} == {2}
    assert not (machine / "supplemental").exists()
    with refused(OptionError, "--layout dcase2020"):
        exported(near_and_far, tmp_path / "2020", "dcase2020")


def test_clips_of_one_channel_have_no_place_in_2026(prepared, tmp_path):
    with refused(OptionError, "--layout dcase2026"):
        exported(prepared, tmp_path / "out", "dcase2026", "clean")


def test_the_target_domain_of_a_test_is_the_case_that_was_left_out(tmp_path):
    corpus = TinyCorpus(toy="ToyCar", cases=(1, 2), n_normal=6, conditions=("ab01",))
    asked = {"toy": "ToyCar", "protocols": ("leave-one-case-out",), "channels": "2,1", "adapt_events": 1}
    out = prepare(options(write_tree(corpus.files(), tmp_path / "source"), tmp_path, **asked)).out
    machine = exported(out, tmp_path / "export", "dcase2026", "leave_out_case2_clean")
    domains = {
        (Path(one["file_name"]).parent.name, one["d1v"], Path(one["file_name"]).name.split("_")[2])
        for one in table(machine / "attributes_00.csv")
    }

    assert domains == {
        ("train", "1", "source"),
        ("train", "2", "target"),
        ("test", "1", "source"),
        ("test", "2", "target"),
    }
