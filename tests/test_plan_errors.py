"""What cannot be planned, and what is said then."""

from __future__ import annotations

from collections import Counter

import pytest
from planning import BASIC, events, index, rows, without
from wording import refused

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.planning import PlanOptions, plan


def test_a_case_without_damaged_events_is_an_error():
    with refused(PlanError) as caught:
        plan(index(conditions=()), BASIC)

    assert (caught.value.where, caught.value.actual) == ("case1", "0 events")
    assert "--cases" in caught.value.remedy


@pytest.mark.parametrize("n_normal", [0, 1])
def test_too_few_normal_events_are_an_error(n_normal):
    with refused(PlanError) as caught:
        plan(index(n_normal=n_normal), BASIC)

    assert caught.value.actual == f"{n_normal} events"


@pytest.mark.parametrize("cases", [(3,), (1, 3)])
def test_a_case_that_the_source_lacks_is_an_error_even_beside_one_that_it_has(cases):
    with refused(PlanError) as caught:
        plan(index(cases=(1, 2)), PlanOptions(toy="ToyTrain", protocols=("basic",), cases=cases))

    assert caught.value.where == "case 3"
    assert "toyadmos index" in caught.value.remedy


def test_an_empty_source_is_an_error():
    with refused(PlanError):
        plan(index(n_normal=0, conditions=(), n_noise=0), BASIC)


def test_a_missing_microphone_is_an_error_where_the_protocol_mixes_all_four():
    with refused(PlanError) as caught:
        plan(without("normal_IND_ch3_0002"), PlanOptions(toy="ToyTrain"))

    assert caught.value.where == "ToyTrain_case1_normal_IND_0002"
    assert (caught.value.expected, caught.value.actual) == ("channels 1, 2, 3, 4", "channels 1, 2, 4")
    assert caught.value.remedy.endswith("--channels 1")


def test_a_missing_microphone_is_counted_where_each_is_a_row():
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), channels="all")

    recipe = plan(without("normal_IND_ch3_0002"), options)

    assert Counter(row["event_id"] for row in rows(recipe))["ToyTrain_case1_normal_IND_0002"] == 3
    assert any(note.startswith("1 events lack a microphone") for note in recipe.notes)


def test_an_event_without_the_chosen_microphone_is_left_out_of_the_split_and_counted():
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), channels="3")

    recipe = plan(without("normal_IND_ch3_0002"), options)

    assert "ToyTrain_case1_normal_IND_0002" not in events(recipe)
    assert len(rows(recipe, label="normal")) == 3
    assert any("3 in case 1" in note for note in recipe.notes)
    assert any(note.startswith("1 events lack a microphone") for note in recipe.notes)


def test_a_class_that_only_another_microphone_heard_is_an_error():
    with refused(PlanError):
        plan(without("_ab0", "_ch1_"), PlanOptions(toy="ToyTrain", protocols=("basic",), channels="1"))
