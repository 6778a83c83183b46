"""The paper's protocol: its counts, its gains, and what it is asked for besides."""

from __future__ import annotations

from collections import Counter

import pytest
from planning import index, rows

from toyadmos_datasets.planning import PlanOptions, plan


@pytest.mark.parametrize(
    ("toy", "n_normal", "n_test", "channel", "n_channels"),
    [("ToyCar", 1350, 350, 1, 1), ("ToyConveyor", 1800, 800, 1, 1), ("ToyTrain", 1350, 350, 0, 4)],
)
def test_the_papers_counts_are_met_on_a_corpus_of_the_published_size(toy, n_normal, n_test, channel, n_channels):
    conditions = tuple(f"ab{number:02d}" for number in range(1, 28))
    published = index(toy=toy, cases=(1, 2), n_normal=n_normal, conditions=conditions, n_anomalous=2, n_noise=9)

    recipe = plan(published, PlanOptions(toy=toy))

    counts = Counter((row["split"], row["label"]) for row in rows(recipe))
    assert counts == {("train", "normal"): 1000, ("test", "normal"): n_test, ("test", "anomalous"): 54}
    assert recipe.configs == ["waspaa2019"]
    assert {row["case"] for row in rows(recipe)} == {1}
    assert {row["channel"] for row in rows(recipe)} == {channel}
    assert {len(row["recording_ids"]) for row in rows(recipe)} == {n_channels}
    assert not any("fraction" in note for note in recipe.notes)


@pytest.mark.parametrize(("n_normal", "n_train"), [(2, 1), (27, 20), (135, 100), (1349, 999), (1351, 1000)])
def test_a_smaller_corpus_is_split_by_the_same_fraction_and_a_note_says_so(n_normal, n_train):
    recipe = plan(index(n_normal=n_normal), PlanOptions(toy="ToyTrain"))

    assert len(rows(recipe, split="train")) == n_train
    assert len(rows(recipe, split="test", label="normal")) == n_normal - n_train
    note = f"the same fraction (1000/1350) is for training: {n_train} of {n_normal} in case 1."
    assert any(note in one for one in recipe.notes) == (n_normal < 1350)


@pytest.mark.parametrize(
    ("toy", "as_printed", "target_db", "noise_db"),
    [
        ("ToyCar", False, 0.0, 10.0),
        ("ToyConveyor", False, 0.0, 10.0),
        ("ToyTrain", False, 10.0, 0.0),
        ("ToyCar", True, 10.0, 0.0),
        ("ToyConveyor", True, 10.0, 0.0),
        ("ToyTrain", True, 0.0, 10.0),
    ],
)
def test_the_gains_are_those_of_the_experiment_as_run_or_as_printed(toy, as_printed, target_db, noise_db):
    recipe = plan(index(toy=toy), PlanOptions(toy=toy, as_printed=as_printed))

    gains = {(row["target_gain_db"], row["noise_gain_db"], row["snr_db"]) for row in rows(recipe)}
    assert gains == {(target_db, noise_db, None)}
    assert any("as the paper prints them" in note for note in recipe.notes) == as_printed


def test_the_papers_protocol_on_other_cases_or_channels_is_noted():
    recipe = plan(index(cases=(1, 2)), PlanOptions(toy="ToyTrain", cases=(2,), channels="1"))

    assert {(row["case"], row["channel"]) for row in rows(recipe)} == {(2, 1)}
    assert any("other cases or channels than the paper's (case 1, channel mix)" in note for note in recipe.notes)


def test_both_protocols_can_be_had_at_once():
    recipe = plan(index(), PlanOptions(toy="ToyTrain", protocols=("waspaa2019", "basic"), snrs_db=(0.0,)))

    assert recipe.configs == ["waspaa2019", "clean", "snr_0db"]
    assert len(set(recipe.notes)) == len(recipe.notes)
