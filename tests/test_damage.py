import pickle

import pytest
from wording import refused

from toyadmos_datasets.corpus.damage import NORMAL_STATE, conditions_of, damage_of
from toyadmos_datasets.corpus.facts import read_rows
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import OptionError

SLIPPED = tuple(f"ab{number}" for number in range(92, 99))


@pytest.mark.parametrize(("toy", "n_conditions"), [("car", 53), ("conveyor", 98), ("train", 54)])
def test_conditions_are_numbered_without_a_gap(toy, n_conditions):
    assert conditions_of(toy) == tuple(f"ab{number:02d}" for number in range(1, n_conditions + 1))


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_parts_of_a_toy_are_the_columns_of_its_table(toy):
    header, _ = read_rows(f"damage_{toy.name}.csv")

    assert header == ["condition", *toy.parts]


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_every_damage_is_another_one_and_breaks_something(toy):
    damages = [damage_of(toy.name, condition) for condition in conditions_of(toy.name)]

    assert all(damage.damaged_parts for damage in damages)
    assert len({damage.states for damage in damages}) == len(damages)


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_normal_condition_has_no_damage_and_no_source(toy):
    damage = damage_of(toy.name, "normal")

    assert damage.source is None
    assert damage.damaged_parts == ()
    assert damage.by_part == dict.fromkeys(toy.parts, NORMAL_STATE)


def test_a_published_row_is_given_as_published():
    damage = damage_of("train", "ab05")

    assert damage.source == "published"
    assert damage.states == damage.published_states
    assert damage.by_part == {
        "straight_railway_track": "Normal",
        "curved_railway_track": "Disjointed",
        "first_carriage": "Normal",
        "last_carriage": "Chipped wheel axle",
    }
    assert damage.damaged_parts == ("curved_railway_track", "last_carriage")


def test_the_slipped_rows_of_the_conveyor_are_repaired_and_say_so():
    repaired = {c: damage_of("conveyor", c) for c in conditions_of("conveyor")}
    rows = {c: tuple(damage.by_part.values()) for c, damage in repaired.items() if damage.source == "repaired"}

    assert rows == {
        "ab92": ("Aging", "Removed", "Normal", "Over voltage"),
        "ab93": ("Aging", "Removed", "Attached metallic object 2", "Normal"),
        "ab94": ("Aging", "Removed", "Attached metallic object 2", "Under voltage"),
        "ab95": ("Aging", "Removed", "Attached metallic object 2", "Over voltage"),
        "ab96": ("Aging", "Removed", "Attached metallic object 3", "Normal"),
        "ab97": ("Aging", "Removed", "Attached metallic object 3", "Under voltage"),
        "ab98": ("Aging", "Removed", "Attached metallic object 3", "Over voltage"),
    }


@pytest.mark.parametrize("condition", SLIPPED)
def test_the_published_text_of_a_repaired_row_is_kept(condition):
    published = dict(damage_of("conveyor", condition).published_states)

    assert (published["tail_pulley"], published["belt"]) == ("Normal", "Removed")


def test_no_state_of_the_conveyor_stands_under_a_part_that_cannot_have_it():
    states = {part: set() for part in ("tension_pulley", "tail_pulley", "belt", "voltage")}
    for condition in conditions_of("conveyor"):
        for part, state in damage_of("conveyor", condition).states:
            states[part].add(state)

    assert states["voltage"] == {"Normal", "Under voltage", "Over voltage"}
    assert states["belt"] == {"Normal", *(f"Attached metallic object {number}" for number in (1, 2, 3))}
    assert states["tail_pulley"] == {"Normal", "Excessive tension", "Removed"}
    assert states["tension_pulley"] == {"Normal", "Excessive tension", "Aging"}


def test_the_repair_carries_on_the_order_of_the_rows_before_it():
    aging = [damage_of("conveyor", f"ab{number}") for number in range(72, 99)]
    belts = ("Normal", "Attached metallic object 2", "Attached metallic object 3")
    order = [
        ("Aging", pulley, belt, voltage)
        for pulley in ("Normal", "Excessive tension", "Removed")
        for belt in belts
        for voltage in ("Normal", "Under voltage", "Over voltage")
    ]

    assert [tuple(damage.by_part.values()) for damage in aging] == order


@pytest.mark.parametrize("condition", ["ab54", "ab00", "noise", "Normal", "", "ab1"])
def test_a_condition_that_is_not_in_the_table_is_an_error_with_the_choices(condition):
    with refused(OptionError) as caught:
        damage_of("car", condition)

    assert caught.value.expected == "normal, or ab01 to ab53"
    assert "damage_ToyCar.csv" in caught.value.remedy


def test_damage_can_be_sent_to_a_worker():
    damage = damage_of("conveyor", "ab95")

    assert pickle.loads(pickle.dumps(damage)) == damage
