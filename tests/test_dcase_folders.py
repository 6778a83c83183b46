"""Folders in the layouts of DCASE task 2 are read through our columns, and scores that name their files come home."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from auditing import write_wav
from preparing import toyadmos
from wording import refused

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.builder import load_dataset
from toyadmos_datasets.corpus.dcase_names import machine_of_scores, parse_dcase
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.exporting import ExportOptions, export_dataset
from toyadmos_datasets.values.given_scores import read_given_scores

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is an extra")

YEARS = {
    "2020": ("ToyConveyor", "{split}/{label}_id_02_{n:08d}.wav"),
    "2021": ("ToyTrain", "{folder}/section_01_{domain}_{split}_{label}_{n:04d}_strength_1_ambient.wav"),
    "2022": ("ToyCar", "{split}/section_01_{domain}_{split}_{label}_{n:04d}_car_A1_spd_28V.wav"),
    "2024": ("ToyTrain", "{split}/section_00_{domain}_{split}_{label}_{n:04d}_noAttribute.wav"),
    "2025": ("AutoTrash", "{split}/section_00_{domain}_{split}_{label}_{n:04d}_id_C1_spd_2_mic_2.wav"),
    "2026": ("fan", "{split}/section_00_{domain}_{split}_{label}_{n:04d}_.wav"),
}
SECTIONS = {"2020": 2, "2021": 1, "2022": 1}
TRUTH = "AutoTrash\nsection_00_0000.wav,section_00_source_test_normal_0000_id_C1.wav\n"


def write_year(root, year, n_channels=1):
    """Write six clips of one machine as a year's files are called; anomalous ones are louder."""
    machine, pattern = YEARS[year]
    random = np.random.default_rng(0)
    for split, label, domain, n in (
        ("train", "normal", "source", 0),
        ("train", "normal", "target", 1),
        ("test", "normal", "source", 0),
        ("test", "normal", "target", 1),
        ("test", "anomaly", "source", 0),
        ("test", "anomaly", "target", 1),
    ):
        folder = f"{domain}_test" if split == "test" else split
        name = pattern.format(split=split, folder=folder, label=label, domain=domain, n=n)
        sound = random.normal(0, 8000 if label == "anomaly" else 1000, (8000, n_channels)).astype(np.int16)
        write_wav(root / machine / name, sound)
    return root


@pytest.mark.parametrize("year", YEARS)
def test_every_years_folder_opens_with_the_columns_that_it_can_fill(tmp_path, datasets_cache, year):
    n_channels = 2 if year == "2026" else 1
    write_year(tmp_path / "dev_data", year, n_channels)
    splits = load_dataset(f"dcase:{tmp_path}")
    test = splits["test"]

    assert {split: len(rows) for split, rows in splits.items()} == {"train": 2, "test": 4}
    assert sorted(test["label"]) == [0, 0, 1, 1]
    assert set(test["toy"]) == {YEARS[year][0]}
    assert set(test["case"]) == {SECTIONS.get(year, 0)}
    assert set(test["domain"]) == ({None} if year == "2020" else {"source", "target"})
    assert test[0]["audio"]["array"].shape == ((8000,) if n_channels == 1 else (2, 8000))
    assert len(set(test["event_id"]) | set(splits["train"]["event_id"])) == 6
    assert not {"condition", "damaged_parts", "target", "noise", "snr_db"} & {*test.column_names}


def test_what_a_name_says_is_read_and_what_it_hides_is_not_made_up():
    def attributes(name):
        return dict(parse_dcase(["ToyCar", "train"], name).attributes)

    assert attributes("section_00_source_train_normal_0000_car_A2_spd_28V.wav") == {"car": "A2", "spd": "28V"}
    assert attributes("section_00_source_train_normal_0000_noAttribute.wav") == {}
    assert attributes("section_00_source_train_normal_0000_.wav") == {}
    assert parse_dcase(["fan", "supplemental"], "section_00_noise_0001_.wav").label == "noise"
    assert parse_dcase(["fan", "test"], "section_00_0001.wav").label is None
    assert parse_dcase(["fan", "test"], "mine.wav") is None
    assert parse_dcase(["fan", "other"], "section_00_0001.wav") is None


def test_clips_of_an_evaluation_set_have_labels_where_the_organisers_list_is_beside_them(tmp_path, datasets_cache):
    for number in range(2):
        write_wav(tmp_path / f"AutoTrash/test/section_00_{number:04d}.wav", np.ones(8000, np.int16))
    before = load_dataset(f"dcase:{tmp_path}", split="test")
    (tmp_path / "eval_data_list_2025.csv").write_text(TRUTH, encoding="utf-8")
    after = load_dataset(f"dcase:{tmp_path}", split="test")

    assert before["label"] == [None, None]
    assert after["label"] == [0, None]
    assert after["domain"] == ["source", None]
    assert [one.label for one in audit(f"dcase:{tmp_path}").counts] == ["normal", "unknown"]


def test_an_audit_counts_machines_sections_and_splits(tmp_path):
    report = audit(f"dcase:{write_year(write_year(tmp_path, '2021'), '2026', 2)}")

    assert report.is_clean
    assert {(one.config, one.split, one.label, one.case): one.n_clips for one in report.counts} == {
        ("ToyTrain", "train", "normal", 1): 2,
        ("ToyTrain", "test", "normal", 1): 2,
        ("ToyTrain", "test", "anomalous", 1): 2,
        ("fan", "train", "normal", 0): 2,
        ("fan", "test", "normal", 0): 2,
        ("fan", "test", "anomalous", 0): 2,
    }


