"""An audit finds from the data what a plan would never admit."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import options, toyadmos
from rewriting import flac_of, in_split, rewritten, samples_of
from tiny import TinyCorpus, only, write_tree

from toyadmos_datasets import audit_dataset
from toyadmos_datasets.audit.clips import clips_table
from toyadmos_datasets.audit.collecting import Findings
from toyadmos_datasets.audit.splits import check_splits
from toyadmos_datasets.prepare import prepare
from toyadmos_datasets.values.recipe import Recipe, read_recipe, write_recipe


def found_in(report, severity):
    """What was found of a severity: sentence -> places."""
    return {one.what: one.places for one in report.findings if one.severity == severity}


def first_changed(**values):
    """Give the first row other values; a callable makes them of the row."""

    def change(rows):
        new = {name: value(rows[0]) if callable(value) else value for name, value in values.items()}
        return [rows[0] | new, *rows[1:]]

    return change


@pytest.fixture(scope="module")
def rows_by_split(prepared, tmp_path_factory):
    """The rows of the prepared dataset, by ``config/split``."""
    seen = {}

    def look(here, rows):
        seen[here] = rows
        return rows

    rewritten(prepared, tmp_path_factory.mktemp("look") / "copy", look)
    return seen


def test_a_prepared_dataset_is_clean(prepared):
    report = audit_dataset(prepared)

    assert report.is_clean
    assert not report.has_leak
    assert report.kind == "dataset"
    assert {(one.config, one.split, one.label) for one in report.counts} == {
        (config, split, label)
        for config in ("clean", "snr_6db")
        for split, label in (("train", "normal"), ("test", "normal"), ("test", "anomalous"))
    }
    assert sum(one.n_clips for one in report.counts) == 20
    assert {(one.config, one.split) for one in report.levels} == {("clean", "test"), ("snr_6db", "test")}
    (snr,) = report.snrs
    assert (snr.config, snr.requested_db, snr.n_clips) == ("snr_6db", 6.0, 10)
    assert snr.largest_error_db < 0.01


def test_workers_change_nothing(prepared):
    one, two = (audit_dataset(prepared, workers=workers) for workers in (1, 2))

    assert one.as_json() == two.as_json()
    assert one.clips == two.clips


def test_an_event_on_two_sides_is_a_leak(prepared, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/test", lambda rows: [*rows, stolen]))
    leaks = found_in(audit_dataset(copy), "leak")

    (event,) = leaks["An event stands on two sides."]
    assert event.startswith(f"clean: {stolen['event_id']} in train (data/clean/train-")
    n_test = len(rows_by_split["clean/test"])
    assert f"and test (data/clean/test-00000-of-00001.parquet, row {n_test})" in event
    (twice,) = leaks["Identical audio stands on two sides."]
    assert f"row 0 (train) = data/clean/test-00000-of-00001.parquet, row {n_test} (test)" in twice


def test_the_same_event_in_two_configs_is_no_leak(rows_by_split):
    assert {row["event_id"] for row in rows_by_split["clean/train"]} == {
        row["event_id"] for row in rows_by_split["snr_6db/train"]
    }


def test_identical_audio_under_other_names_is_found(prepared, rows_by_split, tmp_path):
    audio = {"bytes": flac_of(samples_of(rows_by_split["clean/train"][0]))} | {"path": "other.flac"}
    across = rewritten(prepared, tmp_path / "across", in_split("clean/test", first_changed(audio=audio)))
    within = rewritten(
        prepared, tmp_path / "within", in_split("clean/train", lambda rows: [rows[0], rows[1] | {"audio": audio}])
    )

    assert list(found_in(audit_dataset(across), "leak")) == ["Identical audio stands on two sides."]
    report = audit_dataset(within)
    assert not report.has_leak
    assert list(found_in(report, "problem")) == ["Identical audio stands in a config more than once."]


def test_noise_on_two_sides_is_a_leak_and_its_overlap_is_measured(prepared, rows_by_split, tmp_path):
    other = rows_by_split["snr_6db/train"][0]
    noise = {name: other[name] for name in ("noise_recording_ids", "noise_start")}
    copy = rewritten(prepared, tmp_path / "copy", in_split("snr_6db/test", first_changed(**noise)))
    leaks = found_in(audit_dataset(copy), "leak")

    assert set(leaks) == {"A noise recording stands on two sides.", "A stretch of noise stands on two sides."}
    start = other["noise_start"]
    assert any(
        f"samples {start} to {start + 4000} in " in one for one in leaks["A stretch of noise stands on two sides."]
    )


@pytest.mark.parametrize(
    "asked",
    [{"protocols": ("basic",), "snrs_db": (0.0,), "is_noise_shared": True}, {"is_faithful": True, "channels": "mix"}],
    ids=["shared-noise", "faithful"],
)
def test_noise_that_was_asked_to_be_shared_is_told_and_is_no_leak(tmp_path, asked):
    tree = write_tree(TinyCorpus(n_noise=1).files(), tmp_path / "tree")
    report = audit_dataset(prepare(options(tree, tmp_path, **asked)).out)

    assert not report.has_leak
    assert "A noise recording stands on two sides, as was asked for." in found_in(report, "problem")


def test_a_damaged_clip_called_normal_is_found(prepared, rows_by_split, tmp_path):
    damaged = next(row for row in rows_by_split["clean/test"] if row["label"] == 1)
    in_train = rewritten(
        prepared, tmp_path / "train", in_split("clean/train", lambda rows: [*rows, damaged | {"label": 0}])
    )
    in_test = rewritten(
        prepared, tmp_path / "test", in_split("clean/test", lambda rows: [row | {"label": 0} for row in rows])
    )

    leaks = found_in(audit_dataset(in_train), "leak")
    (said,) = leaks["A damaged clip stands among the normal ones that are learnt from."]
    assert damaged["recording_ids"][0] in said
    problems = found_in(audit_dataset(in_test), "problem")
    assert len(problems["A label contradicts the name of the recording."]) == 2
    assert problems["The test split has no anomalous clip."] == ("clean",)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"condition": "ab07"}, "A clip is not what the name of its recording says."),
        ({"event_id": "ToyTrain_case1_normal_IND_0099"}, "A clip is not what the name of its recording says."),
        ({"first_carriage": "melted"}, "The state of a part is not the damage table's."),
        ({"condition": "ab99"}, "The state of a part is not the damage table's."),
        ({"channel": 3}, "A clip is not of the microphone that it is said to be of."),
        ({"recording_ids": ["nonsense"]}, "The name of a recording is no name of the corpus."),
    ],
)
def test_columns_that_contradict_the_names_are_found(prepared, tmp_path, values, what):
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/train", first_changed(**values)))
    problems = found_in(audit_dataset(copy), "problem")

    assert what in problems
    assert all("row 0" in place for place in problems[what])


def test_noise_of_another_microphone_or_case_is_found(prepared, tmp_path):
    def other(row):
        return [re.sub("^3100011", "3100012", row["noise_recording_ids"][0]).replace("_ch1_", "_ch2_")]

    copy = rewritten(prepared, tmp_path / "copy", in_split("snr_6db/train", first_changed(noise_recording_ids=other)))

    assert "The noise of a clip was heard by other microphones." in found_in(audit_dataset(copy), "problem")


def test_an_snr_that_is_not_what_was_asked_for_is_found(prepared, tmp_path):
    def quieter(rows):
        return [row | {"snr_achieved_db": row["snr_achieved_db"] + 0.03} for row in rows]

    def change(here, rows):
        return quieter(rows) if here.startswith("snr") else rows

    report = audit_dataset(rewritten(prepared, tmp_path / "copy", change))

    assert "The achieved SNR is not what was asked for: off by over 0.01 dB." in found_in(report, "problem")
    assert report.snrs[0].largest_error_db == pytest.approx(0.03, abs=1e-3)


def test_loudness_that_gives_the_label_away_is_told_with_its_auc(prepared, tmp_path):
    def louder(rows):
        return [
            row | {"audio": {"bytes": flac_of(samples_of(row) * 3), "path": None}} if row["label"] else row
            for row in rows
        ]

    report = audit_dataset(rewritten(prepared, tmp_path / "copy", in_split("clean/test", louder)))
    check = next(one for one in report.levels if one.config == "clean")

    assert check.auc == 1.0
    assert check.anomalous_db - check.normal_db == pytest.approx(20 * np.log10(3), abs=1.5)
    (said,) = found_in(report, "note")["Loudness alone tells much of the label; a system has to beat that."]
    assert "clean, test: AUC of level alone 1.000, within a case and channel 1.000" in said


def test_loudness_is_compared_within_a_case_and_channel_too(tmp_path):
    random = np.random.default_rng(0)
    for channel, gain in ((1, 1000), (2, 8000)):
        for take, louder in ((1, 1.0), (2, 1.2)):
            condition, digits = ("normal", "00") if louder == 1 else ("ab01", "01")
            name = f"31{digits}0{channel}{take:04d}_ToyTrain_case1_{condition}_IND_ch{channel}_{take:04d}.wav"
            write_wav(tmp_path / "mine/test" / name, random.normal(0, gain * louder, 8000).astype(np.int16))
    (check,) = audit_dataset(tmp_path / "mine").levels

    assert (check.auc, check.auc_within) == (0.75, 1.0)
    assert check.separation == 1.0


def test_stems_give_the_snr_of_every_clip_and_their_sum(tmp_path):
    tree = write_tree(TinyCorpus(channels=(1, 2, 3, 4)).files(), tmp_path / "tree")
    asked = options(tree, tmp_path, protocols=("basic",), snrs_db=(0.0,), channels="stack", has_stems=True)
    whole = prepare(asked).out
    report = audit_dataset(whole)
    (snr,) = report.snrs

    assert report.is_clean
    assert snr.is_from_stems
    assert (snr.n_groups, snr.n_clips) == (6, 6)
    assert snr.largest_error_db < 0.01
    assert max(filter(None, report.clips["stem_error"].to_pylist()), default=0) <= 1

    def swap(rows):
        stems = rows[1]["noise"]
        return [rows[0] | {"noise": stems}, *rows[1:]]

    spoilt = audit_dataset(rewritten(whole, tmp_path / "copy", in_split("snr_0db/train", swap)))
    assert "row 0: up to " in found_in(spoilt, "problem")["Target and noise do not add up to the clip."][0]


def test_silence_clipping_and_damage_are_found_and_stop_nothing(prepared, tmp_path):
    full = np.full(4000, 32767)

    def change(rows):
        audios = [flac_of(np.zeros(4000)), flac_of(full), flac_of(np.arange(4000) % 9), b"fLaC and then nothing"]
        spoilt = [row | {"audio": {"bytes": audio, "path": None}} for row, audio in zip(rows, audios, strict=False)]
        return [*spoilt, *rows[len(audios) :]]

    report = audit_dataset(rewritten(prepared, tmp_path / "copy", in_split("snr_6db/train", change)))
    problems = found_in(report, "problem")

    assert "row 0: -200.0 dB" in problems["A clip is digital silence."][0]
    assert "row 1: " in problems["A mixture has samples at full scale."][0]
    assert "row 3: " in problems["A clip cannot be decoded."][0]
    assert "row 2: " in found_in(report, "note")["A clip is quieter than -60 dB re full scale."][0]


def test_a_recipe_is_audited_without_audio(prepared, tmp_path):
    recipe = read_recipe(prepared / "recipe.parquet")
    rows = recipe.examples.to_pylist()
    moved = [row | {"split": "test"} if number == 0 else row for number, row in enumerate(rows)]
    moved.append(rows[0])
    changed = Recipe(examples=pa.Table.from_pylist(moved, schema=recipe.examples.schema), parameters=recipe.parameters)
    write_recipe(changed, tmp_path / "changed.parquet")

    assert audit_dataset(prepared / "recipe.parquet").is_clean
    report = audit_dataset(tmp_path / "changed.parquet")
    assert report.kind == "recipe"
    assert "An event stands on two sides." in found_in(report, "leak")


def write_wav(path, samples, rate_hz=16_000, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype=subtype)


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
    report = audit_dataset(dcase)

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
    report = audit_dataset(dcase, workers=2)

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
    leaks = found_in(audit_dataset(tmp_path / "mine"), "leak")

    assert "ToyTrain_case1_normal_IND_0001 in test" in leaks["An event stands on two sides."][0]
    assert "ab01" in leaks["A damaged clip stands among the normal ones that are learnt from."][0]


def test_clips_as_this_package_names_them_are_known_by_their_events(tmp_path):
    random = np.random.default_rng(0)
    for place in ("train/normal/ToyTrain_case1_normal_IND_0001_ch1", "test/normal/ToyTrain_case1_normal_IND_0001_mix"):
        write_wav(tmp_path / f"mine/clean/{place}.wav", random.normal(0, 1000, 4000).astype(np.int16))
    write_wav(tmp_path / "mine/clean/train/normal/ToyTrain_case1_ab01_IND_0001_ch1.wav", np.arange(4000) / 9000)
    leaks = found_in(audit_dataset(tmp_path / "mine"), "leak")

    assert "ToyTrain_case1_normal_IND_0001 in " in leaks["An event stands on two sides."][0]
    assert "ab01" in leaks["A damaged clip stands among the normal ones that are learnt from."][0]


def test_paths_that_tell_nothing_are_said_to(tmp_path):
    write_wav(tmp_path / "sounds/one.wav", np.arange(400) / 500, subtype="FLOAT")
    write_wav(tmp_path / "sounds/two.wav", np.arange(400, dtype=np.int32) << 10, subtype="PCM_24")
    report = audit_dataset(tmp_path / "sounds")

    assert [one.label for one in report.counts] == ["unknown"]
    assert found_in(report, "note")["The path of a clip tells no label."] == ("one.wav", "two.wav")
    assert report.clips["peak"].to_pylist() == pytest.approx([399 / 500, 399 * 1024 / 2**31], rel=1e-3)


SPLITS = st.sampled_from(["train", "validation", "test"])
CLIPS = st.lists(st.tuples(SPLITS, st.integers(0, 4), st.integers(1, 3), st.integers(0, 60)), min_size=1, max_size=12)


@settings(max_examples=40)
@given(CLIPS)
def test_exactly_what_two_sides_share_is_a_leak(clips):
    rows = [
        {
            "place": f"row {number}",
            "config": "clean",
            "split": split,
            "toy": "ToyTrain",
            "event_id": f"event{event}",
            "noise_recording_ids": [f"noise_case1_ch1_{noise}"],
            "noise_start": start,
            "n_samples": 20,
        }
        for number, (split, event, noise, start) in enumerate(clips)
    ]
    findings = Findings()
    check_splits(clips_table(rows), findings)
    leaks = {one.what: one.places for one in findings.all()}
    pairs = [(a, b) for a, b in combinations(clips, 2) if a[0] != b[0]]
    same_noise = [(a, b) for a, b in pairs if a[2] == b[2]]

    assert len(leaks.get("An event stands on two sides.", ())) == len({a[1] for a, b in pairs if a[1] == b[1]})
    assert len(leaks.get("A noise recording stands on two sides.", ())) == len({a[2] for a, _ in same_noise})
    overlapping = [(a, b) for a, b in same_noise if abs(a[3] - b[3]) < 20]
    assert bool(leaks.get("A stretch of noise stands on two sides.")) == bool(overlapping)


def test_the_command_exits_with_1_on_a_leak_and_writes_nothing_unasked(capsys, prepared, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/test", lambda rows: [*rows, stolen]))
    before = sorted(tmp_path.rglob("*"))
    leaking, clean = (toyadmos(capsys, "audit", place, "--workers", "1") for place in (copy, prepared))

    assert (leaking.status, clean.status) == (1, 0)
    assert "leak: An event stands on two sides.\n  clean: ToyTrain_case1_normal" in leaking.out
    assert leaking.out.splitlines()[-1].startswith("LEAK: ")
    assert clean.out.splitlines()[-1] == "Clean: no leak and no problem."
    assert "AUC of level alone" in clean.out
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_prints_json_and_writes_a_page_that_fetches_nothing(capsys, prepared, tmp_path):
    page = tmp_path / "audit.html"
    ran = toyadmos(capsys, "audit", prepared, "--json", "--report", page, "--workers", "1")
    found = json.loads(ran.out)
    html = page.read_text(encoding="utf-8")

    assert ran.status == 0
    assert (found["n_clips"], found["n_decoded"], found["has_leak"], found["is_clean"]) == (20, 20, False, True)
    assert html.startswith("<!doctype html>")
    assert "prefers-color-scheme: dark" in html
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=|@import", html)
    drawn = re.findall(r"<svg[^>]*>", html)
    assert len(drawn) == 4
    assert all('role="img" aria-label="' in one for one in drawn)


def test_where_there_is_nothing_to_audit_the_arguments_are_wrong(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    nowhere, empty = (toyadmos(capsys, "audit", tmp_path / name) for name in ("nowhere", "empty"))
    (tmp_path / "text.parquet").write_text("no recipe")
    no_recipe = toyadmos(capsys, "audit", tmp_path / "text.parquet")

    assert (nowhere.status, empty.status, no_recipe.status) == (2, 2, 1)
    assert "There is nothing to audit." in nowhere.err
    assert "a folder without any" in empty.err
    assert "not a recipe that this version can read" in no_recipe.err
