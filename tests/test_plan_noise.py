"""Which noise an example gets, and who shares it out."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from planning import BASIC, index, index_of, noise_events, planned, rows
from tiny import TinyCorpus
from wording import refused

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.planning import PROTOCOLS, EqualEvents, PlanOptions, plan
from toyadmos_datasets.planning.events import events_of
from toyadmos_datasets.values.source import Member


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
    with refused(PlanError) as caught:
        plan(index(n_noise=1), BASIC)

    assert caught.value.where == "ToyTrain_case1_noise_CNT_0001"
    assert caught.value.remedy == "Add noise recordings to the source, or accept it: --shared-noise"


def test_shared_noise_is_drawn_by_both_sides_and_noted():
    options = PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0,), shared_noise=True)

    recipe = plan(index(n_normal=100, n_noise=2, n_anomalous=20), options)

    assert noise_events(recipe, split="train") == noise_events(recipe, split="test")
    assert len(noise_events(recipe, split="train")) == 2
    assert "Train and test share one pool of noise recordings." in recipe.notes


def test_no_noise_at_all_is_an_error_where_noise_is_asked_for_and_none_for_clean():
    silent = index(n_noise=0)

    with refused(PlanError) as caught:
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


def train_like(*, n_noise: int = 72, shift: int = 0) -> tuple[pa.Table, EqualEvents]:
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
    return index_of(names, n_bytes=44 + 60 * 48_000 * 2), EqualEvents().with_pairs(pairs)


TRAIN_PROTOCOLS = [protocol for protocol in PROTOCOLS if "ToyTrain" in protocol.toys]


@pytest.mark.parametrize("protocol", TRAIN_PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("shift", [0, 36])
def test_no_recording_of_noise_and_no_take_is_heard_on_two_sides_where_two_cases_carry_the_same(protocol, shift):
    corpus, joined = train_like(shift=shift)
    snrs = {"snrs_db": (0.0,)} if protocol.name in options_of(PlanOptions)["snrs_db"].protocols else {}

    recipe = planned(
        corpus, protocol.name, joined=joined if shift else EqualEvents(), channels="stack", n_draws=4, **snrs
    )

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

    with refused(PlanError) as caught:
        planned(corpus, "basic", snrs_db=(0.0,))

    assert caught.value.where == "ToyTrain_case2_noise_CNT_0001"
    assert caught.value.actual == "1"
    assert caught.value.remedy.endswith("accept it: --shared-noise, or choose other cases: --cases 1,3")
    planned(corpus, "basic", snrs_db=(0.0,), cases=(1, 3))
    planned(corpus, "basic", snrs_db=(0.0,), shared_noise=True)


def test_shared_noise_is_no_remedy_where_it_is_refused():
    with refused(PlanError):
        planned(index(n_noise=1), "noise-shift")


def test_recordings_with_the_same_sound_count_as_one_and_the_error_says_so():
    names = [f"ToyTrain_case1_noise_CNT_{take:04d}" for take in (1, 2, 3)]

    with refused(PlanError) as caught:
        planned(index(n_noise=3), "basic", snrs_db=(0.0,), joined=EqualEvents(groups=(tuple(names),)))

    assert caught.value.actual == "1, because 3 recordings have the same take or the same sound"


def test_which_takes_the_test_hears_does_not_depend_on_how_many_cases_have_them():
    corpus = index(cases=(1, 2), n_normal=60, n_anomalous=20, n_noise=12)

    both = planned(corpus, "basic", snrs_db=(0.0,), n_draws=12)
    alone = planned(corpus, "basic", snrs_db=(0.0,), n_draws=12, cases=(1,))

    assert noise_events(both, split="test", case=1) == noise_events(alone, split="test", case=1)
    takes = [{event[-4:] for event in noise_events(both, split="test", case=case)} for case in (1, 2)]
    assert takes[0] == takes[1]


def noise_named(*words: str, takes: int = 3) -> list[Member]:
    """Noise of the train with these words in its names, four channels a take."""
    folder = "ToyTrain/EnvironmentalNoise_CNT"
    return [
        Member(path=f"{folder}/ToyTrain_{word}_CNT_ch{channel}_{take:04d}.wav", n_bytes=100, crc32=None, block=0)
        for word in words
        for take in range(1, takes + 1)
        for channel in (1, 2, 3, 4)
    ]


def trains(*cases: int) -> list[Member]:
    names = TinyCorpus(cases=cases, n_noise=0).names()
    return [Member(path=name.member, n_bytes=100, crc32=None, block=0) for name in names]


def words_heard(members: list[Member]) -> dict[int, set[str]]:
    """Return which words stand in the names of the noise that each case hears."""
    heard: dict[int, set[str]] = {}
    for row in rows(plan(build_index(members), BASIC), config="snr_6db"):
        words = {one.removeprefix("ToyTrain_").partition("_CNT_")[0] for one in row["noise_recording_ids"]}
        heard.setdefault(row["case"], set()).update(words)
    return heard


def test_noise_of_a_scale_is_heard_by_its_two_cases():
    heard = words_heard([*trains(1, 2, 3, 4), *noise_named("HO", "N")])

    assert heard == {1: {"HO"}, 2: {"HO"}, 3: {"N"}, 4: {"N"}}


def test_noise_of_no_certain_case_is_heard_where_there_is_none_of_its_own():
    heard = words_heard([*trains(1, 2, 3), *noise_named("case1", "case9_Env")])

    assert heard == {1: {"case1"}, 2: {"case9_Env"}, 3: {"case9_Env"}}


def test_noise_of_two_cases_and_of_one_of_them_is_on_one_side():
    members = [*trains(1, 2), *noise_named("case1", "case1-2", takes=4)]
    recipe = plan(build_index(members), BASIC)
    train, test = (
        {one for row in rows(recipe, split=split) for one in row["noise_recording_ids"]} for split in ("train", "test")
    )

    assert train
    assert test
    assert not train & test
    heard = words_heard(members)
    assert heard[2] == {"case1-2"}
    assert heard[1] <= {"case1", "case1-2"}


def test_a_case_without_noise_of_its_own_hears_none_of_other_cases():
    with refused(PlanError):
        words_heard([*trains(1, 3), *noise_named("N")])


@pytest.mark.parametrize(("case", "served"), [(1, ["HO"]), (2, ["HO"]), (3, ["N"]), (5, [])])
def test_events_tell_whose_noise_serves_a_case(case, served):
    events = events_of(build_index(noise_named("HO", "N", takes=1)))
    serving = [events.name(one) for one in events.serving(case)]

    assert serving == [f"ToyTrain_{word}_CNT_0001" for word in served]
    assert events.may_serve(np.arange(2), np.array([case, case], np.int8)).tolist() == [
        "HO" in served,
        "N" in served,
    ]


def test_noise_that_lacks_a_microphone_serves_as_if_it_were_not_there():
    partial = [one for one in noise_named("case1") if "_ch4_" not in one.path]
    events = events_of(build_index([*partial, *noise_named("Env", takes=1)]))

    assert [events.name(one) for one in events.serving(1, (4,))] == ["ToyTrain_Env_CNT_0001"]
    assert len(events.serving(1, (1, 2, 3))) == 3
