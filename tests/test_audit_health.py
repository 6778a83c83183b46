"""What a dataset says of its recordings' health and levels is counted, and compared with what is heard."""

from __future__ import annotations

import numpy as np
import pytest
from auditing import first_changed, found_in
from preparing import options
from rewriting import in_split, rewritten
from tiny import TinyCorpus, only, wav_bytes, write_tree

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.jobs.prepare import prepare

LEVEL = "A level is not the one that the clip's columns say."
CONTRADICTION = "The health of a clip contradicts how loud its recording is."
NEAR_SILENT = "Clips are of recordings that are near-silent, as their health says."


@pytest.fixture(scope="module")
def faint(tmp_path_factory):
    """A dataset with a normal and a damaged recording of at most three steps, with stems."""
    place = tmp_path_factory.mktemp("faint")
    files = TinyCorpus(channels=(1,), n_normal=4).files()
    for seed, part in enumerate(("normal_IND_ch1_0001", "ab01_IND_ch1_0001")):
        files[only(files, part)] = wav_bytes(np.random.default_rng(seed).integers(-3, 4, 12_000).astype(np.int16))
    tree = write_tree(files, place / "tree")
    return prepare(options(tree, place, protocols=("basic",), snrs_db=(0.0,), stems=True)).out


def test_health_is_counted_by_label_and_condition(faint):
    report = audit(faint)
    places = found_in(report, "note")[NEAR_SILENT]

    assert report.is_clean
    assert "clean, normal: 1 of 4" in places
    assert "clean, anomalous, ab01: 1 of 1" in places
    assert len(places) == 4


def test_health_that_says_nothing_of_near_silence_is_found(faint, tmp_path):
    copy = rewritten(faint, tmp_path / "copy", lambda _, rows: [row | {"health": []} for row in rows])
    problems = found_in(audit(copy), "problem")

    assert list(problems) == [CONTRADICTION]
    assert len(problems[CONTRADICTION]) == 4
    assert all("dB as recorded, and the health is empty" in said for said in problems[CONTRADICTION])


def test_health_that_calls_a_loud_recording_silent_is_found(prepared, tmp_path):
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/train", first_changed(health=["near_silent"])))
    problems = found_in(audit(copy), "problem")

    assert list(problems) == [CONTRADICTION]
    assert "row 0: -" in problems[CONTRADICTION][0]


def test_without_audio_of_its_own_a_mixture_is_judged_by_the_level_that_it_says(prepared, tmp_path):
    copy = rewritten(prepared, tmp_path / "copy", in_split("snr_6db/train", first_changed(target_level_db=-80.0)))

    assert list(found_in(audit(copy), "problem")) == [CONTRADICTION]


@pytest.mark.parametrize("column", ["target_level_db", "target_active_level_db", "noise_level_db"])
def test_a_level_that_the_stems_do_not_have_is_found(faint, tmp_path, column):
    def louder(rows):
        return [row | {column: row[column] + 0.15} if row["target_level_db"] > -60 else row for row in rows]

    copy = rewritten(faint, tmp_path / "copy", in_split("snr_0db/train", louder))
    problems = found_in(audit(copy), "problem")

    assert list(problems) == [LEVEL]
    assert all(f"{column} makes " in said for said in problems[LEVEL])


def test_a_clean_clip_has_the_level_that_its_columns_say(prepared, tmp_path):
    def change(rows):
        return [rows[0] | {"target_level_db": rows[0]["target_level_db"] + 0.02}, *rows[1:]]

    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/train", change))
    (said,) = found_in(audit(copy), "problem")[LEVEL]

    assert "row 0: target_level_db makes " in said


def test_datasets_that_do_not_say_are_not_judged(prepared, tmp_path):
    unknown = dict.fromkeys(
        ("health", "target_level_db", "target_active_level_db", "noise_level_db", "recording_hashes")
    )
    copy = rewritten(prepared, tmp_path / "copy", lambda _, rows: [row | unknown for row in rows])
    report = audit(copy)

    assert report.is_clean
    assert not [one for one in report.findings if "health" in one.what]


def test_the_columns_of_a_dataset_stand_beside_what_is_heard(prepared, rows_by_split):
    clips = audit(prepared).clips
    rows = [row for rows in rows_by_split.values() for row in rows]

    assert sorted(filter(None, clips["target_level_db"].to_pylist())) == sorted(row["target_level_db"] for row in rows)
    assert clips["compared_target_db"].null_count == len(clips)
    assert clips["heard_target_db"].null_count == clips["noise_level_db"].drop_null().length()


def test_silence_as_recorded_agrees_with_its_level(tmp_path):
    files = TinyCorpus(channels=(1,), n_normal=4).files()
    files[only(files, "normal_IND_ch1_0001")] = wav_bytes(np.zeros(12_000, np.int16))
    tree = write_tree(files, tmp_path / "tree")
    report = audit(prepare(options(tree, tmp_path, protocols=("basic",), stems=True)).out)

    assert list(found_in(report, "problem")) == ["A clip is digital silence."]
    assert "Clips are of recordings that are silent, as their health says." in found_in(report, "note")
