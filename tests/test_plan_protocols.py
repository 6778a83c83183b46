"""What each protocol makes of a source: its splits, its counts, its configs, and what it cannot do without."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from planning import channel_of, counts, event_of, events, index, index_of, noise_events, planned, rows
from tiny import TinyCorpus
from wording import refused

from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.options.catalogue import PROTOCOLS
from toyadmos_datasets.planning import EqualEvents, PlanOptions, plan
from toyadmos_datasets.planning.protocols import PLANNERS

# --- waspaa2019 --faithful


def test_the_faithful_train_is_six_times_the_mean_of_three_microphones_with_noise_of_one_pool():
    corpus = index(n_normal=40, n_anomalous=9, n_noise=2)

    plain, faithful = planned(corpus, "waspaa2019"), planned(corpus, "waspaa2019", faithful=True)

    for row in rows(faithful):
        assert [one.split("_")[-2] for one in row["recording_ids"]] == ["ch1", "ch2", "ch3"]
        assert [one.split("_")[-2] for one in row["noise_recording_ids"]] == ["ch1", "ch2", "ch3"]
        assert row["target_gain_db"] == pytest.approx(10 + 15.563025)
        assert row["noise_gain_db"] == pytest.approx(15.563025)
    assert events(faithful, split="train") == events(plain, split="train")
    assert noise_events(faithful, split="train") == noise_events(faithful, split="test")
    assert not noise_events(plain, split="train") & noise_events(plain, split="test")
    assert sum("waspaa2019 --faithful" in note for note in faithful.notes) == 2
    assert "Train and test share one pool of noise recordings." in faithful.notes


def test_the_faithful_car_differs_in_its_pool_of_noise_alone():
    corpus = index(toy="ToyCar", n_normal=9)

    (row, *_), notes = (
        rows(planned(corpus, "waspaa2019", faithful=True)),
        planned(corpus, "waspaa2019", faithful=True).notes,
    )

    assert (len(row["recording_ids"]), row["target_gain_db"], row["noise_gain_db"]) == (1, 0.0, 10.0)
    assert not any("channel 4" in note for note in notes)


def test_an_event_without_the_fourth_microphone_will_do_for_the_faithful_train():
    names = [name for name in TinyCorpus().names() if name.channel != 4]

    assert rows(planned(index_of(names), "waspaa2019", faithful=True))
    with refused(PlanError):
        planned(index_of(names), "waspaa2019")


# --- basic --validation


def test_validation_is_a_share_of_the_training_with_noise_of_its_own():
    corpus = index(cases=(1, 2), n_normal=27, n_noise=5)

    plain = planned(corpus, "basic")
    recipe = planned(corpus, "basic", validation_share=0.2, snrs_db=(0.0,))

    assert counts(recipe, "clean") == {
        ("train", "normal"): 2 * 16,
        ("validation", "normal"): 2 * 4,
        ("test", "normal"): 2 * 7,
        ("test", "anomalous"): 2 * 2,
    }
    assert list(dict.fromkeys(recipe.examples["split"].to_pylist())) == ["train", "validation", "test"]
    assert events(recipe, split="train") | events(recipe, split="validation") == events(plain, split="train")
    heard = [noise_events(recipe, split=split) for split in ("train", "validation", "test")]
    assert all(heard)
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(heard, 2))


def test_two_noise_recordings_cannot_serve_three_splits():
    with refused(PlanError) as caught:
        planned(index(n_normal=9, n_noise=2), "basic", validation_share=0.2, snrs_db=(0.0,))

    assert (caught.value.expected, caught.value.actual) == ("at least 3 noise recordings a case", "2")


@pytest.mark.parametrize("protocol", [one.name for one in PROTOCOLS])
def test_every_protocol_holds_out_of_its_training_and_of_nothing_else(protocol):
    names = TinyCorpus(toy="ToyCar", cases=(1, 2), n_normal=27, n_anomalous=2, n_noise=8).names()
    names += [
        RecordingName(toy="ToyCar", case=case, condition="normal", recording_type="CNT", channel=channel, take=take)
        for case in (1, 2)
        for channel in (1, 2, 3, 4)
        for take in range(1, 6)
    ]
    corpus = index_of(names, n_bytes=44 + 2 * 48_000 * 30)
    plain = planned(corpus, protocol, cases=(1, 2))
    recipe = planned(corpus, protocol, cases=(1, 2), validation_share=0.2, calibration_share=0.2)

    for config in plain.configs:
        parts = [events(recipe, config=config, split=one) for one in ("train", "validation", "calibration")]
        apart, apart_before = (events(one, config=config, split="supplemental") for one in (recipe, plain))
        assert all(parts)
        assert set.union(*parts, apart) == events(plain, config=config, split="train") | apart_before
        assert events(recipe, config=config, split="test") == events(plain, config=config, split="test")


def test_events_of_one_sound_in_two_held_out_splits_stand_in_the_later_once():
    corpus = index(n_normal=27, n_noise=5)
    shares = {"validation_share": 0.3, "calibration_share": 0.3}
    apart = planned(corpus, "basic", **shares)
    pair = [min(events(apart, split=split)) for split in ("validation", "calibration")]
    recipe = planned(corpus, "basic", joined=EqualEvents().with_pairs([tuple(pair)]), **shares)

    assert [row["split"] for row in rows(recipe) if row["event_id"] in pair] == ["calibration", "calibration"]


def test_a_balanced_test_has_as_many_of_both_labels_of_a_case_and_leaves_all_else_as_it_is():
    corpus = index(cases=(1, 2), n_normal=27, n_noise=5)
    plain = planned(corpus, "basic", snrs_db=(0.0,))
    recipe = planned(corpus, "basic", snrs_db=(0.0,), balanced_test=True)

    assert counts(recipe, "clean") == {
        ("train", "normal"): 2 * 20,
        ("test", "normal"): 2 * 2,
        ("test", "anomalous"): 2 * 2,
    }
    assert all(row in plain.examples.to_pylist() for row in recipe.examples.to_pylist())


def test_a_recipe_without_them_has_the_parameters_that_it_had_before_there_were_these_options():
    assert not {"calibration_share", "is_test_balanced"} & set(planned(index(), "basic").parameters)


def test_a_training_of_one_event_has_none_to_validate_with():
    with refused(PlanError):
        planned(index(n_normal=2), "basic", validation_share=0.5)


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


@pytest.mark.parametrize("adapt_events", [None, 0, 4])
def test_as_many_events_adapt_as_are_asked_for(adapt_events):
    recipe = planned(index(cases=(1, 2), n_normal=9), "leave-one-case-out", adapt_events=adapt_events)

    expected = 3 if adapt_events is None else adapt_events
    assert len(events(recipe, config="leave_out_case2_clean", split="adapt")) == expected


def test_one_case_cannot_be_left_out():
    with refused(PlanError) as caught:
        planned(index(), "leave-one-case-out")

    assert "--protocol basic" in caught.value.remedy


def test_more_events_to_adapt_with_than_there_are_is_an_error():
    with refused(PlanError):
        planned(index(cases=(1, 2), n_normal=9), "leave-one-case-out", adapt_events=9)


# --- noise-shift


def test_train_and_test_hear_other_noise_at_other_levels():
    recipe = planned(index(n_normal=9, n_noise=6), "noise-shift", train_snrs_db=(6.0, 12.0), test_snrs_db=(-6.0,))

    assert recipe.configs == ["noise_shift"]
    assert {row["snr_db"] for row in rows(recipe, split="train")} == {6.0, 12.0}
    assert {row["snr_db"] for row in rows(recipe, split="test")} == {-6.0}
    assert not noise_events(recipe, split="train") & noise_events(recipe, split="test")
    for event in events(recipe, split="train"):
        of_event = rows(recipe, split="train", event_id=event)
        assert [(row["draw"], row["snr_db"]) for row in of_event] == [(0, 6.0), (1, 12.0)]
        assert len({(*row["noise_recording_ids"], row["noise_position"]) for row in of_event}) == 1


def test_a_level_in_both_is_no_shift():
    with refused(OptionError) as caught:
        planned(index(), "noise-shift", train_snrs_db=(6.0, 0.0), test_snrs_db=(0.0,))

    assert caught.value.where == "--test-snr"


# --- noise-aware


def test_every_event_is_heard_near_and_far_at_levels_of_its_split():
    recipe = planned(index(n_normal=30, n_noise=6), "noise-aware", supplemental_events=3)

    assert recipe.configs == ["noise_aware"]
    heard = {
        split: {tuple(channel_of(one) for one in row["recording_ids"]) for row in rows(recipe, split=split)}
        for split in ("train", "supplemental", "test")
    }
    assert list(heard.values()) == [{(1, 3)}] * 3
    assert {row["snr_db"] for row in rows(recipe, split="train")} == {6.0}
    assert {row["snr_db"] for row in rows(recipe, split="supplemental")} == {6.0}
    assert {row["snr_db"] for row in rows(recipe, split="test")} == {0.0, -6.0}
    assert counts(recipe, "noise_aware")["supplemental", "normal"] == 3
    shifted = planned(index(n_normal=30, n_noise=6), "noise-aware", supplemental_events=0)
    assert events(recipe, split="train") | events(recipe, split="supplemental") == events(shifted, split="train")
    assert events(shifted, split="supplemental") == set()


def test_supplemental_noise_is_heard_in_no_other_split():
    recipe = planned(index(n_normal=30, n_noise=6), "noise-aware", supplemental_events=3)

    heard = [noise_events(recipe, split=split) for split in ("train", "supplemental", "test")]
    assert all(heard)
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(heard, 2))


def test_a_tenth_of_the_training_is_supplemental_where_nothing_else_is_said():
    recipe = planned(index(n_normal=40, n_noise=6), "noise-aware")

    n_train = counts(recipe, "noise_aware")["train", "normal"]
    assert (counts(recipe, "noise_aware")["supplemental", "normal"], n_train) == (2, 27)


def test_all_events_for_training_cannot_be_supplemental():
    with refused(PlanError):
        planned(index(n_normal=9, n_noise=6), "noise-aware", supplemental_events=6)


def test_microphones_come_in_the_order_that_was_asked_for_and_the_others_are_not_needed():
    names = [name for name in TinyCorpus(n_normal=9, n_noise=6).names() if name.channel in (2, 4)]

    recipe = planned(index_of(names), "noise-aware", channels="4,2")

    for row in rows(recipe):
        assert [channel_of(one) for one in row["recording_ids"]] == [4, 2]
        assert [channel_of(one) for one in row["noise_recording_ids"]] == [4, 2]
    with refused(PlanError):
        planned(index_of(names), "noise-aware")


# --- few-shot


@pytest.mark.parametrize(("shots", "n_support"), [(None, 1), (2, 2), (9, 4)])
def test_support_has_k_events_of_each_condition_and_the_test_one_at_least(shots, n_support):
    conditions = ("ab01", "ab02", "ab05")
    corpus = index(cases=(1, 2), n_normal=9, conditions=conditions, n_anomalous=5)

    recipe = planned(corpus, "few-shot", shots=shots)

    of_support = Counter((row["case"], row["condition"]) for row in rows(recipe, split="support"))
    assert of_support == {(case, condition): n_support for case in (1, 2) for condition in conditions}
    of_test = Counter((row["case"], row["condition"]) for row in rows(recipe, split="test", label="anomalous"))
    assert of_test == dict.fromkeys(of_support, 5 - n_support)
    assert rows(recipe, split="support", label="normal") == rows(recipe, split="train", label="anomalous") == []


def test_damage_of_an_unseen_part_is_in_the_test_alone():
    conditions = tuple(f"ab{number:02d}" for number in range(1, 55))
    recipe = planned(index(conditions=conditions, n_anomalous=2), "few-shot", unseen_parts=("first_carriage",))

    known = {row["condition"] for row in rows(recipe, split="support")}
    unseen = {one for one in conditions if "first_carriage" in damage_of("ToyTrain", one).damaged_parts}
    assert unseen
    assert known == set(conditions) - unseen
    assert {row["condition"] for row in rows(recipe, split="test", label="anomalous")} == set(conditions)
    assert any("first_carriage" in note for note in recipe.notes)


def test_a_support_without_any_event_is_an_error():
    with refused(PlanError):
        planned(index(n_anomalous=1), "few-shot")
    with refused(PlanError) as caught:
        planned(index(n_anomalous=3), "few-shot", unseen_parts=toy_named("train").parts)

    assert caught.value.remedy == "Complete the source, or name fewer --unseen-parts."


# --- dcase2020


@pytest.mark.parametrize(
    ("toy", "cases", "n_normal", "n_train", "n_test_normal"),
    [("ToyCar", (1, 2, 3, 4), 1350, 4000, 1400), ("ToyConveyor", (1, 2, 3), 1800, 3000, 2400)],
)
def test_dcase_has_its_published_sizes(toy, cases, n_normal, n_train, n_test_normal):
    corpus = index(toy=toy, cases=cases, n_normal=n_normal, channels=(1,))

    recipe = planned(corpus, "dcase2020")

    assert counts(recipe, "dcase2020") == {
        ("train", "normal"): n_train,
        ("test", "normal"): n_test_normal,
        ("test", "anomalous"): 2 * len(cases),
    }
    assert {row["channel"] for row in rows(recipe)} == {1}
    assert sum("dcase2020" in note for note in recipe.notes) == 2


def test_dcase_had_no_train():
    with refused(OptionError) as caught:
        planned(index(), "dcase2020")

    assert caught.value.expected == "--toy car or --toy conveyor"


# --- --draws and --channels stack


def test_draws_of_an_event_differ_and_go_through_the_recordings_of_their_pool():
    corpus = index(n_normal=9, n_noise=6)

    recipe = planned(corpus, "basic", snrs_db=(0.0,), n_draws=5)

    assert len(rows(recipe, config="clean")) == len(events(recipe))
    noisy = rows(recipe, config="snr_0db")
    assert len(noisy) == 5 * len(events(recipe))
    for event in events(recipe):
        of_event = [row for row in noisy if row["event_id"] == event]
        assert [row["draw"] for row in of_event] == [0, 1, 2, 3, 4]
        pool = 4 if of_event[0]["split"] == "train" else 2
        assert len({event_of(row["noise_recording_ids"][0]) for row in of_event}) == min(pool, 5)
        assert len({row["noise_position"] for row in of_event}) == 5
    once = planned(corpus, "basic", snrs_db=(0.0,))
    assert rows(once, config="snr_0db") == [row for row in noisy if row["draw"] == 0]


def test_a_stack_has_the_recordings_of_a_mix_and_says_that_they_are_stacked():
    stack, mix = (planned(index(), "basic", channels=channels, snrs_db=(0.0,)) for channels in ("stack", "mix"))

    assert stack.examples.equals(mix.examples)
    assert (stack.parameters["channels"], mix.parameters["channels"]) == ("stack", "mix")
    assert stack.sha256 != mix.sha256


def test_every_protocol_of_the_catalogue_is_planned():
    assert list(PLANNERS) == [protocol.name for protocol in PROTOCOLS]
