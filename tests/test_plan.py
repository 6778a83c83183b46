"""Configs and their rows, and what does not change a plan."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import BASIC, index, index_of, rows
from tiny import TinyCorpus

from toyadmos_datasets.planning import PlanOptions, plan
from toyadmos_datasets.planning.split_layout import config_name
from toyadmos_datasets.values.index import write_index

PRINT_A_HASH = """
import sys
from pathlib import Path
from toyadmos_datasets.planning import PlanOptions, plan
from toyadmos_datasets.values.index import read_index
options = PlanOptions(toy="ToyTrain", protocols=("basic", "waspaa2019"), snrs_db=(6.0,))
print(plan(read_index(Path(sys.argv[1])), options).sha256)
"""


@pytest.mark.parametrize(
    ("snr_db", "name"),
    [
        (6.0, "snr_6db"),
        (-6.0, "snr_minus_6db"),
        (2.5, "snr_2_5db"),
        (-0.25, "snr_minus_0_25db"),
        (0.0, "snr_0db"),
        (-0.0, "snr_0db"),
        (100.0, "snr_100db"),
        (6, "snr_6db"),
        (-99.99, "snr_minus_99_99db"),
    ],
)
def test_a_config_is_named_after_its_snr(snr_db, name):
    assert config_name(snr_db) == name


def test_every_snr_that_can_be_asked_for_has_a_config_of_its_own_whose_name_is_a_word():
    names = [config_name(hundredth / 100) for hundredth in range(-10_000, 10_001)]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_every_snr_has_the_split_and_the_noise_of_the_others_and_clean_has_none():
    recipe = plan(index(n_normal=9), BASIC)

    assert recipe.configs == ["clean", "snr_6db", "snr_minus_6db"]
    drawn = [
        [
            (row["split"], row["event_id"], row["noise_recording_ids"], row["noise_position"])
            for row in rows(recipe, config=config)
        ]
        for config in recipe.configs
    ]
    assert drawn[1] == drawn[2]
    assert [one[:2] for one in drawn[0]] == [one[:2] for one in drawn[1]]
    assert {(tuple(one[2]), one[3]) for one in drawn[0]} == {((), None)}
    asked = {(row["config"], row["target_gain_db"], row["noise_gain_db"], row["snr_db"]) for row in rows(recipe)}
    assert asked == {("clean", 0.0, None, None), ("snr_6db", None, None, 6.0), ("snr_minus_6db", None, None, -6.0)}


def test_rows_are_ordered_by_config_split_event_and_channel():
    recipe = plan(index(), PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0,), channels="all"))

    keys = [
        (recipe.configs.index(row["config"]), row["split"] == "test", row["event_id"], row["channel"])
        for row in rows(recipe)
    ]
    assert keys == sorted(keys)


@pytest.mark.parametrize("max_events", [1, 3])
def test_a_quick_look_is_part_of_the_whole(max_events):
    some = index(cases=(1, 2), n_normal=20, n_anomalous=3)
    options = {"toy": "ToyTrain", "protocols": ("basic",), "snrs_db": (6.0,), "channels": "all"}
    whole = plan(some, PlanOptions(**options))

    look = plan(some, PlanOptions(**options, max_events=max_events))

    counts = Counter((row["config"], row["split"], row["case"], row["label"]) for row in rows(look))
    assert set(counts.values()) == {4 * max_events}
    assert len(counts) == 2 * 3 * 2
    assert all(row in rows(whole) for row in rows(look))
    assert any(f"at most {max_events} events a split, case and label" in note for note in look.notes)


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_a_source_lists_its_recordings_changes_nothing(random):
    names = TinyCorpus(cases=(1, 2)).names()
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0,), channels="all")
    expected = plan(index_of(names), options).sha256
    random.shuffle(names)
    in_disorder = index_of(names)
    order = list(range(len(in_disorder)))
    random.shuffle(order)

    assert plan(in_disorder, options).sha256 == expected
    assert plan(in_disorder.take(order), options).sha256 == expected


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_the_seed_of_pythons_hashes_changes_nothing(tmp_path, hash_seed):
    some = index()
    write_index(some, tmp_path / "index.parquet")

    printed = subprocess.run(
        [sys.executable, "-c", PRINT_A_HASH, str(tmp_path / "index.parquet")],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    options = PlanOptions(toy="ToyTrain", protocols=("basic", "waspaa2019"), snrs_db=(6.0,))
    assert printed.strip() == plan(some, options).sha256
