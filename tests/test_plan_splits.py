"""Who is in which split: events and noise are on one side, and all of them are used."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from planning import (
    BASIC,
    CHANNEL_CHOICES,
    SEEDS,
    channel_of,
    event_of,
    events,
    index,
    index_of,
    noise_events,
    rows,
)
from tiny import TinyCorpus

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.planning import PlanOptions, plan

small_indexes = st.builds(
    TinyCorpus,
    toy=st.sampled_from(["ToyTrain", "ToyCar"]),
    cases=st.sampled_from([(1,), (1, 2), (2, 4)]),
    n_normal=st.integers(2, 12),
    conditions=st.sampled_from([("ab01",), ("ab01", "ab02", "ab05")]),
    n_anomalous=st.integers(1, 3),
    n_noise=st.integers(2, 6),
)


@settings(max_examples=40)
@given(small_indexes, CHANNEL_CHOICES, SEEDS)
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
@given(small_indexes, CHANNEL_CHOICES, SEEDS)
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
@given(small_indexes, SEEDS)
def test_all_microphones_of_an_event_get_the_same_noise_at_the_same_place_from_themselves(corpus, seed):
    options = PlanOptions(
        toy=corpus.toy, protocols=("basic",), snrs_db=(0.0,), cases=corpus.cases, channels="all", seed=seed
    )

    recipe = plan(index_of(corpus.names()), options)

    drawn = defaultdict(set)
    for row in rows(recipe, config="snr_0db"):
        (target,), (noise,) = row["recording_ids"], row["noise_recording_ids"]
        drawn[row["event_id"]].add((event_of(noise), row["noise_position"]))
        assert channel_of(target) == channel_of(noise) == row["channel"]
        assert f"_case{'All' if corpus.toy == 'ToyCar' else row['case']}_" in noise
        assert 0 <= row["noise_position"] < 1
    assert {len(some) for some in drawn.values()} == {1}


def test_a_mix_has_the_four_microphones_of_one_event_and_of_one_noise():
    for row in rows(plan(index(), PlanOptions(toy="ToyTrain"))):
        for ids in (row["recording_ids"], row["noise_recording_ids"]):
            assert [channel_of(one) for one in ids] == [1, 2, 3, 4]
            assert len({event_of(one) for one in ids}) == 1


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


def test_more_damaged_events_change_neither_the_training_events_nor_their_noise():
    plain, more = (plan(index(n_normal=20, n_anomalous=n), BASIC) for n in (1, 5))

    assert rows(more, split="train") == rows(plain, split="train")
    assert rows(more, split="test", label="normal") == rows(plain, split="test", label="normal")
