"""Folders that this package did not make are audited as far as paths and samples tell."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from auditing import found_in, write_wav
from tiny import TinyCorpus, only

from toyadmos_datasets.auditing import audit


@pytest.fixture
def dcase(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "dcase"
    for split, label, n in (("train", "normal", 3), ("test", "normal", 2), ("test", "anomaly", 2)):
        for number in range(n):
            loud = 8000 if label == "anomaly" else 1000
            sound = random.normal(0, loud, 4000).astype(np.int16)
            write_wav(folder / "ToyCar" / split / f"{label}_id_01_{number:08d}.wav", sound)
    return folder


def test_a_folder_in_dcase_layout_is_audited(dcase):
    report = audit(dcase)

    assert report.is_clean
    assert (report.kind, report.toys) == ("folder", ("ToyCar",))
    assert {(one.config, one.split, one.label, one.case): one.n_clips for one in report.counts} == {
        ("ToyCar", "train", "normal", 1): 3,
        ("ToyCar", "test", "normal", 1): 2,
        ("ToyCar", "test", "anomalous", 1): 2,
    }
    assert report.levels[0].auc == 1.0


def test_identical_audio_and_damaged_files_in_a_folder_are_found(dcase):
    samples, rate_hz = soundfile.read(dcase / "ToyCar/train/normal_id_01_00000000.wav", dtype="int16")
    write_wav(dcase / "ToyCar/test/anomaly_id_01_00000009.flac", samples, rate_hz)
    (dcase / "ToyCar/test/normal_id_01_00000008.wav").write_bytes(b"RIFF of nothing")
    cut = dcase / "ToyCar/train/normal_id_01_00000002.wav"
    cut.write_bytes(cut.read_bytes()[:-1000])
    report = audit(dcase, workers=2)

    (twice,) = found_in(report, "leak")["Identical audio stands on two sides."]
    assert "ToyCar/test/anomaly_id_01_00000009.flac (test) = ToyCar/train/normal_id_01_00000000.wav (train)" in twice
    damaged, short = found_in(report, "problem")["A clip cannot be decoded."]
    assert "ToyCar/test/normal_id_01_00000008.wav" in damaged
    assert "ToyCar/train/normal_id_01_00000002.wav: 7044 bytes of the 8044 that its header says" in short


def test_a_tree_of_the_corpus_sorted_into_splits_by_file_leaks_events(tmp_path):
    files = TinyCorpus().files()
    one, other = only(files, "normal_IND_ch1_0001"), only(files, "normal_IND_ch2_0001")
    damaged = only(files, "ab01_IND_ch1")
    for place in (f"train/{one}", f"test/{other}", f"train/normal/{damaged.rpartition('/')[2]}"):
        path = tmp_path / "mine" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[place.partition("/")[2]] if "normal/" not in place else files[damaged])
    leaks = found_in(audit(tmp_path / "mine"), "leak")

    assert "ToyTrain_case1_normal_IND_0001 in test" in leaks["An event stands on two sides."][0]
    assert "ab01" in leaks["A damaged clip stands among the normal ones that are learnt from."][0]


def test_clips_as_this_package_names_them_are_known_by_their_events(tmp_path):
    random = np.random.default_rng(0)
    for place in ("train/normal/ToyTrain_case1_normal_IND_0001_ch1", "test/normal/ToyTrain_case1_normal_IND_0001_mix"):
        write_wav(tmp_path / f"mine/clean/{place}.wav", random.normal(0, 1000, 4000).astype(np.int16))
    write_wav(tmp_path / "mine/clean/train/normal/ToyTrain_case1_ab01_IND_0001_ch1.wav", np.arange(4000) / 9000)
    leaks = found_in(audit(tmp_path / "mine"), "leak")

    assert "ToyTrain_case1_normal_IND_0001 in " in leaks["An event stands on two sides."][0]
    assert "ab01" in leaks["A damaged clip stands among the normal ones that are learnt from."][0]


def test_paths_that_tell_nothing_are_said_to(tmp_path):
    write_wav(tmp_path / "sounds/one.wav", np.arange(400) / 500, subtype="FLOAT")
    write_wav(tmp_path / "sounds/two.wav", np.arange(400, dtype=np.int32) << 10, subtype="PCM_24")
    report = audit(tmp_path / "sounds")

    assert [one.label for one in report.counts] == ["unknown"]
    assert found_in(report, "note")["The path of a clip tells no label."] == ("one.wav", "two.wav")
    assert report.clips["peak"].to_pylist() == pytest.approx([399 / 500, 399 * 1024 / 2**31], rel=1e-3)
