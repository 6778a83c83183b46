"""Two datasets: whether one learns from anything that the other tests."""

from __future__ import annotations

import json

import numpy as np
import pytest
from auditing import write_wav
from preparing import options, toyadmos
from rewriting import flac_of, in_split, rewritten, samples_of
from tiny import TinyCorpus, wav_bytes, write_tree

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.jobs.prepare import prepare

EVENT = "The {} learns from an event that the {} tests."
SOUND = "The {} learns from a sound under another name that the {} tests."


def leaks_of(report):
    return {one.what: one.places for one in report.findings if one.severity == "leak"}


@pytest.fixture(scope="module")
def of_case_2(tmp_path_factory):
    """A dataset of other machines with other noise, from a corpus of its own."""
    place = tmp_path_factory.mktemp("case2")
    tree = write_tree(TinyCorpus(cases=(2,), channels=(1,), n_normal=8, n_noise=4).files(), place / "tree")
    return prepare(options(tree, place, protocols=("basic",), snrs_db=(6.0,), cases=(2,))).out


def test_datasets_that_have_nothing_in_common_are_apart(prepared, of_case_2):
    report = audit(prepared, of_case_2)

    assert not report.has_leak
    assert not report.common
    assert not report.findings
    assert report.n_clips == (20, 20)


def test_a_dataset_is_apart_from_itself(prepared):
    assert not audit(prepared, prepared).has_leak


def test_each_direction_is_told_apart_with_its_configs(prepared, of_case_2, rows_by_split, tmp_path):
    learnt = rows_by_split["clean/train"][0]
    copy = rewritten(of_case_2, tmp_path / "copy", in_split("clean/test", lambda rows: [*rows, learnt]))
    one, other = audit(prepared, copy), audit(copy, prepared)
    events = leaks_of(one)[EVENT.format("first", "second")]

    assert events[0].startswith(f"clean and clean: {learnt['event_id']} in first (data/clean/train-")
    assert events[1].startswith(f"snr_6db and clean: {learnt['event_id']} in first (data/snr_6db/train-")
    assert len(events) == 2
    assert EVENT.format("second", "first") in leaks_of(other)
    assert not any(what.startswith("The second learns") for what in leaks_of(one))
    assert {(row.learner, row.learnt_config, row.tested_config) for row in one.common} == {
        ("first", "clean", "clean"),
        ("first", "snr_6db", "clean"),
    }
    (clean,) = [row for row in one.common if row.learnt_config == "clean"]
    assert (clean.n_events, clean.n_recordings, clean.n_clips, clean.n_noises, clean.n_alike) == (1, 1, 1, 0, 0)


def test_noise_that_one_learns_from_is_found_in_the_test_of_the_other(prepared, of_case_2, rows_by_split, tmp_path):
    learnt = rows_by_split["snr_6db/train"][0]
    noise = {name: learnt[name] for name in ("noise_recording_hashes", "noise_start")}
    copy = rewritten(of_case_2, tmp_path / "copy", in_split("snr_6db/test", lambda rows: [rows[0] | noise, *rows[1:]]))
    report = audit(prepared, copy)
    (row,) = report.common

    assert (row.learner, row.learnt_config, row.tested_config) == ("first", "snr_6db", "snr_6db")
    assert (row.n_events, row.n_noises, row.n_noise_recordings) == (0, 1, 1)
    assert row.n_stretches >= 1


