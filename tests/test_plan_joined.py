"""Events that carry the same sound: how they are found, and that they stand in one split."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import SEEDS, events, index, index_of, planned, rows
from tiny import TinyCorpus
from wording import refused

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.planning import NONE_JOINED, EqualEvents, find_equal_events
from toyadmos_datasets.values.index import ACTIVITY_SCHEMA

INDEX = index(cases=(1, 2), n_normal=12, n_anomalous=3)
IDS = INDEX["recording_id"].to_pylist()


def recording(what: str, channel: int = 1, take: int = 1, case: int = 1) -> str:
    kind = "CNT" if what == "noise" else "IND"
    return next(one for one in IDS if one.endswith(f"_case{case}_{what}_{kind}_ch{channel}_{take:04d}"))


def event(what: str, take: int = 1, case: int = 1) -> str:
    return f"ToyTrain_case{case}_{what}_{'CNT' if what == 'noise' else 'IND'}_{take:04d}"


def catalogue(**changed: tuple[int, int, int, float]) -> pa.Table:
    """All recordings of the index with contents of their own, but for those that are given one by their id."""
    content = {one: (number, number + 7, 100, 0.5) for number, one in enumerate(IDS)} | changed
    columns = ("source_crc32", "samples_crc32", "n_samples", "peak")
    table = pa.Table.from_pylist(
        [{"recording_id": one} | dict(zip(columns, content[one], strict=True)) for one in sorted(content)]
    )
    types = (pa.string(), pa.uint32(), pa.uint32(), pa.int64(), pa.float64())
    return table.cast(pa.schema(list(zip(("recording_id", *columns), types, strict=True))))


# --- how they are found


SAME = (2**32 - 1, 2**31 + 5, 48_000, 0.5)


def test_events_are_joined_by_any_two_microphones_with_the_same_content():
    found = find_equal_events(
        IDS, INDEX, catalogue(**{recording("noise", 3): SAME, recording("noise", 1, take=2, case=2): SAME})
    )

    assert found.groups == ((event("noise"), event("noise", take=2, case=2)),)


@pytest.mark.parametrize("differing", range(3))
def test_one_equal_checksum_or_length_is_not_enough(differing):
    other = tuple(value - 1 if place == differing else value for place, value in enumerate(SAME))

    found = find_equal_events(IDS, INDEX, catalogue(**{recording("noise"): SAME, recording("noise", case=2): other}))

    assert found == NONE_JOINED


def test_digital_silence_joins_nothing():
    silent = (*SAME[:3], 0.0)

    found = find_equal_events(IDS, INDEX, catalogue(**{recording("normal"): silent, recording("ab01"): silent}))

    assert found == NONE_JOINED


def test_what_the_plan_does_not_use_has_no_say():
    same = {recording("noise"): SAME, recording("noise", case=2): SAME}
    used = [one for one in IDS if one != recording("noise")]

    assert find_equal_events(used, INDEX, catalogue(**same)) == NONE_JOINED
    assert find_equal_events(IDS, INDEX, catalogue(**same).slice(0, 0)) == NONE_JOINED


def test_noise_and_machines_are_not_joined_but_what_lies_between_them_is():
    same = dict.fromkeys((recording("noise"), recording("normal"), recording("noise", take=2), recording("ab01")), SAME)

    found = find_equal_events(IDS, INDEX, catalogue(**same))

    assert found.groups == ((event("ab01"), event("normal")), (event("noise"), event("noise", take=2)))


def test_one_event_with_the_same_sound_on_two_microphones_is_still_one_event():
    found = find_equal_events(IDS, INDEX, catalogue(**{recording("normal", channel): SAME for channel in (1, 2)}))

    assert found == NONE_JOINED


def test_groups_stay_together_and_grow():
    same = dict.fromkeys((recording("noise", take=2), recording("noise", take=3)), SAME)
    before = EqualEvents(groups=((event("noise"), event("noise", take=2)), (event("ab01"), event("ab02"))))

    found = find_equal_events(IDS, INDEX, catalogue(**same), so_far=before)

    assert found.groups == ((event("ab01"), event("ab02")), tuple(event("noise", take=take) for take in (1, 2, 3)))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))), st.randoms(use_true_random=False))
def test_the_order_in_which_pairs_are_found_changes_nothing(pairs, random):
    expected = EqualEvents().with_pairs(pairs)
    random.shuffle(pairs)

    assert EqualEvents().with_pairs((b, a) for a, b in pairs) == expected
    assert all(any({a, b} <= set(group) for group in expected.groups) for a, b in pairs if a != b)


# --- where they stand


@settings(max_examples=20)
@given(SEEDS, st.sets(st.integers(1, 12), min_size=2, max_size=4))
def test_normal_events_with_the_same_sound_stand_in_one_split_and_the_others_where_they_were(seed, takes):
    group = tuple(event("normal", take=take) for take in sorted(takes))

    recipe = planned(INDEX, "basic", seed=seed, joined=EqualEvents(groups=(group,)))

    sides = {row["split"] for row in rows(recipe) if row["event_id"] in group}
    assert len(sides) == 1
    case_2 = {row["event_id"]: row["split"] for row in rows(planned(INDEX, "basic", seed=seed), case=2)}
    assert {row["event_id"]: row["split"] for row in rows(recipe, case=2)} == case_2


def test_a_group_of_a_normal_and_an_anomalous_event_is_for_the_test_and_the_recipe_says_so():
    trained = min(events(planned(INDEX, "basic"), split="train", case=1))
    joined = EqualEvents().with_pairs([(trained, event("ab01"))])

    recipe = planned(INDEX, "basic", joined=joined)

    assert {trained, event("ab01")} <= events(recipe, split="test")
    assert (
        f"2 events carry the same sound under several names (such as {event('ab01')} and {trained}): they stand in "
        "one split." in recipe.notes
    )
    assert f"basic moved 1 event to the split of another with the same sound ({trained})." in recipe.notes


def test_few_shot_gives_its_support_to_the_test_and_leave_one_case_out_its_events_to_adapt_with():
    supported = min(events(planned(INDEX, "few-shot"), split="support", case=1))
    tested = min(events(planned(INDEX, "few-shot"), split="test", label="anomalous", case=2))
    adapted = min(events(planned(INDEX, "leave-one-case-out"), config="leave_out_case1_clean", split="adapt"))
    trained = min(events(planned(INDEX, "leave-one-case-out"), config="leave_out_case1_clean", split="train"))

    few = planned(INDEX, "few-shot", joined=EqualEvents().with_pairs([(supported, tested)]))
    left = planned(INDEX, "leave-one-case-out", joined=EqualEvents().with_pairs([(adapted, trained)]))

    assert {supported, tested} <= events(few, split="test")
    assert supported not in events(few, split="support")
    assert {adapted, trained} <= events(left, config="leave_out_case1_clean", split="adapt")
    assert trained not in events(left, config="leave_out_case1_clean", split="train")


def test_a_split_that_would_be_empty_is_an_error_whose_remedy_works():
    trained = events(planned(INDEX, "basic"), split="train", case=1)
    joined = EqualEvents().with_pairs((one, event("ab01")) for one in trained)

    with refused(PlanError) as caught:
        planned(INDEX, "basic", joined=joined)

    assert caught.value.where == min(trained)
    assert caught.value.actual == f"{len(trained)} events, each with the same sound as one of another split"
    assert "--cases" in caught.value.remedy
    planned(INDEX, "basic", joined=joined, cases=(2,))


def test_noise_with_the_same_sound_is_counted_in_the_recipe():
    joined = EqualEvents().with_pairs([(event("noise", take=1), event("noise", take=2, case=2))])

    noted, shared = (
        planned(INDEX, "basic", snrs_db=(0.0,), joined=joined, shared_noise=is_shared).notes
        for is_shared in (False, True)
    )

    counted = (
        "2 noise recordings carry the same sound under several names (such as ToyTrain_case1_noise_CNT_0001 and "
        "ToyTrain_case2_noise_CNT_0002): "
    )
    assert f"{counted}they are one recording for every split." in noted
    assert f"{counted}all splits share them." in shared
    assert not any("same sound" in note for note in planned(INDEX, "basic", joined=joined).notes)


def test_windows_of_what_is_heard_in_the_test_are_left_out_with_and_without_activity():
    names = TinyCorpus().names()
    names += [
        RecordingName(toy="ToyTrain", case=1, condition="normal", recording_type="CNT", channel=channel, take=take)
        for take in (1, 2)
        for channel in (1, 2, 3, 4)
    ]
    corpus = index_of(names, n_bytes=44 + 60 * 48_000 * 2)
    ids = sorted(one for one in corpus["recording_id"].to_pylist() if "normal_CNT" in one)
    columns = [ids, [0] * len(ids), [60 * 48_000] * len(ids)]
    running = pa.table([pa.array(column) for column in columns], names=ACTIVITY_SCHEMA.names).cast(ACTIVITY_SCHEMA)
    joined = EqualEvents().with_pairs([("ToyTrain_case1_normal_CNT_0001", "ToyTrain_case1_normal_IND_0002")])

    for activity in (None, running):
        recipe = planned(corpus, "cnt-to-ind", joined=joined, activity=activity)

        assert events(recipe, split="train") == {"ToyTrain_case1_normal_CNT_0002"}
        assert "ToyTrain_case1_normal_IND_0002" in events(recipe, split="test")
        assert any("left 1 continuous recording out" in note for note in recipe.notes)
