"""Planning: who is in which split, which noise everyone gets, what the paper's protocol comes down to."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyCorpus

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.index import build_index
from toyadmos_datasets.plan import PlanOptions, plan
from toyadmos_datasets.plan.layout import config_name
from toyadmos_datasets.values.index import write_index
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.source import Member

PRINT_A_HASH = """
import sys
from pathlib import Path
from toyadmos_datasets.plan import PlanOptions, plan
from toyadmos_datasets.values.index import read_index
options = PlanOptions(toy="ToyTrain", protocols=("basic", "waspaa2019"), snrs_db=(6.0,))
print(plan(read_index(Path(sys.argv[1])), options).sha256)
"""

BASIC = PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0, -6.0))


def index_of(names: list[RecordingName]) -> pa.Table:
    members = [Member(path=name.member, n_bytes=100, crc32=None, block=block) for block, name in enumerate(names)]
    return build_index(members)


def index(**counts: object) -> pa.Table:
    return index_of(TinyCorpus(**counts).names())


def rows(recipe: Recipe, **wanted: object) -> list[dict]:
    return [row for row in recipe.examples.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def events(recipe: Recipe, **wanted: object) -> set[str]:
    return {row["event_id"] for row in rows(recipe, **wanted)}


def noise_events(recipe: Recipe, **wanted: object) -> set[str]:
    """Noise recordings without digits and channel: what all microphones heard at once."""
    return {_event_of(one) for row in rows(recipe, **wanted) for one in row["noise_recording_ids"]}


def _event_of(recording_id: str) -> str:
    *words, _channel, take = recording_id.split("_")[1:]
    return "_".join([*words, take])


def _channel_of(recording_id: str) -> int:
    return int(recording_id.split("_")[-2].removeprefix("ch"))


# --- the paper's protocol


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
    ("toy", "is_as_printed", "target_db", "noise_db"),
    [
        ("ToyCar", False, 0.0, 10.0),
        ("ToyConveyor", False, 0.0, 10.0),
        ("ToyTrain", False, 10.0, 0.0),
        ("ToyCar", True, 10.0, 0.0),
        ("ToyConveyor", True, 10.0, 0.0),
        ("ToyTrain", True, 0.0, 10.0),
    ],
)
def test_the_gains_are_those_of_the_experiment_as_run_or_as_printed(toy, is_as_printed, target_db, noise_db):
    recipe = plan(index(toy=toy), PlanOptions(toy=toy, is_as_printed=is_as_printed))

    gains = {(row["target_gain_db"], row["noise_gain_db"], row["snr_db"]) for row in rows(recipe)}
    assert gains == {(target_db, noise_db, None)}
    assert any("as the paper prints them" in note for note in recipe.notes) == is_as_printed


def test_the_papers_protocol_on_other_cases_or_channels_is_noted():
    recipe = plan(index(cases=(1, 2)), PlanOptions(toy="ToyTrain", cases=(2,), channels="1"))

    assert {(row["case"], row["channel"]) for row in rows(recipe)} == {(2, 1)}
    assert any("other cases or channels than the paper's (case 1, channel mix)" in note for note in recipe.notes)


def test_both_protocols_can_be_had_at_once():
    recipe = plan(index(), PlanOptions(toy="ToyTrain", protocols=("waspaa2019", "basic"), snrs_db=(0.0,)))

    assert recipe.configs == ["waspaa2019", "clean", "snr_0db"]
    assert len(set(recipe.notes)) == len(recipe.notes)


# --- splits


small_indexes = st.builds(
    TinyCorpus,
    toy=st.sampled_from(["ToyTrain", "ToyCar"]),
    cases=st.sampled_from([(1,), (1, 2), (2, 4)]),
    n_normal=st.integers(2, 12),
    conditions=st.sampled_from([("ab01",), ("ab01", "ab02", "ab05")]),
    n_anomalous=st.integers(1, 3),
    n_noise=st.integers(2, 6),
)
choices = st.sampled_from(["1", "3", "mix", "all"])
seeds = st.integers(0, 2**32)


@settings(max_examples=40)
@given(small_indexes, choices, seeds)
def test_no_event_and_no_noise_is_on_two_sides(corpus, channels, seed):
    options = PlanOptions(
        toy=corpus.toy, protocols=("basic",), snrs_db=(0.0,), cases=corpus.cases, channels=channels, seed=seed
    )

    recipe = plan(index_of(corpus.names()), options)

    for found in (events, noise_events):
        sides = found(recipe, split="train"), found(recipe, split="test")
        assert all(sides)
        assert not sides[0] & sides[1]
    recordings = [
        {one for row in rows(recipe, split=split) for one in row["recording_ids"]} for split in ("train", "test")
    ]
    assert not recordings[0] & recordings[1]


@settings(max_examples=40)
@given(small_indexes, choices, seeds)
def test_every_event_is_used_once_a_config_and_channel_and_damage_is_never_trained_on(corpus, channels, seed):
    options = PlanOptions(
        toy=corpus.toy, protocols=("basic",), snrs_db=(0.0,), cases=corpus.cases, channels=channels, seed=seed
    )

    recipe = plan(index_of(corpus.names()), options)

    n_channels = 4 if channels == "all" else 1
    expected = {name.event_id for name in corpus.names() if name.sound != "noise"}
    for config in ("clean", "snr_0db"):
        assert events(recipe, config=config) == expected
        assert len(rows(recipe, config=config)) == len(expected) * n_channels
    assert rows(recipe, split="train", label="anomalous") == []
    for case in corpus.cases:
        assert rows(recipe, split="train", case=case)
        assert rows(recipe, split="test", case=case, label="normal")
        assert rows(recipe, split="test", case=case, label="anomalous")


@settings(max_examples=40)
@given(small_indexes, seeds)
def test_all_microphones_of_an_event_get_the_same_noise_at_the_same_place_from_themselves(corpus, seed):
    options = PlanOptions(
        toy=corpus.toy, protocols=("basic",), snrs_db=(0.0,), cases=corpus.cases, channels="all", seed=seed
    )

    recipe = plan(index_of(corpus.names()), options)

    drawn = defaultdict(set)
    for row in rows(recipe, config="snr_0db"):
        (target,), (noise,) = row["recording_ids"], row["noise_recording_ids"]
        drawn[row["event_id"]].add((_event_of(noise), row["noise_position"]))
        assert _channel_of(target) == _channel_of(noise) == row["channel"]
        assert f"_case{'All' if corpus.toy == 'ToyCar' else row['case']}_" in noise
        assert 0 <= row["noise_position"] < 1
    assert {len(some) for some in drawn.values()} == {1}


def test_a_mix_has_the_four_microphones_of_one_event_and_of_one_noise():
    for row in rows(plan(index(), PlanOptions(toy="ToyTrain"))):
        for ids in (row["recording_ids"], row["noise_recording_ids"]):
            assert [_channel_of(one) for one in ids] == [1, 2, 3, 4]
            assert len({_event_of(one) for one in ids}) == 1


def test_continuous_recordings_are_no_examples():
    names = TinyCorpus().names()
    cnt = [
        RecordingName(toy="ToyTrain", case=1, condition="normal", recording_type="CNT", channel=channel, take=1)
        for channel in (1, 2, 3, 4)
    ]

    assert plan(index_of([*names, *cnt]), BASIC).examples.equals(plan(index_of(names), BASIC).examples)


def test_another_seed_gives_another_split_and_the_same_seed_the_same():
    some = index(n_normal=40)
    recipes = [plan(some, PlanOptions(toy="ToyTrain", seed=seed)) for seed in (1, 2, 1)]

    assert events(recipes[0], split="train") != events(recipes[1], split="train")
    assert recipes[0].sha256 == recipes[2].sha256


def test_more_damaged_events_do_not_change_who_is_trained_on_nor_their_noise():
    plain, more = (plan(index(n_normal=20, n_anomalous=n), BASIC) for n in (1, 5))

    assert rows(more, split="train") == rows(plain, split="train")
    assert rows(more, split="test", label="normal") == rows(plain, split="test", label="normal")


# --- configs


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


# --- what does not change a plan


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


# --- noise


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


# --- what cannot be planned


def test_a_case_without_damaged_events_is_an_error():
    with pytest.raises(PlanError, match="there would be no anomalous events for the test") as caught:
        plan(index(conditions=()), BASIC)

    assert (caught.value.where, caught.value.actual) == ("case1", "0 events")
    assert "--cases" in caught.value.remedy


@pytest.mark.parametrize("n_normal", [0, 1])
def test_too_few_normal_events_are_an_error(n_normal):
    with pytest.raises(PlanError, match="Case 1 has too few recordings: there would be no normal events") as caught:
        plan(index(n_normal=n_normal), BASIC)

    assert caught.value.actual == f"{n_normal} events"


@pytest.mark.parametrize("cases", [(3,), (1, 3)])
def test_a_case_that_the_source_has_not_is_an_error_even_beside_one_that_it_has(cases):
    with pytest.raises(PlanError, match="There are no IND recordings of the cases asked for") as caught:
        plan(index(cases=(1, 2)), PlanOptions(toy="ToyTrain", protocols=("basic",), cases=cases))

    assert caught.value.where == "case 3"
    assert "toyadmos index" in caught.value.remedy


def test_an_empty_source_is_an_error():
    with pytest.raises(PlanError, match="There are no IND recordings"):
        plan(index(n_normal=0, conditions=(), n_noise=0), BASIC)


def test_a_missing_microphone_is_an_error_where_the_protocol_mixes_all_four():
    with pytest.raises(PlanError, match="1 events cannot be mixed, because a microphone is missing") as caught:
        plan(_without("normal_IND_ch3_0002"), PlanOptions(toy="ToyTrain"))

    assert caught.value.where == "ToyTrain_case1_normal_IND_0002"
    assert (caught.value.expected, caught.value.actual) == ("channels 1, 2, 3, 4", "channels 1, 2, 4")
    assert caught.value.remedy.endswith("--channels 1")


def test_a_missing_microphone_is_counted_where_each_is_a_row():
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), channels="all")

    recipe = plan(_without("normal_IND_ch3_0002"), options)

    assert Counter(row["event_id"] for row in rows(recipe))["ToyTrain_case1_normal_IND_0002"] == 3
    assert any(note.startswith("1 events lack a microphone") for note in recipe.notes)


def test_an_event_without_the_chosen_microphone_is_left_out_of_the_split_and_counted():
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), channels="3")

    recipe = plan(_without("normal_IND_ch3_0002"), options)

    assert "ToyTrain_case1_normal_IND_0002" not in events(recipe)
    assert len(rows(recipe, label="normal")) == 3
    assert any("3 in case 1" in note for note in recipe.notes)
    assert any(note.startswith("1 events lack a microphone") for note in recipe.notes)


def test_a_class_that_only_another_microphone_heard_is_an_error():
    with pytest.raises(PlanError, match="there would be no anomalous events for the test"):
        plan(_without("_ab0", "_ch1_"), PlanOptions(toy="ToyTrain", protocols=("basic",), channels="1"))


def _without(*parts: str) -> pa.Table:
    return index_of([name for name in TinyCorpus().names() if not all(part in name.member for part in parts)])


# --- leave-one-case-out


def test_leaving_a_case_out_tests_both_domains_and_trains_on_the_source_alone():
    corpus = index(cases=(1, 2, 3), n_normal=9, n_noise=4)
    recipe = plan(corpus, PlanOptions(toy="ToyTrain", protocols=("leave-one-case-out",), adapt_events=2))

    assert set(recipe.examples["config"].to_pylist()) == {f"leave_out_case{case}_clean" for case in (1, 2, 3)}
    names = ("train", "adapt", "test")
    for case in (1, 2, 3):
        splits = {split: rows(recipe, config=f"leave_out_case{case}_clean", split=split) for split in names}
        counts = {split: Counter((row["case"] == case, row["label"]) for row in some) for split, some in splits.items()}
        assert counts["train"] == {(False, "normal"): 12}
        assert counts["adapt"] == {(True, "normal"): 2}
        assert counts["test"] == {
            (True, "normal"): 7,
            (True, "anomalous"): 2,
            (False, "normal"): 6,
            (False, "anomalous"): 4,
        }
        found = [{row["event_id"] for row in some} for some in splits.values()]
        assert all(a.isdisjoint(b) for a, b in itertools.combinations(found, 2))