def test_a_clip_under_another_name_and_gain_is_found(prepared, rows_by_split, tmp_path):
    sound = np.random.default_rng(0).normal(0, 2000, 24_000).astype(np.int16)
    write_wav(tmp_path / "one/train/a.wav", sound[:16_000])
    write_wav(tmp_path / "other/test/b.wav", np.rint(sound[4_000:] * 0.3).astype(np.int16))
    audio = {"bytes": flac_of(sound[:16_000] // 2), "path": "planted.flac"}
    copy = rewritten(
        prepared, tmp_path / "copy", in_split("clean/test", lambda rows: [rows[0] | {"audio": audio}, *rows[1:]])
    )
    (of_folder,) = leaks_of(audit(tmp_path / "one", tmp_path / "other"))[SOUND.format("first", "second")]
    (of_dataset,) = leaks_of(audit(copy, tmp_path / "one"))[SOUND.format("second", "first")]

    assert "train/a.wav" in of_folder
    assert "test/b.wav" in of_folder
    assert "train/a.wav" in of_dataset
    assert rows_by_split["clean/test"][0]["event_id"] in of_dataset
    assert all(float(said.rpartition(" ")[2]) > 0.99 for said in (of_folder, of_dataset))


def test_a_recipe_and_a_folder_are_compared_by_what_they_tell(prepared, rows_by_split, tmp_path):
    tested = rows_by_split["clean/test"][0]
    write_wav(tmp_path / "mine/train" / f"{tested['recording_ids'][0]}.wav", samples_of(tested))
    folder, recipe = tmp_path / "mine", prepared / "recipe.parquet"

    assert EVENT.format("first", "second") in leaks_of(audit(folder, recipe))
    assert EVENT.format("second", "first") in leaks_of(audit(recipe, folder))
    assert "The first learns from a clip that the second tests." in leaks_of(audit(folder, prepared))


def test_files_in_no_split_may_be_learnt_from_and_tested(tmp_path):
    sound = np.random.default_rng(0).normal(0, 2000, 8000).astype(np.int16)
    write_wav(tmp_path / "one/a.wav", sound)
    write_wav(tmp_path / "other/b.wav", sound)

    assert len(leaks_of(audit(tmp_path / "one", tmp_path / "other"))) == 2


def test_files_of_one_path_are_not_one_recording(tmp_path):
    for number, name in enumerate(("one", "other")):
        write_wav(tmp_path / name / "a.wav", np.random.default_rng(number).normal(0, 2000, 8000).astype(np.int16))

    assert not audit(tmp_path / "one", tmp_path / "other").has_leak


def test_zeros_in_both_are_no_leak(tmp_path):
    for name, split in (("one", "train"), ("other", "test")):
        write_wav(tmp_path / name / split / "a.wav", np.zeros(8000, np.int16))

    assert not audit(tmp_path / "one", tmp_path / "other").has_leak


def test_equal_names_of_other_recordings_are_no_leak(prepared, tmp_path):
    corpus = TinyCorpus(channels=(1,), n_normal=8, n_noise=4)
    same = write_tree(corpus.files(), tmp_path / "same")
    other = write_tree(
        {name.member: wav_bytes(corpus.sound(name)[::-1]) for name in corpus.names()}, tmp_path / "other"
    )
    of_same, of_other = (
        prepare(options(tree, tmp_path / f"of {tree.name}", protocols=("basic",), snrs_db=(6.0,), seed=1)).out
        for tree in (same, other)
    )
    report = audit(prepared, of_other)

    assert EVENT.format("first", "second") in leaks_of(audit(prepared, of_same))
    assert not report.has_leak
    assert [one.what.partition(":")[0] for one in report.findings] == ["Equal names are not of equal recordings"]


def test_files_read_at_other_rates_are_told_by_their_checksum(prepared, of_case_2, rows_by_split, tmp_path):
    source = rows_by_split["clean/train"][0]["recording_hashes"][0][:8]

    def change(rows):
        return [rows[0] | {"recording_hashes": [f"{source}0000000abb8"]}, *rows[1:]]

    report = audit(prepared, rewritten(of_case_2, tmp_path / "copy", in_split("clean/test", change)))

    assert not report.has_leak
    assert [one.severity for one in report.findings] == ["note"]
    assert report.findings[0].places[0].startswith(source)


def test_the_command_says_which_learns_what_and_exits_with_1(capsys, prepared, of_case_2, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]
    copy = rewritten(of_case_2, tmp_path / "copy", in_split("clean/test", lambda rows: [*rows, stolen]))
    page = tmp_path / "pair.html"
    leaking = toyadmos(capsys, "audit", prepared, copy, "--workers", 1, "--report", page)
    as_json = toyadmos(capsys, "audit", prepared, copy, "--workers", 1, "--json")
    apart = toyadmos(capsys, "audit", prepared, of_case_2, "--workers", 1)
    html = page.read_text(encoding="utf-8")

    assert (leaking.status, as_json.status, apart.status) == (1, 1, 0)
    assert "leak: The first learns from an event that the second tests." in leaking.out
    assert "first, clean" in leaking.out
    assert json.loads(as_json.out)["has_leak"]
    assert json.loads(as_json.out)["common"][0]["learner"] == "first"
    assert apart.out.splitlines()[-1] == "Apart: neither learns from anything that the other tests."
    assert html.startswith("<!doctype html>")
    assert "The first learns from an event" in html


def test_what_two_have_in_common_is_told_in_the_order_of_the_clips(tmp_path):
    random = np.random.default_rng(0)
    for number in range(8):
        sound = random.normal(0, 2000, 4_000).astype(np.int16)
        for place in ("one/train", "other/test"):
            write_wav(tmp_path / place / f"{number}.wav", sound)
    told = leaks_of(audit(tmp_path / "one", tmp_path / "other"))

    places = told["The first learns from a clip that the second tests."]
    assert [f"first (train/{number}.wav)" in place for number, place in enumerate(places)] == [True] * 8