def test_a_folder_without_clips_of_the_challenge_is_refused(tmp_path, datasets_cache):
    write_wav(tmp_path / "mine.wav", np.ones(100, np.int16))
    with refused(DatasetError, "train"):
        load_dataset(f"dcase:{tmp_path}")
    write_year(tmp_path, "2026")
    with refused(OptionError, "fan"):
        load_dataset(f"dcase:{tmp_path}", "pump")
    with refused(OptionError, "streaming"):
        load_dataset(f"dcase:{tmp_path}", streaming=True)


@needs_torch
def test_a_system_is_trained_and_scored_on_such_folders(tmp_path, capsys, baseline_cache):
    write_year(tmp_path / "mine", "2022")
    write_year(tmp_path / "theirs", "2022")
    for path in (tmp_path / "theirs").rglob("*.wav"):  # the same names, and other sounds
        write_wav(path, np.random.default_rng(1).normal(0, 1000, 8000).astype(np.int16))
    small = ["--set", "epochs=1", "--set", "n_units=8", "--set", "n_hidden=1", "--set", "offsets=[-1,0]"]
    run = tmp_path / "run"
    trained = toyadmos(capsys, "train", f"dcase:{tmp_path}/mine", "--out", run, "--device", "cpu", *small)
    own = toyadmos(capsys, "evaluate", run, "--device", "cpu")
    other = toyadmos(capsys, "evaluate", run, "--dataset", f"dcase:{tmp_path}/theirs", "--device", "cpu")

    shown = toyadmos(capsys, "report", run, "--config", "ToyCar", "--out", tmp_path / "page.html")

    assert (trained.status, own.status, other.status, shown.status) == (0, 0, 0, 0), own.err + other.err + shown.err
    assert "2 normal and 2 anomalous clips" in own.out
    assert "2 normal clips of train" in own.out  # the threshold
    assert "target" in own.out


@needs_torch
def test_scores_as_a_baseline_writes_them_are_taken_for_its_folder(tmp_path, capsys, baseline_cache):
    folder = write_year(tmp_path / "dev_data", "2021")
    results = tmp_path / "result"
    results.mkdir()
    trained = sorted(path.name for path in (folder / "ToyTrain" / "train").glob("*.wav"))
    scores = "".join(f"{name},0.{number}\n" for number, name in enumerate(trained))
    (results / "anomaly_score_ToyTrain_section_01_train.csv").write_text(scores, encoding="utf-8")
    for domain in ("source", "target"):
        names = sorted(path.name for path in (folder / "ToyTrain" / f"{domain}_test").glob("*.wav"))
        lines = [f"{name},{float('anomaly' in name)}\n" for name in names]
        (results / f"anomaly_score_ToyTrain_section_01_{domain}_test.csv").write_text("".join(lines), encoding="utf-8")
    (results / "anomaly_score_ToyCar_section_01_test.csv").write_text("others.wav,1.0\n", encoding="utf-8")
    ran = toyadmos(capsys, "evaluate", tmp_path / "run", "--scores", results, "--dataset", f"dcase:{folder}")

    assert ran.status == 0, ran.err
    assert "AUC    " in ran.out
    assert "2 normal clips of train" in ran.out  # the threshold
    assert "1.000" in ran.out


@pytest.mark.parametrize("layout", ["dcase2020", "dcase2023", "wav"])
def test_scores_of_exported_files_find_their_clips(prepared, tmp_path, layout):
    export_dataset(ExportOptions(folder=prepared, out=tmp_path / "out", layout=layout, config="snr_6db"))
    names = sorted(path.name for path in (tmp_path / "out").rglob("*.wav") if "test" in path.parts)
    lines = [f"{name},{number}\n" for number, name in enumerate(names)]
    scores = tmp_path / "anomaly_score_ToyTrain_section_00_test.csv"
    scores.write_text("".join(lines), encoding="utf-8")
    given = read_given_scores(scores, machine="ToyTrain", files={}, labels=tmp_path / "out").table
    headed = tmp_path / "headed.csv"
    headed.write_text("file_name,score\n" + "".join(lines), encoding="utf-8")

    test = load_dataset(prepared, "snr_6db", "test", decode=False)
    assert sorted(given["event_id"].to_pylist()) == sorted(test["event_id"])
    assert set(given["snr_db"].to_pylist()) == {6.0}
    assert given["score"].to_pylist() == list(range(len(names)))
    assert read_given_scores(headed, machine="", files={}, labels=tmp_path / "out" / "labels.csv").table == given


def test_scores_that_name_no_clip_are_refused(prepared, tmp_path):
    scores = tmp_path / "theirs.csv"
    scores.write_text("unknown.wav,1.0\n", encoding="utf-8")
    with refused(OptionError, "unknown.wav"):
        read_given_scores(scores, machine="ToyTrain", files={})
    scores.write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    with refused(OptionError, "event_id"):
        read_given_scores(scores, machine="ToyTrain", files={})
    with refused(OptionError, "anomaly_score_ToyTrain"):
        read_given_scores(tmp_path, machine="ToyTrain", files={})


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("anomaly_score_ToyCar_id_01.csv", "ToyCar"),
        ("anomaly_score_ToyTrain_section_02_target_test.csv", "ToyTrain"),
        ("anomaly_score_fan_section_00_test.csv", "fan"),
        ("anomaly_score_DCASE2023T2ToyCar_section_00_test_seed1.csv", "ToyCar"),
        ("decision_result_fan_section_00_test.csv", None),
    ],
)
def test_files_of_scores_say_whose_they_are(name, machine):
    assert machine_of_scores(name) == machine
