"""An audit finds a planted copy whatever it is called: by its samples, by its recordings, by the sound of its stems."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
import soundfile
from auditing import first_changed, found_in, write_wav
from preparing import options
from rewriting import flac_of, in_split, rewritten
from tiny import TinyCorpus, only, write_tree

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.auditing.audit_clips import clips_table, family_of
from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.auditing.split_check import check_splits, check_takes, is_silence, with_events
from toyadmos_datasets.jobs.prepare import prepare

SECOND = 16_000


@pytest.fixture(scope="module")
def stemmed(tmp_path_factory):
    """Two cases with clips of a second, clean and at 0 dB, with stems."""
    place = tmp_path_factory.mktemp("stemmed")
    corpus = TinyCorpus(cases=(1, 2), channels=(1,), n_normal=4, n_noise=3, clip_s=1.0, noise_s=4.0)
    tree = write_tree(corpus.files(), place / "tree")
    return prepare(options(tree, place, protocols=("basic",), snrs_db=(0.0,), stems=True, cases=(1, 2))).out


def rows_of(folder, tmp_path):
    seen = {}
    rewritten(folder, tmp_path / "look", seen.setdefault)
    return seen


def clip(samples):
    return {"bytes": flac_of(samples), "path": "planted.flac"}


def stem(row, name):
    return soundfile.read(io.BytesIO(row[name]["bytes"]), dtype="int16")[0]


def planted(folder, copy, split, **columns):
    """Give the first row of a split other stems, with a clip that is their sum, and leave what its columns say."""

    def change(rows):
        stems = {name: columns.get(name, stem(rows[0], name)) for name in ("target", "noise")}
        new = {name: clip(samples) for name, samples in stems.items()}
        return [rows[0] | new | {"audio": clip(sum(samples.astype(int) for samples in stems.values()))}, *rows[1:]]

    return rewritten(folder, copy, in_split(split, change))


def test_what_was_made_without_copies_is_found_to_have_none(stemmed):
    report = audit(stemmed)

    assert report.is_clean
    assert not [one for one in report.findings if "name" in one.what]
    assert report.clips["target_marks"].null_count == 0


def test_a_test_clip_planted_in_train_under_another_name_and_case_is_found(stemmed, tmp_path):
    rows = rows_of(stemmed, tmp_path)
    victim = next(row for row in rows["clean/test"] if row["case"] == 1 and not row["label"])
    own = ("toy", "case", "channel", "recording_type", "condition", "take", "event_id", "recording_ids")
    host = next(row for row in rows["clean/train"] if row["case"] == 2)
    copy = rewritten(
        stemmed,
        tmp_path / "copy",
        in_split("clean/train", lambda rows: [*rows, victim | {name: host[name] for name in own} | {"take": 9}]),
    )
    leaks = found_in(audit(copy), "leak")

    assert victim["event_id"] in leaks["An event stands on two sides, under several names."][0]
    assert "Identical audio stands on two sides." in leaks


@pytest.mark.parametrize("gain", [0.5, 0.1])
def test_a_target_planted_at_another_gain_is_found_although_no_column_tells(stemmed, tmp_path, gain):
    rows = rows_of(stemmed, tmp_path)
    target = rows["clean/test"][0]
    sound = np.rint(stem(target, "target") * gain).astype(np.int16)
    copy = rewritten(
        stemmed,
        tmp_path / "copy",
        in_split("clean/train", first_changed(audio=clip(sound), target=clip(sound))),
    )
    leaks = found_in(audit(copy), "leak")

    (said, *_) = leaks.pop("The sound of a machine stands on two sides, under two names.")
    assert not leaks
    assert rows["clean/train"][0]["event_id"] in said
    assert target["event_id"] in said
    assert float(said.rpartition(" ")[2]) > 0.99


@pytest.mark.parametrize("shift", [0, SECOND // 3])
def test_noise_that_overlaps_that_of_another_split_is_found_under_any_name(stemmed, tmp_path, shift):
    rows = rows_of(stemmed, tmp_path)
    noise = stem(rows["snr_0db/train"][0], "noise")
    moved = np.concatenate([noise[shift:], np.random.default_rng(0).normal(0, 300, shift)])
    copy = planted(stemmed, tmp_path / "copy", "snr_0db/test", noise=np.rint(moved * 0.4).astype(np.int16))
    leaks = found_in(audit(copy), "leak")

    (said,) = leaks.pop("A stretch of noise stands on two sides, under two names.")
    assert not leaks
    assert said.startswith("snr_0db: ")
    assert float(said.rpartition(" ")[2]) > 0.99


def test_digital_silence_is_no_copy(stemmed, tmp_path):
    zeros = clip(np.zeros(SECOND))

    def silence(here, rows):
        return [rows[0] | {"audio": zeros, "target": zeros}, *rows[1:]] if here.startswith("clean") else rows

    report = audit(rewritten(stemmed, tmp_path / "copy", silence))

    assert not report.has_leak
    assert len(found_in(report, "problem")["A clip is digital silence."]) == 2


def test_configs_that_differ_in_noise_alone_are_one_family():
    assert {family_of(one) for one in ("clean", "snr_6db", "snr_minus_2_5db")} == {""}
    assert family_of("leave_out_case1_clean") == family_of("leave_out_case1_snr_0db") == "leave_out_case1"
    assert family_of("dcase2020_snr_6db") == family_of("dcase2020") == "dcase2020"
    assert family_of("mine") == "mine"


def test_a_clip_of_one_config_in_the_test_of_another_is_found(prepared, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]

    def steal(here, rows):
        return [*rows, stolen] if here == "snr_6db/test" else rows

    leaks = found_in(audit(rewritten(prepared, tmp_path / "copy", steal)), "leak")

    assert "Identical audio stands on two sides, in two configs that differ in noise alone." in leaks
    (event,) = leaks["An event stands on two sides."]
    assert event.startswith("snr_6db: ")


def test_configs_that_divide_events_in_other_ways_are_noted(tmp_path):
    tree = write_tree(TinyCorpus(cases=(1, 2), channels=(1,), n_normal=8).files(), tmp_path / "tree")
    report = audit(prepare(options(tree, tmp_path, protocols=("leave-one-case-out",))).out)
    said = found_in(report, "note")["Two configs divide the events in different ways."]

    assert not report.has_leak
    assert any(one.startswith("leave_out_case1_clean learns from ") for one in said)


def noisy(split, case, take, *, hashes=None, start=0, config="snr_6db", place=None):
    return {
        "place": place or f"{split} {case} {take} {start}",
        "config": config,
        "split": split,
        "toy": "ToyTrain",
        "event_id": f"event of {split} {case} {take}",
        "noise_recording_ids": [f"3{case}00110{take:03d}_ToyTrain_case{case}_noise_CNT_ch1_{take:04d}"],
        "noise_recording_hashes": hashes,
        "noise_start": start,
        "n_samples": 100,
    }


def audited(*rows, sharing_noise=()):
    findings = Findings()
    clips = with_events(clips_table(rows))
    check_splits(clips, findings, sharing_noise=sharing_noise)
    check_takes(clips, findings, sharing_noise=sharing_noise)
    return {(one.severity, one.what): one.places for one in findings.all()}


ONE, OTHER = ["0000000a0000000bff"], ["0000000a0000000cff"]


def test_one_noise_recording_under_two_names_is_found_by_its_content():
    found = audited(noisy("train", 1, 1, hashes=ONE), noisy("test", 2, 2, hashes=ONE, start=50))

    assert list(found) == [
        ("leak", "A noise recording stands on two sides, under several names."),
        ("leak", "A stretch of noise stands on two sides."),
    ]
    assert "samples 50 to 100 in " in found["leak", "A stretch of noise stands on two sides."][0]


def test_noise_with_other_content_or_unknown_content_is_no_leak():
    assert not audited(noisy("train", 1, 1, hashes=ONE), noisy("test", 2, 2, hashes=OTHER))
    assert not audited(noisy("train", 1, 1), noisy("test", 2, 2, hashes=ONE))


def test_shared_noise_that_was_asked_for_is_a_problem_by_content_too():
    rows = (noisy("train", 1, 1, hashes=ONE), noisy("test", 2, 2, hashes=ONE, start=500))

    assert list(audited(*rows, sharing_noise={"snr_6db"})) == [
        ("problem", "A noise recording stands on two sides, as was asked for, under several names.")
    ]


def test_one_take_of_two_cases_on_two_sides_is_a_note():
    found = audited(noisy("train", 1, 3, hashes=ONE), noisy("test", 2, 3, hashes=OTHER))

    assert found == {
        ("note", "A take of noise of several cases stands on two sides; it may be one recording."): (
            "snr_6db: ToyTrain_case1_noise_CNT_0003 in train, ToyTrain_case2_noise_CNT_0003 in test",
        )
    }
    assert not audited(noisy("train", 1, 3), noisy("train", 2, 3))


def test_equal_zeros_join_no_recordings():
    zeros = [f"00000001{zlib.crc32(bytes(4000)):08x}{2000:x}"]

    assert is_silence(zeros[0])
    assert not is_silence(ONE[0])
    assert not audited(noisy("train", 1, 1, hashes=zeros), noisy("test", 2, 2, hashes=zeros))


def test_a_corpus_with_one_sound_under_two_names_leaks_where_the_plan_does_not_know(tmp_path):
    corpus = TinyCorpus(channels=(1,), n_normal=8)
    files = corpus.files()
    members = [only(files, f"normal_IND_ch1_000{take}") for take in (1, 2)]
    files[members[1]] = files[members[0]]
    report = audit(prepare(options(write_tree(files, tmp_path / "tree"), tmp_path, protocols=("basic",))).out)
    names = {what for kind in ("leak", "note") for what in found_in(report, kind)}

    assert names & {"A recording has several names.", "An event stands on two sides, under several names."}


def test_files_of_a_folder_are_compared_by_their_sound(tmp_path):
    sound = np.rint(np.random.default_rng(0).normal(0, 3000, 2 * SECOND)).astype(np.int16)
    write_wav(tmp_path / "mine/train/normal_a.wav", sound[:SECOND])
    write_wav(tmp_path / "mine/test/normal_b.wav", sound[SECOND // 2 : SECOND + SECOND // 2] // 2)
    write_wav(tmp_path / "mine/test/anomaly_c.wav", sound[SECOND + SECOND // 2 :])
    leaks = found_in(audit(tmp_path / "mine"), "leak")

    (said,) = leaks["The sound of a machine stands on two sides, under two names."]
    assert "train/normal_a.wav" in said
    assert "test/normal_b.wav" in said
