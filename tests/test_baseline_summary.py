"""What scores come to: groups, the loudness floor, what is overlooked."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from toyadmos_datasets.reports.charts import histogram
from toyadmos_datasets.scores.metrics import auc, partial_auc_mcclish
from toyadmos_datasets.scores.summary import summarise

N = 20


def scored(**changed):
    """Twenty normal clips and twenty damaged ones of two conditions: ab01 is heard, ab02 is not."""
    random = np.random.default_rng(0)
    normal, heard, unheard = random.normal(0, 1, N), random.normal(9, 1, N // 2), random.normal(0, 1, N // 2)
    columns = {
        "event_id": [f"event{number}" for number in range(2 * N)],
        "label": [0] * N + [1] * N,
        "score": np.concatenate([normal, heard, unheard]),
        "level_db": [-30.0] * N + [-20.0] * N,
        "domain": ["source", "target"] * N,
        "case": [1, 2] * N,
        "channel": [1] * 2 * N,
        "snr_db": [0.0] * 2 * N,
        "condition": ["normal"] * N + ["ab01"] * (N // 2) + ["ab02"] * (N // 2),
        "damage": [[]] * N + [["gear: Melted", "motor: Over"]] * (N // 2) + [["motor: Under"]] * (N // 2),
    }
    types = {"damage": pa.list_(pa.string())}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in (columns | changed).items()})


def test_conditions_and_parts_are_told_apart_the_worst_first():
    found = summarise(scored())

    assert [one.name for one in found.by("condition")] == ["ab02", "ab01"]
    assert [one.name for one in found.by("part")] == ["motor", "gear"]
    assert [one.name for one in found.by("damage")] == ["motor: Under", "gear: Melted", "motor: Over"]
    assert found.by("condition")[1].auc.value == 1.0
    assert found.by("condition")[1].share_overlooked.value == 0.0


def test_what_is_overlooked_is_what_stays_below_the_threshold():
    table = scored()
    found = summarise(table)
    scores, labels = table["score"].to_numpy(), table["label"].to_numpy()

    assert np.mean(scores[labels == 0] >= found.threshold) == 0.1
    assert found.share_overlooked.value == np.mean(scores[labels == 1] < found.threshold)
    assert found.by("condition")[0].share_overlooked.value == np.mean(scores[-N // 2 :] < found.threshold)


def test_loudness_stands_beside_the_score_as_a_floor_in_its_better_direction():
    louder, quieter = (summarise(scored(level_db=[-30.0] * N + [level] * N)).loudness for level in (-20.0, -40.0))

    assert louder.auc.value == quieter.auc.value == 1.0
    assert louder.auc.low == quieter.auc.low < 1.0
    assert (louder.is_louder_anomalous, quieter.is_louder_anomalous) == (True, False)
    assert summarise(scored(level_db=[-30.0] * 2 * N)).loudness.auc.value == 0.5


def test_a_score_beats_loudness_only_if_its_whole_advantage_is_above_0():
    level_db = np.random.default_rng(4).normal(-30, 1, 2 * N) + np.repeat([0, 1], N)
    better = summarise(scored(score=[*range(2 * N)], level_db=level_db)).loudness
    same = summarise(scored(score=level_db, level_db=level_db)).loudness
    worse = summarise(scored()).loudness

    assert better.advantage.low > 0
    assert better.verdict == "beats loudness"
    assert (same.advantage.low, same.advantage.high, same.verdict) == (0.0, 0.0, "does not beat loudness")
    assert worse.verdict == "does not beat loudness"


def test_a_perfect_split_has_intervals_that_leave_room():
    found = summarise(scored(score=[*range(2 * N)]))

    for one in (found.auc, found.pauc_mcclish, found.by("condition")[0].auc, found.cases.auc, found.f1):
        assert one.low < 0.97
    assert found.auc.value == found.auc.high == found.pauc_mcclish.high == 1.0
    assert 0.05 < found.share_overlooked.high < 0.25


def test_groups_that_lack_a_class_are_shown_last_without_an_auc():
    found = summarise(scored(case=[1] * (N + 5) + [2] * (N - 5)))
    empty = found.by("case")[-1]

    assert (empty.name, empty.n_normal, empty.n_anomalous) == ("2", 0, N - 5)
    assert str(empty.auc) == "-"
    assert empty.share_overlooked.value >= 0
    assert str(found.cases.auc) == "-"
    assert found.as_json()["groups"][3]["auc"] == {"value": None, "low": None, "high": None}


def test_infinite_scores_count_as_the_highest_and_are_counted():
    scores = np.arange(2.0 * N)
    found = summarise(scored(score=np.where(scores >= 2 * N - 3, np.inf, scores)))

    assert found.n_infinite == 3
    assert found.auc.value == 1.0
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["n_infinite"] == 3


def test_a_histogram_counts_the_infinite_scores_in_its_legend():
    chart = histogram([("normal", np.array([0.0, 1.0])), ("anomalous", np.array([1.0, 2.0, np.inf]))], "clip score")

    assert chart.legend == [("normal", "normal, 2"), ("anomalous", "anomalous, 3 (1 infinite)")]
    assert chart.axes.x == (0.0, 2.0)


def test_dcases_scores_are_those_whose_rule_the_clips_fulfil():
    both, one_domain = summarise(scored()), summarise(scored(domain=["source"] * 2 * N))

    assert [one.year for one in both.dcase] == [2020, 2021, 2022]
    assert [one.year for one in one_domain.dcase] == [2020]
    assert both.dcase[0].auc == pytest.approx(np.mean([one.auc.value for one in both.by("case")]))
    assert both.dcase[1].auc == pytest.approx(both.domains.auc.value)


def test_the_interval_of_the_published_figure_is_that_of_the_auc_where_they_are_one():
    few = [0] * (2 * N - 5) + [1] * 5
    damage = [[]] * (2 * N - 5) + [["motor: Over"]] * 5
    condition = ["normal"] * (2 * N - 5) + ["ab01"] * 5
    scores = [*np.linspace(0, 1, 2 * N - 5), 0.5, 0.8, 0.95, 1.2, 1.3]
    other = summarise(scored(label=few, damage=damage, condition=condition, score=scores)).auc_as_published
    found = summarise(scored())

    assert found.auc_as_published == found.auc
    assert other.low < other.value < other.high


def test_f1_has_an_interval_that_both_shares_widen():
    found = summarise(scored())

    assert found.f1.low < found.f1.value < found.f1.high <= 1


def test_cases_and_domains_are_joined_by_their_harmonic_mean():
    table = scored()
    found = summarise(table)
    cases = table["case"].to_numpy()
    labels, scores = table["label"].to_numpy(), table["score"].to_numpy()
    of_case = {one: (labels[cases == one], scores[cases == one]) for one in (1, 2)}
    expected = 2 / sum(1 / auc(*one) for one in of_case.values())

    assert found.cases.auc.value == pytest.approx(expected)
    assert found.cases.auc.low < expected < found.cases.auc.high
    pauc = 2 / sum(1 / partial_auc_mcclish(*one) for one in of_case.values())
    assert found.cases.pauc_mcclish.value == pytest.approx(pauc)
    assert found.cases.pauc_mcclish.low < pauc < found.cases.pauc_mcclish.high
    assert found.domains.names == ("source", "target")
    assert found.domains.auc == found.cases.auc  # here case 1 is the source and case 2 the target
    assert {one.name: one.auc.value for one in found.by("domain")} == {
        "source": pytest.approx(auc(*of_case[1])),
        "target": pytest.approx(auc(*of_case[2])),
    }


def test_a_single_case_or_domain_is_not_joined():
    found = summarise(scored(case=[1] * 2 * N, domain=["source"] * 2 * N))

    assert found.cases is None
    assert found.domains is None


def test_microphones_of_one_event_widen_the_interval():
    alone = summarise(scored()).auc
    of_four = summarise(scored(event_id=[f"event{number // 4}" for number in range(2 * N)])).auc

    assert of_four.value == alone.value
    assert of_four.high - of_four.low > alone.high - alone.low


def test_identical_copies_have_the_auc_of_chance():
    half = np.random.default_rng(3).normal(0, 1, N)
    found = summarise(scored(score=np.concatenate([half, half]))).auc

    assert found.value == 0.5
    assert found.low < 0.5 < found.high
