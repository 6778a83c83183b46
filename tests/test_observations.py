"""What was observed in the true corpus, and what is told of it."""

from __future__ import annotations

import pytest

from toyadmos_datasets.corpus.facts import NEAR_SILENT, PAPER_LIMITS, observations, what_is_odd
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.corpus.volumes import file_counts, recording_counts


def test_near_silent_recordings_of_the_car_are_told_by_case():
    silent = {(one.case, one.sound): one.value for one in observations("car") if one.what == NEAR_SILENT}

    assert (silent[1, "anomalous_IND"], silent[1, "normal_IND"]) == (16, 14)
    assert [silent[case, "normal_CNT"] for case in (1, 2, 3, 4)] == [26, 27, 87, 77]
    text = " ".join(what_is_odd("car"))
    assert "case 1: 14 of 1350 normal IND, 16 of 264 anomalous IND, 26 of 216 normal CNT" in text
    assert "case 4: 0 of 1350 normal IND, 2 of 265 anomalous IND, 77 of 160 normal CNT" in text


def test_observed_recordings_are_the_counts_that_this_package_has():
    counted = {(one.case, f"{one.sound}_{one.recording_type}"): one.n_takes for one in recording_counts("car")}

    observed = {(one.case, one.sound): one.value for one in observations("car") if one.what == "recordings"}

    assert len(observed) == 12
    assert observed == {key: counted[key] for key in observed}


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_observed_noise_files_are_those_of_the_published_folders(toy):
    (folder,) = [one for one in file_counts(toy.name) if one.folder.endswith("EnvironmentalNoise_CNT")]
    (files,) = [one for one in observations(toy.name) if one.what == "files on disk (all channels)"]

    assert files.value == folder.n_files


def test_the_conflict_about_the_noise_of_the_train_is_told_as_an_inference():
    text = " ".join(what_is_odd("train"))

    assert "1152 noise files" in text
    assert "(192 h)" in text
    assert "96 h" in text
    assert "inference" in text
    assert "1152" not in " ".join([*what_is_odd("car"), *what_is_odd("conveyor")])


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_limits_of_the_paper_are_told_of_every_toy(toy):
    assert what_is_odd(toy.name)[: len(PAPER_LIMITS)] == PAPER_LIMITS
    assert all(one.source for one in observations(toy.name))
