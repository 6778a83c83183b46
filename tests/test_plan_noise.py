"""Which noise an example gets, and who shares it out."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from planning import BASIC, index, index_of, noise_events, rows
from tiny import TinyCorpus

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan import PlanOptions, plan


def test_every_noise_recording_is_drawn_and_places_spread_over_all_of_it():
    recipe = plan(index(n_normal=300, n_noise=6), BASIC)

    train = rows(recipe, config="snr_6db", split="train")
    drawn = Counter(row["noise_recording_ids"][0] for row in train)
    assert len(drawn) == 4
    assert min(drawn.values()) > len(train) / 4 / 2
    places = sorted(row["noise_position"] for row in train)
    assert places[0] < 0.05
    assert places[-1] > 0.95
    assert max(after - before for before, after in itertools.pairwise(places)) < 0.06


@pytest.mark.parametrize(("n_noise", "n_test"), [(2, 1), (3, 1), (6, 2), (72, 24)])
def test_a_third_of_the_noise_is_for_the_test(n_noise, n_test):
    recipe = plan(index(n_normal=600, n_noise=n_noise, conditions=("ab01",), n_anomalous=400), BASIC)

    assert len(noise_events(recipe, split="test")) == n_test
    assert len(noise_events(recipe, split="train")) == n_noise - n_test


def test_one_noise_recording_for_two_sides_is_an_error_that_says_how_to_accept_it():
    with pytest.raises(PlanError, match="One noise recording cannot serve both train and test") as caught:
        plan(index(n_noise=1), BASIC)

    assert caught.value.where == "ToyTrain_case1_noise_CNT_0001"
    assert caught.value.remedy == "Add noise recordings to the source, or accept it: --shared-noise"


def test_shared_noise_is_drawn_by_both_sides_and_noted():
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0,), is_noise_shared=True)

    recipe = plan(index(n_normal=100, n_noise=2, n_anomalous=20), options)

    assert noise_events(recipe, split="train") == noise_events(recipe, split="test")
    assert len(noise_events(recipe, split="train")) == 2
    assert "Train and test share one pool of noise recordings." in recipe.notes


def test_no_noise_at_all_is_an_error_where_noise_is_asked_for_and_none_for_clean():
    silent = index(n_noise=0)

    with pytest.raises(PlanError, match="There is no noise recording of case 1") as caught:
        plan(silent, BASIC)

    assert caught.value.remedy == "Complete the source, or prepare without noise: --protocol basic"
    assert plan(silent, PlanOptions(toy="ToyTrain", protocols=("basic",))).configs == ["clean"]


def test_noise_that_lacks_a_microphone_is_not_drawn():
    names = [
        name for name in TinyCorpus().names() if not (name.sound == "noise" and name.take == 2 and name.channel == 4)
    ]

    recipe = plan(index_of(names), PlanOptions(toy="ToyTrain"))

    assert {one[-4:] for one in noise_events(recipe)} == {"0001", "0003"}
