"""Training on continuous recordings: windows lie where the machine runs, and nowhere else."""

from __future__ import annotations

import pyarrow as pa
import pytest
from planning import counts, index, index_of, planned, rows
from tiny import TinyCorpus
from wording import refused

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.values.index import ACTIVITY_SCHEMA
from toyadmos_datasets.values.recipe import Recipe


def continuous(n_takes: int = 2, cases: tuple[int, ...] = (1,), **counts: object) -> pa.Table:
    """Index a source with continuous recordings of a minute."""
    names = TinyCorpus(cases=cases, **counts).names()
    cnt = [
        RecordingName(toy="ToyTrain", case=case, condition="normal", recording_type="CNT", channel=channel, take=take)
        for case in cases
        for take in range(1, n_takes + 1)
        for channel in (1, 2, 3, 4)
    ]
    return index_of([*names, *cnt], n_bytes=44 + 60 * 48_000 * 2)


def activity_of(corpus: pa.Table, runs_s: dict[str, list[tuple[float, float]]]) -> pa.Table:
    """Say when machines run, by the end of the recordings' names; the others run all the time."""
    ids = [one for one in corpus["recording_id"].to_pylist() if "normal_CNT" in one]
    runs = [
        {"recording_id": one, "start": round(start_s * 48_000), "stop": round(stop_s * 48_000)}
        for one in sorted(ids)
        for start_s, stop_s in next((some for end, some in runs_s.items() if one.endswith(end)), [(0.0, 60.0)])
    ]
    return pa.Table.from_pylist(runs, schema=ACTIVITY_SCHEMA)


def starts_s(recipe: Recipe, event: str) -> list[float]:
    return [row["target_start"] / 48_000 for row in rows(recipe, config=recipe.configs[0], event_id=event)]


def test_windows_lie_within_runs_from_their_beginning_and_the_test_has_all_ind_events():
    corpus = continuous()
    activity = activity_of(corpus, {"ch1_0001": [(3.0, 14.5), (40.0, 44.9)]})

    recipe = planned(corpus, "cnt-to-ind", activity=activity, window_s=5.0, hop_s=2.5)

    assert starts_s(recipe, "ToyTrain_case1_normal_CNT_0001") == [3.0, 5.5, 8.0]
    assert starts_s(recipe, "ToyTrain_case1_normal_CNT_0002") == [2.5 * number for number in range(23)]
    assert {row["target_length"] for row in rows(recipe, split="train")} == {5 * 48_000}
    assert {row["recording_type"] for row in rows(recipe, split="train")} == {"CNT"}
    assert counts(recipe, "cnt_to_ind_clean") == {
        ("train", "normal"): 26,
        ("test", "normal"): 4,
        ("test", "anomalous"): 2,
    }
    assert {row["target_start"] for row in rows(recipe, split="test")} == {None}
    assert any(
        "only where the machine runs on every microphone that is used: 26 windows" in one for one in recipe.notes
    )


@pytest.mark.parametrize(("channels", "expected"), [("1", [0, 10, 30]), ("mix", [10, 30]), ("all", [10, 30])])
def test_the_machine_runs_where_all_microphones_that_are_used_say_so(channels, expected):
    corpus = continuous(n_takes=1)
    activity = activity_of(corpus, {"ch1_0001": [(0, 20), (30, 40)], "ch3_0001": [(8.0, 9.0), (10, 60)]})

    recipe = planned(corpus, "cnt-to-ind", activity=activity, window_s=10.0, channels=channels)

    starts = sorted(set(starts_s(recipe, "ToyTrain_case1_normal_CNT_0001")))
    assert starts == expected


def test_windows_of_one_recording_hear_different_noise_and_other_windows_do_not_change_it():
    corpus = continuous(n_noise=6)
    some = activity_of(corpus, {"ch1_0001": [(10, 30)], "ch1_0002": []})

    every = planned(corpus, "cnt-to-ind", snrs_db=(0.0,), activity=activity_of(corpus, {}), window_s=5.0)
    fewer = planned(corpus, "cnt-to-ind", snrs_db=(0.0,), activity=some, window_s=5.0)

    noisy = rows(every, config="cnt_to_ind_snr_0db", split="train")
    assert len({(*row["noise_recording_ids"], row["noise_position"]) for row in noisy}) == len(noisy) == 24
    assert len(rows(fewer, split="train", config="cnt_to_ind_snr_0db")) == 4
    assert all(row in noisy for row in rows(fewer, split="train", config="cnt_to_ind_snr_0db"))


def test_without_hearing_the_recordings_windows_are_counted_as_if_machines_always_ran_and_a_note_says_so():
    recipe = planned(continuous(), "cnt-to-ind")

    assert len(rows(recipe, split="train")) == 2 * 5  # 11 s fit five times into a minute
    assert any("this counts 10, as if the machines ran all the time" in note for note in recipe.notes)


def test_machines_that_never_run_give_no_training():
    corpus = continuous()
    resting = activity_of(corpus, {"ch1_0001": [], "ch1_0002": [(0, 4)]})

    with refused(PlanError) as caught:
        planned(corpus, "cnt-to-ind", activity=resting, window_s=5.0)

    assert caught.value.where == "case1"


def test_a_source_without_continuous_recordings_is_an_error():
    with refused(PlanError, "11"):
        planned(index(), "cnt-to-ind")
