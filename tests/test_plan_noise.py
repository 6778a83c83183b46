"""Which noise an example gets, and who shares it out."""

from __future__ import annotations

import itertools
from collections import Counter

import pyarrow as pa
import pytest
from planning import BASIC, index, index_of, noise_events, planned, rows
from tiny import TinyCorpus

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan import PROTOCOLS, Joined, PlanOptions, plan


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


# --- one take is one recording, in whichever cases it stands


def train_like(*, n_noise: int = 72, shift: int = 0) -> tuple[pa.Table, Joined]:
    """Four cases, of which 1 and 2, and 3 and 4, carry the same noise, under take numbers that are `shift` apart."""
    names = TinyCorpus(cases=(1, 2, 3, 4), n_normal=60, conditions=("ab01", "ab02"), n_anomalous=12).names()
    names = [name for name in names if name.sound != "noise"]
    names += [
        RecordingName(toy="ToyTrain", case=case, condition=kind, recording_type="CNT", channel=channel, take=take)
        for case in (1, 2, 3, 4)
        for kind, n in (("noise", n_noise), ("normal", 2))
        for take in range(1, n + 1)
        for channel in (1, 2, 3, 4)
    ]
    pairs = [
        (f"ToyTrain_case{one}_noise_CNT_{take:04d}", f"ToyTrain_case{one + 1}_noise_CNT_{other:04d}")
        for one in (1, 3)
        for take in range(1, n_noise + 1)
        for other in [(take - 1 + shift) % n_noise + 1]
    ]
    return index_of(names, n_bytes=44 + 60 * 48_000 * 2), Joined().with_pairs(pairs)


TRAIN_PROTOCOLS = [protocol for protocol in PROTOCOLS if "ToyTrain" in protocol.toys]


@pytest.mark.parametrize("protocol", TRAIN_PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("shift", [0, 36])
def test_no_recording_of_noise_and_no_take_is_heard_on_two_sides_where_two_cases_carry_the_same(protocol, shift):
    corpus, joined = train_like(shift=shift)
    snrs = {"snrs_db": (0.0,)} if "snrs_db" in protocol.takes else {}

    recipe = planned(corpus, protocol.name, joined=joined if shift else Joined(), channels="mix", n_draws=4, **snrs)

    sound = {event: group[0] for group in joined.groups for event in group}
    for config in recipe.configs:
        heard = [noise_events(recipe, config=config, split=split) for split in ("train", "adapt", "test", "support")]
        for one, other in itertools.combinations(heard, 2):
            assert not {sound[event] for event in one} & {sound[event] for event in other}
            assert not {event[-4:] for event in one} & {event[-4:] for event in other}
    assert len(noise_events(recipe)) > 70


@pytest.mark.parametrize("n_noise", [3, 9, 72])
def test_leave_one_case_out_divides_noise_in_three_over_all_cases(n_noise):
    corpus, _ = train_like(n_noise=n_noise)

    recipe = planned(corpus, "leave-one-case-out", snrs_db=(0.0,), n_draws=8, channels="1", adapt_events=5)

    for config in [one for one in recipe.configs if one.endswith("snr_0db")]:
        takes = {
            split: {event[-4:] for event in noise_events(recipe, config=config, split=split)}
            for split in ("train", "adapt", "test")
        }
        assert sum(map(len, takes.values())) == len(set().union(*takes.values())) == n_noise
        assert len(takes["train"]) >= len(takes["test"]) >= len(takes["adapt"]) >= 1


def with_noise(takes: dict[int, range], **counts: object) -> pa.Table:
    """Index a source whose cases have these takes of noise."""
    names = [name for name in TinyCorpus(cases=tuple(takes), **counts).names() if name.sound != "noise"]
    names += [
        RecordingName(toy="ToyTrain", case=case, condition="noise", recording_type="CNT", channel=channel, take=take)
        for case, some in takes.items()
        for take in some
        for channel in (1, 2, 3, 4)
    ]
    return index_of(names)


@pytest.mark.parametrize(
    "takes",
    [
        {1: range(1, 3), 2: range(3, 5)},
        {1: range(1, 4), 2: range(2, 4)},
        {1: range(1, 13), 2: range(7, 19), 3: range(6, 8)},
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_every_split_hears_noise_of_every_case_where_the_cases_have_other_takes(takes, seed):
    corpus = with_noise(takes, n_normal=40, n_anomalous=10)

    recipe = planned(corpus, "basic", snrs_db=(0.0,), n_draws=12, seed=seed)

    heard = {
        (split, case): {event[-4:] for event in noise_events(recipe, split=split, case=case)}
        for split in ("train", "test")
        for case in takes
    }
    assert all(heard.values())
    train, test = (set().union(*(heard[split, case] for case in takes)) for split in ("train", "test"))
    assert not train & test
    assert len(train | test) == len(set().union(*takes.values()))


def test_a_case_with_too_few_takes_is_named_and_the_remedies_work():
    corpus = with_noise({1: range(1, 5), 2: range(1, 2), 3: range(1, 5)})

    with pytest.raises(PlanError, match="One noise recording cannot serve both train and test in case 2") as caught:
        planned(corpus, "basic", snrs_db=(0.0,))

    assert caught.value.where == "ToyTrain_case2_noise_CNT_0001"
    assert caught.value.actual == "1"
    assert caught.value.remedy.endswith("accept it: --shared-noise, or choose other cases: --cases 1,3")
    planned(corpus, "basic", snrs_db=(0.0,), cases=(1, 3))
    planned(corpus, "basic", snrs_db=(0.0,), is_noise_shared=True)


def test_shared_noise_is_no_remedy_where_it_is_refused():
    with pytest.raises(PlanError, match="One noise recording cannot serve") as caught:
        planned(index(n_noise=1), "noise-shift")

    assert caught.value.remedy == "Add noise recordings to the source"


def test_recordings_with_the_same_sound_count_as_one_and_the_error_says_so():
    names = [f"ToyTrain_case1_noise_CNT_{take:04d}" for take in (1, 2, 3)]

    with pytest.raises(PlanError, match="One noise recording cannot serve") as caught:
        planned(index(n_noise=3), "basic", snrs_db=(0.0,), joined=Joined(groups=(tuple(names),)))

    assert caught.value.actual == "1, because 3 recordings have the same take or the same sound"


def test_which_takes_the_test_hears_does_not_depend_on_how_many_cases_have_them():
    corpus = index(cases=(1, 2), n_normal=60, n_anomalous=20, n_noise=12)

    both = planned(corpus, "basic", snrs_db=(0.0,), n_draws=12)
    alone = planned(corpus, "basic", snrs_db=(0.0,), n_draws=12, cases=(1,))

    assert noise_events(both, split="test", case=1) == noise_events(alone, split="test", case=1)
    takes = [{event[-4:] for event in noise_events(both, split="test", case=case)} for case in (1, 2)]
    assert takes[0] == takes[1]
