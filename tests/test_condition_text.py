"""What conditions are in plain words."""

from __future__ import annotations

import pytest
from wording import refused

from toyadmos_datasets.corpus.damage import (
    INFERRED,
    NORMAL_STATE,
    condition_text,
    conditions_of,
    damage_of,
    metallic_objects,
    voltages,
)
from toyadmos_datasets.corpus.facts import read_rows
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import OptionError


@pytest.mark.parametrize(
    ("toy", "condition", "text"),
    [
        ("car", "normal", "normal"),
        ("conveyor", "normal", "normal"),
        ("car", "ab01", "voltage under (2.5 or 3.5 V, by motor)"),
        ("car", "ab02", "voltage over (3.5 or 4.5 V, by motor)"),
        (
            "car",
            "ab52",
            "shaft bent; gears melted; tires coiled with steel ribbon; voltage under (2.5 or 3.5 V, by motor)",
        ),
        ("conveyor", "ab01", "voltage under (2.5 V)"),
        ("conveyor", "ab05", "belt with attached metallic object 1 (steel nut); voltage over (3.5 V)"),
        ("conveyor", "ab06", "belt with attached metallic object 2 (steel washer)"),
        ("conveyor", "ab21", "tail pulley with excessive tension; belt with attached metallic object 3 (screwdriver)"),
        ("conveyor", "ab90", "tension pulley aged; tail pulley removed"),
        ("conveyor", "ab92", "tension pulley aged; tail pulley removed; voltage over (3.5 V) [inferred]"),
        ("train", "ab14", "curved railway track broken; first carriage with chipped wheel axle"),
        ("train", "ab29", "straight railway track with obstructing stone"),
    ],
)
def test_a_condition_is_said_in_plain_words(toy, condition, text):
    assert condition_text(toy, condition) == text


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_every_condition_has_words_of_its_own_with_every_damaged_part_in_them(toy):
    texts = {condition: condition_text(toy.name, condition) for condition in conditions_of(toy.name)}

    assert len(set(texts.values())) == len(texts)
    for condition, text in texts.items():
        damage = damage_of(toy.name, condition)
        said = text.removesuffix(f" {INFERRED}").split("; ")
        assert [one.startswith(part.replace("_", " ")) for one, part in zip(said, damage.damaged_parts, strict=True)]
        assert text.endswith(INFERRED) == (damage.source == "repaired")
        assert not set(text) & set("{}_")


def test_there_are_words_for_exactly_the_states_of_the_tables():
    states = {
        state
        for toy in TOYS
        for condition in conditions_of(toy.name)
        for _, state in damage_of(toy.name, condition).states
    }

    assert {state for state, _ in read_rows("state_words.csv")[1]} == states - {NORMAL_STATE}


def test_voltages_are_half_a_volt_over_and_under_what_is_normal():
    for toy, normal in (("car", (3.0, 4.0)), ("conveyor", (3.0,))):
        assert voltages(toy, "Normal") == normal
        assert voltages(toy, "Under voltage") == tuple(volts - 0.5 for volts in normal)
        assert voltages(toy, "Over voltage") == tuple(volts + 0.5 for volts in normal)
    assert voltages("train", "Normal") == ()


def test_the_metallic_objects_are_named():
    assert metallic_objects() == ("steel nut", "steel washer", "screwdriver")


def test_an_unknown_condition_has_no_words():
    with refused(OptionError):
        condition_text("car", "ab54")
